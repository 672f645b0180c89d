"""Observed cut-outs are scored like any image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from toy.configuration import load_varied
from toy.cutouts import unusable, write
from toy.stores import NETWORK_INPUT, setting

from lensml.data.images import unstretch
from lensml.data.observed import Grid, read_cutout
from lensml.data.store import open_store
from lensml.data.torch_dataset import Cutouts, Images
from lensml.evaluation.domain.cutouts import CutoutJudge
from lensml.evaluation.observed import Networks, percentile, score_observed
from lensml.models.encoders import build_classifier
from lensml.models.mae import MaskedAutoencoder
from lensml.schema.encoders import Cnn
from lensml.schema.observed import ObservedLens
from lensml.schema.simulation import Domain
from lensml.training.engine.checkpoint import save_weights

CLASSES = ["no_sub", "cdm"]
CNN = Cnn(kind="cnn", widths=[4, 8])


@pytest.fixture(scope="module")
def domain_stores(
    tmp_path_factory: pytest.TempPathFactory,
    seen_domain: Domain,
    simulate_store: Callable[..., Path],
) -> dict[str, list[str]]:
    folder = tmp_path_factory.mktemp("domain")
    return {
        split: [str(simulate_store(folder, seen_domain, c, split, n_images=12)) for c in CLASSES]
        for split in ("train", "val", "test")
    }


def test_a_simulated_lens_in_a_file_is_what_its_store_holds(domain_stores, tmp_path):
    store = open_store(domain_stores["test"][0])
    path = write(tmp_path / "a.fits", store.image[np.array([3])][0])
    lens = ObservedLens(image=path, pixel_scale=0.1, psf_fwhm=0.18)
    cutout = read_cutout(lens, Grid(64, 0.1, 0.18))
    known = Images(domain_stores["test"][:1], NETWORK_INPUT, max_memory_fraction=0.5)
    expected = unstretch(known.rows(np.array([3])), NETWORK_INPUT)[0]
    inner = slice(16, 48)
    scale = np.corrcoef(cutout.image[inner, inner].ravel(), expected[inner, inner].ravel())[0, 1]
    assert scale > 0.99
    peak = cutout.image.max() / expected.max()
    assert peak == pytest.approx(1, abs=0.25)  # the rms of 300 pixels, and averaging within pixels


def test_cutouts_are_on_the_network_s_scale_like_any_image(domain_stores):
    known = Images(domain_stores["test"][:1], NETWORK_INPUT, max_memory_fraction=0.5)
    index = np.arange(3)
    linear = unstretch(known.rows(index), NETWORK_INPUT)
    same = Cutouts(linear, known.photons()[:3], NETWORK_INPUT)
    torch.testing.assert_close(same.batch(index), known.batch(index), rtol=1e-4, atol=1e-5)
    expected = known.noise_rms(linear, index)
    np.testing.assert_allclose(same.noise_rms(linear, index), expected, rtol=1e-5)


@pytest.fixture
def observe(
    domain_stores: dict[str, list[str]], judge: CutoutJudge, tmp_path: Path
) -> Callable[..., pd.DataFrame]:
    """Scores lenses with networks that have learned nothing; the table."""

    def run(lenses: dict[str, Any], judge: CutoutJudge | None = judge) -> pd.DataFrame:
        return _observe(domain_stores, tmp_path, lenses, judge)

    return run


def _observe(
    stores: dict[str, list[str]], folder: Path, lenses: dict[str, Any], judge: CutoutJudge | None
) -> pd.DataFrame:
    spec = load_varied().anomaly
    sizes = {"patch_size": 8, "embed_dim": 16, "depth": 1, "num_heads": 2}
    decoder = {"decoder_embed_dim": 8, "decoder_depth": 1, "decoder_num_heads": 2}
    spec = spec.model_copy(update={"mae": spec.mae.model_copy(update={**sizes, **decoder})})
    classifiers = {}
    for seed in (0, 1):
        network = build_classifier(CNN, img_size=64, num_classes=2, seed=seed)
        weights, calibration = (str(folder / f"{seed}.{end}") for end in ("safetensors", "json"))
        save_weights(weights, network.state_dict(), {})
        Path(calibration).write_text('{"temperature": 1.0}')
        classifiers[weights] = calibration
    torch.manual_seed(0)
    detector = str(folder / "mae.safetensors")
    save_weights(detector, MaskedAutoencoder(spec.mae, 64).state_dict(), {})
    networks = Networks(classifiers, CNN, CLASSES, "none", [detector], spec, "mse")
    outputs = [str(folder / f"observed.{end}") for end in ("csv", "md", "tex")]
    score_observed(
        {name: ObservedLens.model_validate(lens) for name, lens in lenses.items()},
        stores["train"],
        stores["val"],
        networks,
        outputs,
        str(folder / "examples.npz"),
        grid=Grid(64, 0.1, 0.18),
        judge=judge,
        n_reference=12,
        setting=setting(folder),
    )
    return pd.read_csv(outputs[0]).set_index("lens")


KNOWN = {"pixel_scale": 0.1, "psf_fwhm": 0.18}


@pytest.mark.usefixtures("one_torch_thread")
def test_one_that_cannot_be_used_does_not_stop_the_others(domain_stores, observe, tmp_path):
    image = open_store(domain_stores["test"][0]).image[np.array([1])][0]
    good = {"image": write(tmp_path / "good.fits", image), **KNOWN}
    lenses = {
        "gone": unusable(tmp_path, "missing"),
        "good": good,
        "small": unusable(tmp_path, "small"),
    }
    table = observe(lenses)
    assert table.index.tolist() == ["gone", "good", "small"]
    assert "no such file" in table.loc["gone", "reason"]
    assert "covers 2.0 arcsec" in table.loc["small", "reason"]
    assert table.loc[["gone", "small"], "p_cdm"].isna().all()
    row = table.loc["good"]
    assert row["p_no_sub"] + row["p_cdm"] == pytest.approx(1)
    assert 0 <= row["domain_distance"] <= 100
    assert 0 <= row["anomaly"] <= 100
    text = (tmp_path / "observed.md").read_text()
    assert "not scored: covers 2.0 arcsec around the lens in y" in text
    assert "A ranking, not a detection" in text
    with np.load(tmp_path / "examples.npz") as archive:
        assert archive["lens"].tolist() == ["good"]
        assert archive["residual"].shape == archive["image"].shape == (1, 64, 64)


@pytest.mark.usefixtures("one_torch_thread")
def test_what_is_no_lens_lies_outside_the_domain_and_gets_no_probabilities(
    domain_stores, observe, tmp_path
):
    image = open_store(domain_stores["test"][0]).image[np.array([1])][0]
    neighbour = image + 20 * np.roll(image, (26, 26), (0, 1))
    noise = np.random.default_rng(0).normal(0, np.std(image[:6]), image.shape)
    lenses = {
        name: {"image": write(tmp_path / f"{name}.fits", x), **KNOWN}
        for name, x in {"lens": image, "neighbour": neighbour, "noise": noise}.items()
    }
    table = observe(lenses)
    assert table.loc["lens", "statement"] == "within the training domain"
    for name in ("neighbour", "noise"):
        assert table.loc[name, "statement"].startswith("outside the training domain: ")
        assert table.loc[name, ["p_no_sub", "p_cdm", "anomaly"]].isna().all()
    lines = (tmp_path / "observed.md").read_text().splitlines()
    assert next(line for line in lines if "| noise |" in line).startswith("| noise | – | – | – |")


@pytest.mark.usefixtures("one_torch_thread")
@pytest.mark.parametrize(
    ("psf", "reason"),
    [({}, "its PSF is not known"), ({"psf_fwhm": 0.4}, "its PSF is 2.22 times as wide")],
)
def test_a_psf_is_known_and_no_wider(domain_stores, observe, tmp_path, psf, reason):
    image = open_store(domain_stores["test"][0]).image[np.array([1])][0]
    path = write(tmp_path / "a.fits", image)
    row = observe({"a": {"image": path, "pixel_scale": 0.1, **psf}}).loc["a"]
    assert reason in row["statement"]
    assert np.isnan(row["p_cdm"])


@pytest.mark.usefixtures("one_torch_thread")
def test_where_nobody_can_judge_nothing_is_said(domain_stores, observe, tmp_path):
    image = open_store(domain_stores["test"][0]).image[np.array([1])][0]
    row = observe({"a": {"image": write(tmp_path / "a.fits", image), **KNOWN}}, None).loc["a"]
    assert row["statement"].startswith("outside the training domain: no smooth lens can be fitted")
    assert np.isnan(row["p_cdm"])


@pytest.mark.usefixtures("one_torch_thread")
def test_no_lens_at_all_is_a_table_without_rows(observe):
    assert observe({}).empty


def test_percentiles_are_shares_below():
    among = np.array([3.0, 1.0, 2.0, 4.0])
    assert percentile(np.array([0.0, 2.5, 9.0]), among).tolist() == [0, 50, 100]
