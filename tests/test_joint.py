"""Rivals of ADDA: losses against their papers, distortion, budget, resumption, no labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn import functional
from toy_stores import NETWORK_INPUT, setting
from toy_study import ADABN, ADDA, CNN, Study, images_of, results_in

from lensml.models.distortion import distort
from lensml.models.encoders import batch_norm_layers, build_classifier, build_encoder
from lensml.models.masked_image import TokenDecoder, hidden_pixels
from lensml.models.tokens import tokens_of
from lensml.schema import adaptation as schema
from lensml.training.adaptation.joint import TASKS
from lensml.training.adaptation.joint.adamatch import pseudo_labels
from lensml.training.adaptation.joint.coral import coral_distance
from lensml.training.adaptation.joint.dann import rise
from lensml.training.adaptation.joint.task import TARGET_MASKS, JointTask
from lensml.training.adaptation.run import adapt_jointly, equal_steps
from lensml.training.engine.checkpoint import FILE, load_weights
from lensml.training.engine.order import step_generator

JOINT = schema.Joint(
    batch_size=8,
    final_learning_rate=0.03,
    weight_decay=0.05,
    betas=[0.9, 0.95],
    warmup_fraction=0.2,
    clip_grad_norm=1.0,
    ema_decay=0.9,
)
DISTORTION = schema.Distortion(gain=0.2, blur=1.0, zoom=0.1, noise=0.5)
OFF = schema.Distortion(gain=0.0, blur=0.0, zoom=0.0, noise=0.0)
RATE = 3e-3
SHARED: dict[str, Any] = {"learning_rate": RATE, "batch_norm": "source"}
OWN: dict[str, Any] = {
    "source_continued": schema.SourceContinued(**SHARED),
    "strong_augmentation": schema.StrongAugmentation(**SHARED),
    "coral": schema.Coral(**SHARED, weight=1.0, match_mean=True),
    "dann": schema.Dann(**SHARED, weight=1.0, hidden_dim=8, learning_rate_discriminator=5e-2),
    "adamatch": schema.AdaMatch(**SHARED, weight=1.0, confidence=0.9),
    "mean_teacher": schema.MeanTeacher(**SHARED, weight=10.0, confidence=0.5),
    "masked_reconstruction": schema.MaskedReconstruction(
        **SHARED, weight=1.0, mask_ratio=0.5, patch_size=4
    ),
}
CPU = torch.device("cpu")


pytestmark = pytest.mark.usefixtures("one_torch_thread")


def run(study: Study, folder: Path, method: str, *, batch_norm: str = "source") -> None:
    adapt_jointly(
        method,
        study.train,
        study.pool,
        study.weights["cnn"],
        results_in(folder),
        own=OWN[method].model_copy(update={"batch_norm": batch_norm}),
        encoder=CNN,
        joint=JOINT,
        distortion=DISTORTION,
        adda=ADDA,
        adabn=ADABN,
        num_classes=2,
        symmetries=("square", "flips"),
        setting=setting(folder),
    )


def task_of(study: Study, method: str, *, steps: int = 100, **changes: Any) -> JointTask:
    network = build_classifier(CNN, img_size=16, num_classes=2, seed=0)
    load_weights(study.weights["cnn"], network)
    target = changes.pop("target", None) or images_of([study.pool], labelled=False)
    own = {key: changes.pop(key) for key in list(changes) if key in type(OWN[method]).model_fields}
    options = {
        "distortion": changes.pop("distortion", DISTORTION),
        "symmetries": changes.pop("symmetries", ("none", "none")),
        "seed": changes.pop("seed", 0),
    }
    return TASKS[method](
        network,
        images_of(study.train),
        target,
        spec=JOINT.model_copy(update=changes),
        method=OWN[method].model_copy(update=own),
        network_input=NETWORK_INPUT,
        steps=steps,
        device=CPU,
        **options,
    )


def outspoken(task: JointTask) -> JointTask:
    """The same with logits fifty times as large: the toy classifier is hardly sure of anything."""
    for network in (task.network, task.average):
        with torch.no_grad():
            for parameter in network.head.parameters():
                parameter *= 50
    return task


# Distortion


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(n: int = 4, size: int = 17) -> Tensor:
    return torch.randn(n, 1, size, size, generator=generator(5))


def linear(x: Tensor) -> np.ndarray:
    """Flux in units of the background, as the stretch's inverse gives it."""
    flux = np.sinh(x.double().numpy() * NETWORK_INPUT.scale) * NETWORK_INPUT.noise_units
    return flux[:, 0]


