"""Maps find what the class is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from toy.stores import RMS, noise

from lensml.evaluation.attribution.truth import pointing_auc
from lensml.models import attribution as maps
from lensml.models.encoders import Classifier, build_classifier
from lensml.models.symmetry import SYMMETRIES, random_symmetry, transform, untransform
from lensml.schema import encoders as encoder_schema

SIZE = 32
CNN = encoder_schema.Cnn(kind="cnn", widths=[8, 16])
VIT: dict[str, Any] = {
    "embed_dim": 16,
    "depth": 2,
    "num_heads": 2,
    "mlp_ratio": 2.0,
    "init_values": 1.0,
    "drop_path_rate": 0.0,
}
STEM = encoder_schema.VitConvStem(kind="vit_conv_stem", stem_widths=[8, 16], **VIT)
PATCHES = encoder_schema.Vit(kind="vit", patch_size=4, **VIT)
ENCODERS = {"cnn": CNN, "vit_conv_stem": STEM, "vit": PATCHES}
TINY = {"patch_size": 8, "embed_dim": 24, "depth": 3, "num_heads": 2}

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def spots(
    n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Noise with two wide blobs in the first half of the images, a blob and a spot in the second.

    Returns:
        (n, SIZE, SIZE) images, (n,) classes, and where the second thing and the blob that every
        image has are, each (n, SIZE, SIZE).
    """
    label = np.repeat([0, 1], [n - n // 2, n // 2])
    angle, reach = rng.uniform(0, 2 * np.pi, n), rng.uniform(7, 10, n)
    offset = np.stack([np.sin(angle), np.cos(angle)], axis=1) * reach[:, None]
    middle = (SIZE - 1) / 2
    second = _blob(middle + offset, np.where(label == 1, 1.0, 3.0))
    common = _blob(middle - offset, np.full(n, 3.0))
    return noise(n, rng, size=SIZE) + second + common, label, second, common


def _blob(centre: np.ndarray, width: np.ndarray) -> np.ndarray:
    offset = np.arange(SIZE) - centre[:, :, None]
    y, x = np.exp(-0.5 * np.square(offset / width[:, None, None])).swapaxes(0, 1)
    return y[:, :, None] * x[:, None, :]


def tensors(images: np.ndarray) -> Tensor:
    return torch.from_numpy((images / RMS / 5).astype(np.float32))[:, None]


def trained(name: str) -> Classifier:
    """A network that was trained for seconds to tell a spot from a second blob."""
    torch.set_num_threads(1)
    network = build_classifier(ENCODERS[name], img_size=SIZE, num_classes=2, seed=1)
    images, label, _, _ = spots(512, np.random.default_rng(0))
    x, y = tensors(images), torch.from_numpy(label)
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(100):
        batch = torch.randint(len(x), (64,), generator=generator)
        seen = random_symmetry(x[batch], "square", generator)
        loss = nn.functional.cross_entropy(network(seen), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()
    with torch.no_grad():
        assert (network(x).argmax(1) == y).double().mean() > 0.95
    return network


def pointing(method: Callable[[Tensor], Tensor]) -> float:
    """Probability that averaged maps of fresh images are higher at the spot than at the blob."""
    images, label, spot, blob = spots(100, np.random.default_rng(5))
    found = maps.over_symmetries(method, tensors(images[label == 1]), "square").numpy()
    assert found.shape == (50, SIZE, SIZE)
    assert found.min() >= 0
    return float(pointing_auc(found, spot[label == 1], blob[label == 1]).mean())


def cam_of(network: Classifier, label: int, layer: maps.Layer) -> Callable[[Tensor], Tensor]:
    def method(x: Tensor) -> Tensor:
        return maps.grad_cam(network, x, torch.full((len(x),), label), layer=layer)

    return method


def untrained(name: str) -> list[Classifier]:
    sizes = {"img_size": SIZE, "num_classes": 2}
    return [build_classifier(ENCODERS[name], **sizes, seed=k).eval() for k in range(6)]


def test_grad_cam_points_at_what_a_network_was_trained_to_find() -> None:
    network = trained("cnn")
    layers: list[maps.Layer] = ["tokens", "stem"]
    for layer in layers:
        assert pointing(cam_of(network, 1, layer)) > 0.95
        assert pointing(cam_of(network, 0, layer)) < 0.05  # what speaks for the other class
        guesses = [pointing(cam_of(guess, 1, layer)) for guess in untrained("cnn")]
        assert np.mean(guesses) < 0.8


@pytest.mark.parametrize("name", ["vit", "vit_conv_stem"])
def test_grad_cam_of_tokens_is_their_share_in_a_score_that_is_their_mean(name: str) -> None:
    network = build_classifier(ENCODERS[name], img_size=SIZE, num_classes=3, seed=2).eval()
    network.encoder.fc_norm = nn.Identity()  # what is left after the blocks is linear
    x, target = torch.randn(4, 1, SIZE, SIZE), torch.tensor([2, 0, 1, 2])
    with torch.no_grad():
        tokens = network.encoder.forward_features(x)  # type: ignore[operator]
        weight = network.head.weight
        direction = weight[target] * 1.5 - weight.sum(0) / 2
        share = torch.einsum("nld,nd->nl", tokens, direction).relu() / 64
    cells = maps.Cells(0.0, 4.0) if name == "vit_conv_stem" else maps.Cells(1.5, 4.0)
    expected = maps.enlarge(share.unflatten(1, (8, 8)), SIZE, cells)
    found = maps.grad_cam(network, x, target, layer="tokens")
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-4)
    assert found.max() > 0


def test_rollout_points_at_what_a_transformer_was_trained_to_find() -> None:
    network = trained("vit_conv_stem")
    assert pointing(lambda x: maps.rollout(network, x)) > 0.95
    guesses = [pointing(lambda x, g=g: maps.rollout(g, x)) for g in untrained("vit_conv_stem")]
    assert np.mean(guesses) < 0.8


def test_the_score_ignores_what_all_logits_share() -> None:
    logits, target = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    score = maps.class_score(logits, target)
    torch.testing.assert_close(maps.class_score(logits + 7, target), score, atol=1e-5, rtol=0)
    other = torch.tensor(
        [logits[i, [k for k in range(3) if k != t]].mean() for i, t in enumerate(target)]
    )
    torch.testing.assert_close(score, logits.gather(1, target[:, None])[:, 0] - other)


@pytest.mark.parametrize("name", ["vit", "vit_conv_stem"])
def test_rows_of_a_rollout_sum_to_one_and_a_lone_block_is_its_attention(name: str) -> None:
    x = torch.randn(3, 1, SIZE, SIZE)
    encoder = build_classifier(ENCODERS[name], img_size=SIZE, num_classes=2, seed=0).eval().encoder
    matrix = maps.rollout_matrix(encoder, x)
    assert matrix.shape == (3, 64, 64)
    assert matrix.min() >= 0
    torch.testing.assert_close(matrix.sum(2), torch.ones(3, 64))
    single = ENCODERS[name].model_copy(update={"depth": 1})
    alone = build_classifier(single, img_size=SIZE, num_classes=2, seed=0).eval().encoder
    block: Any = alone.blocks[0]  # type: ignore[index]
    block.attn.fused_attn = False
    kept: list[Tensor] = []
    block.attn.attn_drop.register_forward_hook(lambda _m, _i, out: kept.append(out))
    alone(x)
    expected = (kept[0].mean(1) + torch.eye(64)) / 2
    torch.testing.assert_close(maps.rollout_matrix(alone, x), expected)


def test_only_transformers_without_a_class_token_have_a_rollout() -> None:
    x = torch.randn(2, 1, SIZE, SIZE)
    network = build_classifier(CNN, img_size=SIZE, num_classes=2, seed=0).eval()
    with pytest.raises(ValueError, match="not for the encoder ConvNet"):
        maps.rollout(network, x)


@pytest.mark.parametrize("symmetry", list(SYMMETRIES))
def test_averaged_maps_turn_with_their_image(symmetry: str) -> None:
    network = build_classifier(STEM, img_size=SIZE, num_classes=2, seed=0).eval()
    x, target = torch.randn(2, 1, SIZE, SIZE), torch.tensor([0, 1])

    def method(seen: Tensor) -> Tensor:
        return maps.grad_cam(network, seen, target, layer="tokens")

    found = maps.over_symmetries(method, x, symmetry)
    for element in SYMMETRIES[symmetry]:
        torch.testing.assert_close(untransform(transform(x, element), element), x)
        turned = maps.over_symmetries(method, transform(x, element), symmetry)
        expected = transform(found[:, None], element)[:, 0]
        torch.testing.assert_close(turned, expected, atol=1e-5, rtol=1e-3)
    if symmetry == "square":  # one pass does not turn
        element = (False, True, False)
        once = transform(method(x)[:, None], element)[:, 0]
        assert (method(transform(x, element)) - once).abs().max() > 0.05 * once.max()


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        ({"model_name": "resnet18"}, (2, 2)),
        ({"model_name": "vit_tiny_r_s16_p8_224"}, (2, 2)),
        (
            {
                "model_name": "convit_tiny",
                "model_kwargs": {
                    "patch_size": 8,
                    "embed_dim": 24,
                    "depth": 3,
                    "num_heads": 2,
                    "local_up_to_layer": 2,
                },
            },
            (8, 8),
        ),
    ],
)
def test_models_of_timm_have_maps_that_depend_on_the_image(spec: dict, shape: tuple) -> None:
    encoder = encoder_schema.Timm(kind="timm", **spec)
    network = build_classifier(encoder, img_size=64, num_classes=3, seed=0).eval()
    x, target = torch.randn(3, 1, 64, 64), torch.tensor([0, 1, 2])
    features, embedding = maps._features(network.encoder, x, "tokens")
    torch.testing.assert_close(embedding, network.encoder(x))
    assert maps._on_grid(network.encoder, features, "tokens").shape[2:] == shape
    found = maps.grad_cam(network, x, target, layer="tokens")
    assert found.shape == (3, 64, 64)
    assert found.max() > 0


