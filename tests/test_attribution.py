"""Attribution: maps find what the class is made of, and the truth that they are scored by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from toy_stores import RMS, noise, setting

from lensml.data.store import open_store
from lensml.evaluation.attribution.maps import map_classifier
from lensml.evaluation.attribution.table import attribution_metrics, tabulate_attribution
from lensml.evaluation.attribution.truth import METRICS, pointing_auc, render_truth, score_rows
from lensml.evaluation.gallery import render_convergence
from lensml.figures import Style, plot_attribution
from lensml.models import attribution as maps
from lensml.models.encoders import Classifier, build_classifier
from lensml.models.symmetry import SYMMETRIES, random_symmetry, transform, untransform
from lensml.physics.halos import tnfw_enclosed
from lensml.schema import Config, ConfigError, load_config
from lensml.schema import encoders as encoder_schema
from lensml.schema.attribution import MapSpec
from lensml.schema.simulation import Domain
from lensml.schema.training import Evaluation
from lensml.schema.yaml_reader import deep_merge, read_yaml
from lensml.simulate.convergence import substructure_convergence
from lensml.simulate.stored import systems_of
from lensml.simulate.substructure import population_distances
from lensml.simulate.systems import Systems, draw_systems
from lensml.training.engine.checkpoint import save_weights

CONFIG_DIR = Path(__file__).parents[1] / "config"
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
SPEC = MapSpec(methods=["grad_cam", "grad_cam_stem", "rollout"], n_images=10, n_examples=2)
EVALUATION = Evaluation(
    n_bootstrap=200,
    confidence=0.95,
    false_positive_rates=[0.1],
    calibration_bins=5,
    n_embedded=10,
)


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


def lone(profile: str, **columns: float) -> Systems:
    arrays = {name: np.array([value]) for name, value in columns.items()}
    return Systems(profile, {}, np.array([0, 1]), arrays)


def mass_in(kappa: np.ndarray, domain: Domain) -> float:
    """Msun of a convergence map."""
    area = domain.instrument.pixel_scale**2
    return float(kappa.sum() * area * population_distances(domain.population).sigma_crit_angle)


def test_the_convergence_of_a_point_integrates_to_its_mass(domain: Callable[..., Domain]) -> None:
    euclid = domain("euclid")
    theta_E = float(population_distances(euclid.population).theta_E_of_mass(3e9))
    systems = lone("POINT_MASS", theta_E=theta_E, center_x=0.33, center_y=-0.71, mass=3e9)
    (kappa,) = substructure_convergence(systems, euclid)
    assert mass_in(kappa, euclid) == pytest.approx(3e9, rel=1e-9)
    row, column = np.unravel_index(kappa.argmax(), kappa.shape)
    scale, middle = euclid.instrument.pixel_scale, (euclid.num_pix - 1) / 2
    assert abs((column - middle) * scale - 0.33) <= scale / 2
    assert abs((row - middle) * scale + 0.71) <= scale / 2


@pytest.mark.parametrize("sign", [1, -1])
def test_the_convergence_of_a_line_integrates_to_its_mass(
    domain: Callable[..., Domain], sign: int
) -> None:
    euclid = domain("euclid")
    theta_E = float(population_distances(euclid.population).theta_E_of_mass(3e10))
    shape = {"center_x": 0.2, "center_y": -0.1, "length": 1.5, "core": 0.08, "angle": 0.7}
    systems = lone("LINE_MASS", mass=sign * 3e10, theta_E=theta_E, **shape)
    (kappa,) = substructure_convergence(systems, euclid)
    # A softened line has mass core^2 / R^2 beyond R: a thousandth outside the image.
    assert mass_in(kappa, euclid) == pytest.approx(sign * 3e10, rel=2e-3)
    axis = (np.arange(euclid.num_pix) - (euclid.num_pix - 1) / 2) * euclid.instrument.pixel_scale
    x, y = np.meshgrid(axis - 0.2, axis + 0.1)
    along = np.abs(np.cos(0.7) * x + np.sin(0.7) * y) < 0.8
    across = np.abs(np.cos(0.7) * y - np.sin(0.7) * x) < 0.2
    assert abs(kappa[along & across].sum()) > 0.8 * abs(kappa.sum())


@pytest.mark.slow  # compiles the kernel of halos
def test_the_convergence_of_a_halo_integrates_to_its_enclosed_mass(
    domain: Callable[..., Domain],
) -> None:
    realistic = domain("euclid_realistic")
    halo = {"center_x": 0.313, "center_y": 0.127, "Rs": 0.12, "alpha_Rs": 0.01, "r_trunc": 0.4}
    (kappa,) = substructure_convergence(lone("TNFW", mass=1.0, **halo), realistic)
    axis = (np.arange(realistic.num_pix) - (realistic.num_pix - 1) / 2) * (
        realistic.instrument.pixel_scale
    )
    radius = np.hypot(axis[:, None] - 0.127, axis - 0.313)
    theta_N2 = 0.01 * 0.12 / (1 + np.log(0.5))
    pixel = realistic.instrument.pixel_scale**2
    for limit in (1.0, 2.0):
        expected = np.pi * theta_N2 * tnfw_enclosed(np.array(limit / 0.12), 0.4 / 0.12)
        assert kappa[radius < limit].sum() * pixel == pytest.approx(expected, rel=0.01)
    assert kappa.min() > 0


@pytest.mark.parametrize(
    "name", ["euclid", pytest.param("euclid_realistic", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("substructure", ["cdm", "vortex"])
def test_the_convergence_is_that_of_the_drawn_perturbers(
    domain: Callable[..., Domain], name: str, substructure: str
) -> None:
    systems = draw_systems(domain(name), substructure, seed=3, split="test", start=0, stop=2)
    kappa = substructure_convergence(systems, domain(name))
    for k, total in zip(kappa, systems.truth["m_sub_total"], strict=True):
        assert 0.8 * total < mass_in(k, domain(name)) <= total * (1 + 1e-6)


def test_a_pointing_auc_is_the_probability_that_it_says_it_is() -> None:
    rng = np.random.default_rng(0)
    found = rng.integers(0, 5, (2, 6, 6)).astype(float)  # many ties
    positive, negative = rng.random((2, 2, 6, 6))
    for got, m, p, q in zip(
        pointing_auc(found, positive, negative), found, positive, negative, strict=True
    ):
        a, b = m.ravel()[:, None], m.ravel()
        wins = (a > b) + 0.5 * (a == b)
        expected = (p.ravel()[:, None] * q.ravel() * wins).sum() / p.sum() / q.sum()
        assert got == pytest.approx(expected)
    truth = np.zeros((1, 6, 6))
    assert np.isnan(pointing_auc(found[:1], truth, truth + 1)[0])
    assert pointing_auc(np.zeros((1, 6, 6)), positive[:1], negative[:1])[0] == pytest.approx(0.5)
    assert pointing_auc(-found, positive, negative) == pytest.approx(
        1 - pointing_auc(found, positive, negative)
    )


def test_the_shuffled_score_gives_nothing_to_a_map_that_does_not_know_the_image() -> None:
    rng = np.random.default_rng(1)
    axis = np.arange(SIZE)
    disc = np.hypot(axis[:, None] - 15.5, axis - 15.5) < 10
    n = 400
    place = rng.choice(np.flatnonzero(disc), n)
    kappa = np.zeros((n, SIZE**2))
    kappa[np.arange(n), place] = 1
    kappa = kappa.reshape(n, SIZE, SIZE)
    truth = {
        "system_id": np.arange(n),
        "index": np.arange(n),
        "label": np.full(n, "cdm"),
        "kappa": kappa,
        "difference": kappa,
    }
    lens_alone = np.broadcast_to(np.exp(-np.hypot(axis[:, None] - 15.5, axis - 15.5)), kappa.shape)
    rows = score_rows({"lens": lens_alone, "truth": kappa}, truth)
    lens, known = (
        dict(rows.loc[rows["method"] == m, list(METRICS)].mean()) for m in ("lens", "truth")
    )
    assert lens["auc_kappa"] > 0.8
    assert abs(lens["auc_kappa_shuffled"] - 0.5) < 3 * 0.29 / np.sqrt(n)
    assert min(known.values()) > 0.99


@pytest.fixture(scope="module")
def stores(
    tmp_path_factory: pytest.TempPathFactory,
    domain: Callable[..., Domain],
    simulate_store: Callable[..., Path],
) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("stores")
    small = domain("euclid", num_pix=48)
    classes = ("no_sub", "cdm", "vortex")
    return {c: str(simulate_store(folder, small, c, "test", n_images=12)) for c in classes}


def test_the_convergence_beside_reconstructions_is_that_of_the_first_images(
    stores: dict[str, str], tmp_path: Path, domain: Callable[..., Domain]
) -> None:
    output = tmp_path / "convergence.npz"
    render_convergence(list(stores.values()), str(output), classes=list(stores), img_size=40)
    with np.load(output) as archive:
        label, kappa = archive["label"], archive["kappa"]
    assert label.tolist() == list(stores)
    assert kappa.shape == (3, 40, 40)
    assert not kappa[0].any()
    for k, name in enumerate(stores):
        truth = systems_of(open_store(stores[name]), 0, 1)
        (whole,) = substructure_convergence(truth, domain("euclid", num_pix=48))
        np.testing.assert_array_equal(kappa[k], whole[4:44, 4:44])
    assert kappa[1].any()
    assert kappa[2].any()


@pytest.fixture(scope="module")
def mapped(stores: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every file of an attribution of one network with random weights."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("mapped")
    names = (
        "truth.npz",
        "baselines.csv",
        "weights.safetensors",
        "predictions.csv",
        "scores.csv",
        "examples.npz",
    )
    files = {name.split(".")[0]: folder / name for name in names}
    spec = setting(folder).network_input
    render_truth(
        list(stores.values()),
        str(files["truth"]),
        str(files["baselines"]),
        classes=list(stores),
        n_images=10,
        network_input=spec.model_copy(update={"center_crop": 40}),
    )
    network = build_classifier(STEM, img_size=40, num_classes=3, seed=7)
    save_weights(files["weights"], network.state_dict(), {})
    labels = np.repeat(list(stores), 12)
    table = pd.DataFrame({"system_id": 0, "index": np.tile(np.arange(12), 3), "label": labels})
    for k, name in enumerate(stores):
        table[f"p_{name}"] = 0.2 + 0.01 * table["index"] + 0.1 * k
    table.to_csv(files["predictions"], index=False)
    cropped = setting(folder)
    cropped = type(cropped)(
        spec.model_copy(update={"center_crop": 40}), cropped.compute, 3, cropped.state, "toy"
    )
    map_classifier(
        list(stores.values()),
        *(str(files[n]) for n in ("truth", "weights", "predictions", "scores", "examples")),
        classes=list(stores),
        encoder=STEM,
        spec=SPEC,
        symmetry="square",
        setting=cropped,
    )
    return files


def test_the_truth_is_that_of_the_images(stores: dict[str, str], mapped: dict[str, Path]) -> None:
    truth = np.load(mapped["truth"])
    assert truth["image"].shape == truth["kappa"].shape == (20, 40, 40)
    assert list(truth["label"]) == ["cdm"] * 10 + ["vortex"] * 10
    assert np.array_equal(truth["system_id"][:10], truth["system_id"][10:])  # the same lenses
    # Where there is little light there is little effect.
    effect = np.abs(truth["difference"])
    assert effect[:, :3, :3].max() < 0.5
    assert effect.max() > 3
    assert (truth["kappa"] >= 0).all()
    baselines = pd.read_csv(mapped["baselines"])
    assert set(baselines["method"]) == {"brightness", "uniform"}
    for metric in METRICS:
        even = baselines.loc[baselines["method"] == "uniform", metric].to_numpy()
        assert even == pytest.approx(0.5)
    bright = baselines.loc[baselines["method"] == "brightness", "auc_difference"].to_numpy()
    assert bright.mean() > 0.8


def test_every_map_is_scored_on_every_image(mapped: dict[str, Path]) -> None:
    scores = pd.read_csv(mapped["scores"])
    suffixes = ("", "_untrained", "_smooth")
    expected = {f"{m}{s}" for m in ("grad_cam", "grad_cam_stem", "rollout") for s in suffixes}
    assert set(scores["method"]) == expected
    assert len(scores) == 20 * len(expected)
    assert scores[list(METRICS)].stack().between(0, 1).all()
    # Maps of the lens without substructure are of another image.
    by = scores.set_index("method")["auc_kappa"]
    assert not np.allclose(by["rollout"], by["rollout_smooth"])
    examples = np.load(mapped["examples"])
    assert list(examples["label"]) == ["cdm", "cdm", "vortex", "vortex"]
    assert list(examples["probability"]) == pytest.approx([0.3, 0.31, 0.4, 0.41])
    assert examples["map_rollout"].shape == (4, 40, 40)


def test_the_table_has_intervals_and_gains_over_brightness(
    mapped: dict[str, Path], tmp_path: Path
) -> None:
    run = {"domain": "euclid", "model": "toy", "seed": 0}
    runs = [
        {**run, "path": str(mapped[name]), "reference": str(mapped["baselines"])}
        for name in ("scores", "baselines")
    ]
    outputs = [str(tmp_path / f"attribution.{ending}") for ending in ("csv", "md", "tex")]
    tabulate_attribution(runs, outputs, EVALUATION, seed=1)
    table = pd.read_csv(outputs[0])
    low, value, high = table[["ci_low", "value", "ci_high"]].to_numpy().T
    assert np.all((low <= value + 1e-6) & (value <= high + 1e-6))
    keys = zip(table["label"], table["method"], table["metric"], strict=True)
    chosen = dict(zip(keys, value, strict=True))
    for label in ("cdm", "vortex"):
        gain = chosen[label, "rollout", "auc_kappa"] - chosen[label, "brightness", "auc_kappa"]
        assert chosen[label, "rollout", "auc_kappa_gain"] == pytest.approx(gain, abs=2e-6)
        assert chosen[label, "brightness", "auc_kappa_gain"] == 0
    text = Path(outputs[1]).read_text()
    assert "grad_cam_stem_untrained" in text
    assert "chance" in text or "cannot exceed 0.5" in text


def test_images_without_substructure_do_not_count() -> None:
    identity = {"system_id": np.arange(4), "index": np.arange(4), "label": "cdm", "method": "m"}
    scores = pd.DataFrame({**identity, **{k: [0.6, 0.8, np.nan, 0.7] for k in METRICS}})
    reference = pd.DataFrame({**identity, **{k: [0.5, 0.5, np.nan, 0.5] for k in METRICS}})
    found = {m.metric: m for m in attribution_metrics(scores, reference, EVALUATION, seed=0)}
    assert found["auc_kappa"].value == pytest.approx(0.7)
    assert found["auc_kappa_gain"].value == pytest.approx(0.2)
    assert found["auc_kappa"].n == 3


def test_the_figure_is_drawn_and_needs_a_map(mapped: dict[str, Path], tmp_path: Path) -> None:
    style = Style(dpi=50, font_size=9.0, width=7.1, color_map="magma")
    output = [tmp_path / "maps.png"]
    given: dict[str, Any] = {"encoder": "toy", "title": "Maps, euclid", "style": style}
    plot_attribution(mapped["examples"], output=output, **given)
    assert all(path.stat().st_size > 5000 for path in output)
    arrays = dict(np.load(mapped["examples"]))
    arrays["kappa"] = -arrays["kappa"]  # an underdense line
    np.savez(tmp_path / "void.npz", **arrays)
    plot_attribution(tmp_path / "void.npz", output=output, **given)
    np.savez(tmp_path / "none.npz", **{k: v for k, v in arrays.items() if "map" not in k})
    with pytest.raises(ValueError, match="no map to draw; expected one or more of map_grad_cam"):
        plot_attribution(tmp_path / "none.npz", output=output, **given)


def configured(**changes: Any) -> Config:
    file = CONFIG_DIR / "config.yaml"
    merged = deep_merge(read_yaml(file), changes)
    return load_config(merged, catalogue_dir=CONFIG_DIR / "catalogue", files=[file])


def test_all_means_what_the_classifier_has() -> None:
    config = configured(classifier={"encoders": ["vit_conv_stem", "cnn"], "seeds": [3, 4]})
    assert config.attributed("encoders") == ["vit_conv_stem", "cnn"]
    assert config.attributed("seeds") == [3, 4]
    assert config.attributed("domains") == ["euclid"]
    assert configured(attribution={"seeds": [0]}).attributed("seeds") == [0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"domains": ["hst"]},
            "attribution.domains = 'hst': is not listed under 'classifier.domains'",
        ),
        (
            {"encoders": ["vit"]},
            "attribution.encoders = 'vit': is not listed under 'classifier.encoders'",
        ),
        ({"seeds": [7]}, "attribution.seeds = '7': is not listed under 'classifier.seeds'"),
        ({"methods": ["occlusion"]}, "attribution.methods"),
        ({"n_images": 1}, "attribution.n_images = 1"),
    ],
)
def test_mistakes_are_one_line(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        configured(attribution=changes)
    assert len(error.value.lines) == 1
    assert message in error.value.lines[0]


def test_an_encoder_that_has_none_of_the_methods_is_refused() -> None:
    changes = {
        "classifier": {"encoders": ["vit_conv_stem", "cnn"]},
        "attribution": {"methods": ["rollout"]},
    }
    with pytest.raises(ConfigError, match="encoder 'cnn' has none of them") as error:
        configured(**changes)
    assert len(error.value.lines) == 1
    chosen = deep_merge(changes, {"attribution": {"encoders": ["vit_conv_stem"]}})
    assert configured(**chosen).attribution.methods == ["rollout"]