@pytest.mark.parametrize("stretch", ["asinh", "linear"])
def test_a_distortion_of_nothing_changes_nothing(stretch):
    spec = NETWORK_INPUT.model_copy(update={"stretch": stretch})
    torch.testing.assert_close(distort(images(), OFF, spec, generator()), images())


def test_a_distortion_refuses_a_stretch_without_inverse():
    spec = NETWORK_INPUT.model_copy(update={"stretch": "per_image_max"})
    with pytest.raises(ValueError, match="asinh and linear only"):
        distort(images(), DISTORTION, spec, generator())


def test_a_gain_multiplies_the_flux_of_an_image():
    spec = OFF.model_copy(update={"gain": 0.3})
    x = images(50)
    ratio = linear(distort(x, spec, NETWORK_INPUT, generator())) / linear(x)
    each = np.log(ratio.mean((1, 2)))
    np.testing.assert_allclose(ratio, np.exp(each)[:, None, None] * np.ones_like(ratio), rtol=1e-3)
    assert np.abs(each).max() <= 0.3
    assert each.min() < -0.2 < 0.2 < each.max()  # missed by 50 draws with probability 2 (5/6)^50


def test_a_blur_is_scipys_gaussian_filter():
    spec = OFF.model_copy(update={"blur": 1.5})
    x = images()
    blurred = linear(distort(x, spec, NETWORK_INPUT, generator(3)))
    sigmas = 1.5 * torch.rand((4, 4, 1, 1, 1), generator=generator(3))[2, :, 0, 0, 0]
    reach = 4  # three times the widest sigma, rounded
    for before, after, sigma in zip(linear(x), blurred, sigmas.tolist(), strict=True):
        # The largest pixel of a sinh of 6 is 1e2 to 1e3: float32 in and out of the stretch.
        expected = gaussian_filter(before, sigma, mode="mirror", radius=reach)
        np.testing.assert_allclose(after, expected, rtol=2e-4, atol=1e-3)


def test_a_zoom_magnifies_about_the_centre():
    spec = OFF.model_copy(update={"zoom": 0.3})
    stretch = NETWORK_INPUT.model_copy(update={"stretch": "linear"})
    y, x = torch.meshgrid(*(2 * [torch.arange(65.0) - 32]), indexing="ij")
    disc = ((x**2 + y**2).sqrt() < 10).float().expand(20, 1, 65, 65)
    zoomed = distort(disc, spec, stretch, generator())
    factor = 1 + 0.3 * (2 * torch.rand((4, 20, 1, 1, 1), generator=generator())[1].flatten() - 1)
    area = zoomed.sum((1, 2, 3)) / disc[0].sum()
    np.testing.assert_allclose(area, factor**2, rtol=0.05)  # pixels of a disc of radius 7 to 13
    centre = (zoomed * x).sum((1, 2, 3)) / zoomed.sum((1, 2, 3))
    np.testing.assert_allclose(centre, 0, atol=1e-3)


def test_noise_is_white_in_units_of_the_background():
    spec = OFF.model_copy(update={"noise": 2.0})
    x = torch.zeros(200, 1, 16, 16)
    added = linear(distort(x, spec, NETWORK_INPUT, generator()))
    rms = 2.0 * torch.rand((4, 200, 1, 1, 1), generator=generator())[3].flatten().numpy()
    # 256 pixels fix an rms to 4.4 %; the mean square over the images to 0.9 %.
    assert (added.std((1, 2)) / rms).mean() == pytest.approx(1, abs=4 * 0.044 / np.sqrt(200))
    neighbours = (added[:, 1:] * added[:, :-1]).mean() / added.var()
    assert abs(neighbours) < 4 / np.sqrt(added.size) * 2


