"""Maps of a network, the truth that they are scored by, and the table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from toy.stores import setting

from lensml.data.store import open_store
from lensml.evaluation.attribution.maps import map_classifier
from lensml.evaluation.attribution.table import attribution_metrics, tabulate_attribution
from lensml.evaluation.attribution.truth import METRICS, pointing_auc, render_truth, score_rows
from lensml.evaluation.gallery import render_convergence
from lensml.figures import Style, plot_attribution
from lensml.models.encoders import build_classifier
from lensml.schema import encoders as encoder_schema
from lensml.schema.attribution import MapSpec
from lensml.schema.simulation import Domain
from lensml.schema.training import Evaluation
from lensml.simulate.convergence import substructure_convergence
from lensml.simulate.stored import systems_of
from lensml.training.engine.checkpoint import save_weights

SIZE = 32
VIT: dict[str, Any] = {
    "embed_dim": 16,
    "depth": 2,
    "num_heads": 2,
    "mlp_ratio": 2.0,
    "init_values": 1.0,
    "drop_path_rate": 0.0,
}
STEM = encoder_schema.VitConvStem(kind="vit_conv_stem", stem_widths=[8, 16], **VIT)
SPEC = MapSpec(methods=["grad_cam", "grad_cam_stem", "rollout"], n_images=10, n_examples=2)
EVALUATION = Evaluation(
    n_bootstrap=200,
    confidence=0.95,
    false_positive_rates=[0.1],
    calibration_bins=5,
    n_embedded=10,
)

pytestmark = pytest.mark.usefixtures("one_torch_thread")


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