def test_encoders_without_a_map_are_refused_in_one_line() -> None:
    levit = encoder_schema.Timm(kind="timm", model_name="levit_128s")
    network = build_classifier(levit, img_size=64, num_classes=3, seed=0).eval()
    x, target = torch.randn(2, 1, 64, 64), torch.tensor([0, 1])
    with pytest.raises(ValueError, match="LevitDistilled has no spatial map") as error:
        maps.grad_cam(network, x, target, layer="tokens")
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="layer 'stem' is of convolutions"):
        maps.grad_cam(network, x, target, layer="stem")


def test_maps_are_enlarged_to_where_their_cells_are() -> None:
    ramp = torch.arange(4.0).expand(4, 4)[None]
    even = maps.enlarge(ramp, 16, maps.Cells(1.5, 4.0))
    expected = nn.functional.interpolate(ramp[None], 16, mode="bilinear")[0]
    torch.testing.assert_close(even, expected)
    first = maps.enlarge(ramp, 16, maps.Cells(0.0, 4.0))[0]
    torch.testing.assert_close(first[:, [0, 4, 8, 12]], ramp[0, :1].expand(16, 4))


@pytest.mark.parametrize(("layer", "step"), [("tokens", 4), ("stem", 2)])
@pytest.mark.parametrize("spec", [CNN, STEM])
def test_cells_are_centred_on_what_their_convolutions_see(
    spec: encoder_schema.Encoder, layer: maps.Layer, step: int
) -> None:
    encoder = build_classifier(spec, img_size=SIZE, num_classes=2, seed=0).eval().encoder
    stack = maps._stack(encoder)
    assert stack is not None
    assert isinstance(stack[8], nn.ReLU)  # of four convolutions, the third does not halve
    part = stack if layer == "tokens" else stack[:9]
    for k in (3, 4):
        x = torch.randn(1, 1, SIZE, SIZE, requires_grad=True)
        (seen,) = torch.autograd.grad(part(x)[0, :, k, k].sum(), x)
        rows = torch.nonzero(seen[0, 0].abs().sum(1))[:, 0].double()
        assert float(rows.min() + rows.max()) / 2 == k * step
    assert maps._cells(encoder, SIZE, SIZE // step, layer) == (0.0, float(step))