def test_a_distortion_follows_from_its_generator():
    found = [distort(images(), DISTORTION, NETWORK_INPUT, generator(k)) for k in (1, 1, 2)]
    assert torch.equal(found[0], found[1])
    assert not torch.allclose(found[0], found[2])


# Losses


def test_the_distance_of_coral_is_the_papers():
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(30, 5)), rng.normal(size=(40, 5)) * 2
    expected = np.square(np.cov(source.T) - np.cov(target.T)).sum() / (4 * 5**2)
    found = coral_distance(torch.from_numpy(source), torch.from_numpy(target))
    assert found.item() == pytest.approx(expected)
    assert coral_distance(torch.from_numpy(source), torch.from_numpy(source + 3)).item() < 1e-20


def test_pseudo_labels_are_aligned_with_the_classes_of_the_source():
    source = torch.tensor([[0.9, 0.1], [0.3, 0.7]])  # mean .6 .4, mean confidence .8
    target = torch.tensor([[0.9, 0.1], [0.7, 0.3]])  # mean .8 .2
    aligned, sure = pseudo_labels(source, target, 0.9)
    # Ratios .75 and 2: (.675, .2) / .875 and (.525, .6) / 1.125.
    expected = [[0.675 / 0.875, 0.2 / 0.875], [0.525 / 1.125, 0.6 / 1.125]]
    torch.testing.assert_close(aligned, torch.tensor(expected))
    assert sure.tolist() == [1.0, 0.0]  # .771 and .533 against .9 x .8 = .72


@pytest.mark.parametrize("img_size", [16, 18])
def test_hidden_squares_are_a_share_of_the_image(img_size):
    hidden = hidden_pixels(200, img_size, 4, 0.5, generator())
    assert hidden.shape == (200, 1, img_size, img_size)
    squares = hidden[:, 0, :16, :16].reshape(200, 4, 4, 4, 4)
    assert (squares.all((2, 4)) | ~squares.any((2, 4))).all()  # whole squares
    share = hidden.float().mean((1, 2, 3))
    assert share.mean() == pytest.approx(0.5, abs=4 * 0.12 / np.sqrt(200))  # 25 cut squares
    if img_size == 16:
        assert (share == 0.5).all()
    assert len({x.numpy().tobytes() for x in hidden}) > 190


def test_pixels_of_a_token_lie_where_the_token_saw(study):
    """Each token of a convolution of stride 4 is made to predict itself."""
    decoder = TokenDecoder(num_tokens=16, num_features=16, img_size=16)
    torch.nn.init.eye_(decoder.layer.weight)
    torch.nn.init.zeros_(decoder.layer.bias)
    x = images(3, 16)
    tokens = functional.unfold(x, 4, stride=4).transpose(1, 2)
    torch.testing.assert_close(decoder(tokens), x)
    assert TokenDecoder(100, 8, 150)(torch.zeros(2, 100, 8)).shape == (2, 1, 150, 150)
    assert TokenDecoder(25, 8, 64)(torch.zeros(2, 25, 8)).shape == (2, 1, 64, 64)


@pytest.mark.parametrize("kind", ["cnn", "vit_conv_stem", "resnet18", "swin", "vit_relpos"])
def test_the_mean_of_the_tokens_is_what_the_encoder_knows(default_config, kind):
    """Of encoders that average over a map, tokens in the order of the image's rows."""
    encoder = build_encoder(default_config.encoders[kind], 64).eval()
    x = torch.randn(2, 1, 64, 64, generator=generator())
    with torch.no_grad():
        tokens, embedding = tokens_of(encoder, x), encoder(x)
        here = x.clone()
        here[:, :, :16, -16:] += 3  # upper right
        changed = (tokens_of(encoder, here) - tokens).abs().sum((0, 2))
    assert tokens.shape[2] == embedding.shape[1]
    grid = int(np.sqrt(tokens.shape[1]))
    if kind in ("cnn", "resnet18"):
        torch.testing.assert_close(tokens.mean(1), embedding)
    if grid > 2:  # at 2 x 2 every token has seen everything
        row, column = divmod(int(changed.argmax()), grid)
        assert row < grid / 2 <= column


