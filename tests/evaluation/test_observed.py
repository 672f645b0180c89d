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
from lensml.evaluation.observed import Networks, percentile, score_observed, statement
from lensml.models.encoders import build_classifier
from lensml.models.mae import MaskedAutoencoder
from lensml.schema.encoders import Cnn
from lensml.schema.observed import ObservedLens
from lensml.training.engine.checkpoint import save_weights

CLASSES = ["no_sub", "cdm"]
CNN = Cnn(kind="cnn", widths=[4, 8])


@pytest.fixture(scope="module")
def domain_stores(
    tmp_path_factory: pytest.TempPathFactory,
    domain: Callable[..., Any],
    simulate_store: Callable[..., Path],
) -> dict[str, list[str]]:
    folder = tmp_path_factory.mktemp("domain")
    small = domain("euclid")
    return {
        split: [str(simulate_store(folder, small, c, split, n_images=12)) for c in CLASSES]
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


def observe(stores: dict[str, list[str]], folder: Path, lenses: dict[str, Any]) -> pd.DataFrame:
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
        n_reference=12,
        setting=setting(folder),
    )
    return pd.read_csv(outputs[0]).set_index("lens")


@pytest.mark.usefixtures("one_torch_thread")
def test_one_that_cannot_be_used_does_not_stop_the_others(domain_stores, tmp_path):
    image = open_store(domain_stores["test"][0]).image[np.array([1])][0]
    good = {"image": write(tmp_path / "good.fits", image), "pixel_scale": 0.1}
    lenses = {
        "gone": unusable(tmp_path, "missing"),
        "good": good,
        "small": unusable(tmp_path, "small"),
    }
    table = observe(domain_stores, tmp_path, lenses)
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
def test_what_is_no_lens_lies_outside_the_domain(domain_stores, tmp_path):
    image = open_store(domain_stores["test"][0]).image[np.array([1])][0]
    odd = np.where(np.arange(4096).reshape(64, 64) % 2, 50.0, -50.0) * image.max() + image
    lenses = {
        name: {"image": write(tmp_path / f"{name}.fits", x), "pixel_scale": 0.1}
        for name, x in {"lens": image, "odd": odd}.items()
    }
    table = observe(domain_stores, tmp_path, lenses)
    assert table.loc["odd", "domain_distance"] == 100
    assert table.loc["odd", "statement"].startswith("outside the training domain")
    assert table.loc["lens", "domain_distance"] < 100


@pytest.mark.usefixtures("one_torch_thread")
def test_no_lens_at_all_is_a_table_without_rows(domain_stores, tmp_path):
    assert observe(domain_stores, tmp_path, {}).empty


def test_percentiles_are_shares_below():
    among = np.array([3.0, 1.0, 2.0, 4.0])
    assert percentile(np.array([0.0, 2.5, 9.0]), among).tolist() == [0, 50, 100]


@pytest.mark.parametrize(
    ("distance", "said"),
    [
        (100.0, "outside"),
        (99.96, "at the edge of the training domain: farther than 99.9 %"),
        (30.0, "within"),
    ],
)
def test_where_an_image_lies_is_said_in_words(distance, said):
    assert statement(distance, 600).startswith(said)