def test_only_hidden_pixels_of_the_target_are_predicted(study):
    """What is visible can be copied: the error of a decoder of zeros is the hidden pixels' own."""
    task = task_of(study, "masked_reconstruction", mask_ratio=0.5)
    torch.nn.init.zeros_(task.decoder.layer.weight)  # type: ignore[attr-defined]
    torch.nn.init.zeros_(task.decoder.layer.bias)  # type: ignore[attr-defined]
    target = task.batches(0)[1]
    hidden = hidden_pixels(len(target), 16, 4, 0.5, step_generator(0, 0, TARGET_MASKS))
    found = task.step(0)["reconstruction_loss"]
    torch.testing.assert_close(found, target[hidden].square().mean())
    assert not torch.isclose(found, target[~hidden].square().mean())


def test_the_encoder_does_not_see_what_is_hidden(study):
    task = task_of(study, "masked_reconstruction")
    seen = []
    first = next(m for m in task.network.modules() if isinstance(m, torch.nn.Conv2d))
    first.register_forward_pre_hook(lambda m, args: seen.append(args[0]))
    target = task.batches(0)[1]
    task.step(0)
    hidden = hidden_pixels(len(target), 16, 4, 0.5, step_generator(0, 0, TARGET_MASKS))
    assert (seen[-1][hidden] == 0).all()
    assert torch.equal(seen[-1][~hidden], target[~hidden])


def test_the_weight_of_the_adversary_rises_from_nothing_to_one():
    values = [rise(t) for t in np.linspace(0, 1, 11)]
    assert values[0] == 0
    assert values == sorted(values)
    assert values[-1] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("method", "learning_rate"), [("coral", 5e-3), ("dann", 3e-4)])
def test_alignment_brings_the_embeddings_together(study, method, learning_rate):
    task = task_of(study, method, steps=150, batch_size=16, learning_rate=learning_rate)

    @torch.no_grad()
    def distance() -> float:
        batches = [x.batch(np.arange(len(x))) for x in (task.batches.source, task.batches.target)]
        source, target = (task.average.encoder(x) for x in batches)
        return ((source.mean(0) - target.mean(0)).norm() / source.std(0).norm()).item()

    before = distance()
    for step in range(150):
        task.step(step)
    assert distance() < 0.7 * before  # over five seeds 0.17 to 0.69 and 0.35 to 0.39


def test_the_adversary_learns_to_tell_the_domains_and_the_encoder_climbs_its_loss(study):
    task = task_of(study, "dann")
    before = {k: v.clone() for k, v in task.discriminator.state_dict().items()}  # type: ignore[attr-defined]
    found = task.step(50)
    after = task.discriminator.state_dict()  # type: ignore[attr-defined]
    assert any(not torch.equal(before[k], after[k]) for k in before if "layers" in k)
    assert found["reversed_loss"] < 0
    # ln 2 is the loss of guessing: where nothing is told apart, nothing is left to climb.
    assert found["reversed_loss"] > -1.5 * np.log(2)


@pytest.mark.parametrize("method", ["adamatch", "mean_teacher"])
def test_what_the_target_teaches_counts_only_where_it_is_sure(study, method):
    name = "pseudo_label_loss" if method == "adamatch" else "consistency_loss"
    task = task_of(study, method)
    assert task.step(50)[name] > 0
    sure = 1.0 if method == "mean_teacher" else 2.0
    assert task_of(study, method, confidence=sure).step(50)[name] == 0


@pytest.mark.parametrize("method", ["strong_augmentation", "adamatch", "mean_teacher"])
def test_methods_of_strong_augmentation_train_on_distorted_images(study, method):
    found = [
        outspoken(task_of(study, method, distortion=spec)).step(50) for spec in (DISTORTION, OFF)
    ]
    name = {"adamatch": "pseudo_label_loss", "mean_teacher": "consistency_loss"}.get(method)
    for loss in filter(None, (name, None if method == "mean_teacher" else "class_loss")):
        assert abs(found[0][loss] - found[1][loss]) > 1e-5, loss  # without, roundings


def test_coral_matches_means_only_where_it_is_told_to(study):
    both, covariance = (
        task_of(study, "coral", match_mean=match).step(0)["alignment_loss"]
        for match in (True, False)
    )
    assert both > covariance > 0


def test_pseudo_labels_count_for_nothing_at_first_and_for_all_at_the_end(study):
    """Half a cosine: nothing at step 0, half at the middle, all at the end."""
    first, middle, last = (task_of(study, "adamatch").step(k) for k in (0, 50, 100))
    assert first["pseudo_label_loss"] == 0
    assert last["pseudo_label_loss"] > middle["pseudo_label_loss"] > 0


def test_the_teacher_is_the_average_of_the_weights(study):
    task = outspoken(task_of(study, "mean_teacher", confidence=0.51))
    assert task.step(0)["consistency_loss"] > 0
    torch.nn.init.zeros_(task.average.head.weight)
    torch.nn.init.zeros_(task.average.head.bias)
    assert task.step(1)["consistency_loss"] == 0  # one half for either class is not sure


def test_a_teacher_sees_every_batch_by_its_own_statistics_where_the_student_does(study):
    task = task_of(study, "mean_teacher", batch_norm="target")
    assert all(layer.training for layer in batch_norm_layers(task.average))
    task = task_of(study, "mean_teacher")
    assert not any(layer.training for layer in batch_norm_layers(task.average))


@pytest.mark.parametrize("symmetries", [("none", "square"), ("square", "none")])
def test_each_domain_is_augmented_by_its_own_symmetries(study, symmetries):
    batches = task_of(study, "coral", symmetries=symmetries).batches
    source, target, index = batches(0)
    raw = batches.source.batch(index), batches.target.batch(batches.target_order(0))
    for found, before, symmetry in zip((source, target), raw, symmetries, strict=True):
        assert torch.equal(found, before) == (symmetry == "none")
        values = (x.flatten(1).sort(1).values for x in (found, before))
        torch.testing.assert_close(*values)  # the same pixels elsewhere


# Runs


@pytest.mark.parametrize("method", TASKS)
def test_target_images_with_labels_are_refused(study, method):
    labelled = images_of(study.train)
    with pytest.raises(ValueError, match="must not see target labels"):
        task_of(study, method, target=labelled)


class Killed(Exception):
    """In place of a signal."""


@pytest.mark.parametrize("method", TASKS)
def test_a_killed_and_resumed_run_is_bit_identical(study, tmp_path, monkeypatch, method):
    run(study, tmp_path / "whole", method)
    original, remaining, taken = TASKS[method].step, [5], []

    def step(self: Any, step: int) -> Any:
        if step in remaining:
            remaining.remove(step)
            raise Killed
        taken.append(step)
        return original(self, step)

    monkeypatch.setattr(TASKS[method], "step", step)
    with pytest.raises(Killed):
        run(study, tmp_path / "killed", method)
    assert (tmp_path / "killed" / "state" / FILE).exists()
    taken.clear()
    torch.manual_seed(99)  # a new process starts anywhere
    run(study, tmp_path / "killed", method)
    assert 0 < taken[0] <= 5
    for name in ("weights.safetensors", "history.csv"):
        whole = (tmp_path / "whole" / name).read_bytes()
        assert (tmp_path / "killed" / name).read_bytes() == whole, name
    assert not (tmp_path / "killed" / "state").exists()


@pytest.mark.parametrize("method", TASKS)
def test_a_run_trains_the_source_classifier_further_and_records_itself(study, tmp_path, method):
    run(study, tmp_path, method)
    before, after = load_file(study.weights["cnn"]), load_file(tmp_path / "weights.safetensors")
    assert before.keys() == after.keys()
    trained = [k for k in before if "running_" not in k and "num_batches" not in k]
    assert all(not torch.equal(before[k], after[k]) for k in trained)
    statistics = [k for k in before if "running_" in k]
    for name in statistics:  # of the source, kept
        torch.testing.assert_close(before[name], after[name], rtol=1e-6, atol=0)
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["config"]["method"] == method
    steps = equal_steps(ADDA, JOINT.batch_size, TASKS[method].passes)
    assert record["config"]["steps"] == steps
    history = pd.read_csv(tmp_path / "history.csv")
    assert history["step"].iloc[-1] == steps
    assert "class_loss" in history.columns
    assert np.isfinite(history).all(axis=None)


def test_a_run_may_take_the_statistics_of_the_target(study, tmp_path):
    run(study, tmp_path, "coral", batch_norm="target")
    network = build_classifier(CNN, img_size=16, num_classes=2, seed=0)
    load_weights(tmp_path / "weights.safetensors", network)
    pool = images_of([study.pool], labelled=False)
    first = next(m for m in network.modules() if isinstance(m, torch.nn.Conv2d))
    with torch.no_grad():
        seen = first(pool.batch(np.arange(len(pool))))
    layer = batch_norm_layers(network)[0]
    torch.testing.assert_close(layer.running_mean, seen.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", TASKS)
def test_what_is_saved_is_the_average_of_the_weights(study, tmp_path, method):
    run(study, tmp_path, method)
    steps = equal_steps(ADDA, JOINT.batch_size, TASKS[method].passes)
    seed = setting(tmp_path).seed
    task = task_of(study, method, steps=steps, symmetries=("square", "flips"), seed=seed)
    for step in range(steps):
        task.step(step)
    saved = load_file(tmp_path / "weights.safetensors")
    last = task.network.state_dict()
    assert any(not torch.equal(saved[k], last[k]) for k in saved)
    for name, value in task.average.state_dict().items():
        torch.testing.assert_close(saved[name], value, msg=name)


def test_a_method_trains_at_its_own_learning_rate(study):
    task = task_of(study, "coral", steps=20, learning_rate=1e-3)
    rates = []
    for step in range(20):
        task.step(step)
        rates.append(task.optimizer.param_groups[0]["lr"])
    assert rates[3] == pytest.approx(1e-3)  # after a warm-up of a fifth
    assert rates[-1] < 0.05 * 1e-3


@given(
    steps=st.integers(2, 20000),
    share=st.floats(0, 0.9),
    batch_size=st.integers(2, 256),
    passes=st.integers(3, 12),
)
def test_every_method_costs_as_many_passes_as_adda(steps, share, batch_size, passes):
    adda = ADDA.model_copy(update={"steps": steps, "warmup_steps": int(share * steps)})
    # Source and target forward; after the warm-up the target backward too, at twice the cost.
    cost = sum(2 if k < adda.warmup_steps else 4 for k in range(steps)) * adda.batch_size
    found = equal_steps(adda, batch_size, passes) * passes * batch_size
    assert abs(found - cost) <= max(passes * batch_size / 2 + 1e-6, passes * batch_size - cost)


def test_the_passes_of_a_method_are_those_it_makes(study):
    """Counted on the encoder: a forward pass of an image is 1, with its gradient 3."""
    for method, kind in TASKS.items():
        task = task_of(study, method)
        count = [0]

        def hook(module: Any, inputs: Any, output: Tensor, count: list[int] = count) -> None:
            count[0] += (3 if output.requires_grad else 1) * len(output)

        for network in (task.network, task.average):
            network.get_submodule("encoder.layers").register_forward_hook(hook)
        task.step(0)
        assert count[0] == kind.passes * JOINT.batch_size, method
