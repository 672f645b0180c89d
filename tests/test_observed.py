"""Observed cut-outs: reading, resampling, scoring, and what cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from test_config import DEFAULT, load_files
from toy_stores import NETWORK_INPUT, setting

from lensml.data.images import unstretch
from lensml.data.observed import Grid, UnusableImageError, fwhm_of, read_cutout, resample
from lensml.data.observed.grid import operator
from lensml.data.store import open_store
from lensml.data.torch_dataset import Cutouts, Images
from lensml.evaluation.observed import Networks, percentile, score_observed, statement
from lensml.models.encoders import build_classifier
from lensml.models.mae import MaskedAutoencoder
from lensml.schema import ConfigError
from lensml.schema.encoders import Cnn
from lensml.schema.observed import ObservedLens
from lensml.training.engine.checkpoint import save_weights

GRID = Grid(num_pix=32, pixel_scale=0.1, psf_fwhm=0.3)
SIGMA = 1 / (2 * np.sqrt(2 * np.log(2)))  # of a FWHM


def gaussian(size: int, scale: float, sigma: float, x: float = 0.0, y: float = 0.0) -> np.ndarray:
    """Flux per pixel of a spot of flux 1, widths and place in arcsec."""
    axis = (np.arange(size) - (size - 1) / 2) * scale
    r2 = (axis[:, None] - y) ** 2 + (axis - x) ** 2
    return np.exp(-r2 / (2 * sigma**2)) * scale**2 / (2 * np.pi * sigma**2)


def moments(image: np.ndarray, scale: float) -> tuple[float, float, float, float]:
    """Flux, place in arcsec and width of a spot."""
    axis = (np.arange(len(image)) - (len(image) - 1) / 2) * scale
    flux = image.sum()
    x, y = (image.sum(0) @ axis) / flux, (image.sum(1) @ axis) / flux
    variance = (image.sum(0) @ (axis - x) ** 2 + image.sum(1) @ (axis - y) ** 2) / 2 / flux
    return flux, x, y, np.sqrt(variance)


def write(path: Path, image: Any, **header: Any) -> str:
    fits.PrimaryHDU(np.asarray(image), header=fits.Header(header)).writeto(path, overwrite=True)
    return str(path)


def noisy(size: int, rms: float = 0.1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, rms, (size, size))


# Resampling


@settings(max_examples=25, deadline=None)
@given(
    scale=st.floats(0.03, 0.13),
    x=st.floats(-0.3, 0.3),
    y=st.floats(-0.3, 0.3),
)
def test_flux_place_and_width_survive_another_grid(scale, x, y):
    size = int(5 / scale) | 1
    fine = gaussian(size, scale, 0.35, x, y)
    middle = (size - 1) / 2
    flux, found_x, found_y, width = moments(resample(fine, [middle] * 2, scale, GRID), 0.1)
    assert flux == pytest.approx(1, abs=0.01)
    assert found_x == pytest.approx(x, abs=0.01)
    assert found_y == pytest.approx(y, abs=0.01)
    # A pixel of the grid averages over itself: a box of its width adds its variance.
    assert width == pytest.approx(np.sqrt(0.35**2 + 0.1**2 / 12), abs=0.006)


def test_the_same_grid_leaves_an_image_but_for_the_averaging_within_pixels():
    image = gaussian(32, 0.1, 0.35)
    found = resample(image, [15.5, 15.5], 0.1, GRID)
    assert np.abs(found - image).max() < 0.02 * image.max()


def test_the_lens_is_brought_to_the_middle(tmp_path):
    image = gaussian(80, 0.1, 0.3, x=0.5, y=-0.4) * 100 + noisy(80, 0.001)
    lens = ObservedLens(
        image=write(tmp_path / "a.fits", image), pixel_scale=0.1, center=[39.5 + 5, 39.5 - 4]
    )
    _, x, y, _ = moments(np.clip(read_cutout(lens, GRID).image, 0, None), 0.1)
    assert np.hypot(x, y) < 0.02


def test_a_sharper_image_is_blurred_to_the_domain_s_camera(tmp_path):
    sharp = gaussian(161, 0.05, 0.1 * SIGMA * 2) * 100 + noisy(161, 1e-4)
    path = write(tmp_path / "a.fits", sharp)
    lens = ObservedLens(image=path, pixel_scale=0.05, psf_fwhm=0.2)
    cutout = read_cutout(lens, GRID)
    _, _, _, width = moments(np.clip(cutout.image, 0, None)[8:24, 8:24], 0.1)
    assert width == pytest.approx(np.sqrt((0.3 * SIGMA) ** 2 + 0.1**2 / 12), rel=0.05)
    assert cutout.psf_ratio == 1
    assert cutout.finer_by == pytest.approx(2)


def test_a_wider_psf_is_said_and_left(tmp_path):
    path = write(tmp_path / "a.fits", noisy(64))
    lens = ObservedLens(image=path, pixel_scale=0.1, psf_fwhm=0.6)
    assert read_cutout(lens, GRID).psf_ratio == pytest.approx(2)
    unknown = ObservedLens(image=path, pixel_scale=0.1)
    assert np.isnan(read_cutout(unknown, GRID).psf_ratio)


def test_the_width_of_a_psf_is_measured(tmp_path):
    psf = gaussian(31, 0.1, 0.25)
    assert fwhm_of(psf) * 0.1 == pytest.approx(0.25 / SIGMA, rel=0.02)
    image = write(tmp_path / "a.fits", noisy(64))
    lens = ObservedLens(image=image, pixel_scale=0.1, psf=write(tmp_path / "psf.fits", psf))
    assert read_cutout(lens, GRID).psf_ratio == pytest.approx(0.25 / SIGMA / 0.3, rel=0.02)


def test_noise_becomes_the_unit_and_the_background_zero(tmp_path):
    image = 7 + noisy(32, 0.2)
    cutout = read_cutout(
        ObservedLens(image=write(tmp_path / "a.fits", image), pixel_scale=0.1), Grid(32, 0.1, 0.3)
    )
    # Averaging within pixels takes some of the noise: the rms is that of what is left.
    border = np.concatenate([cutout.image[:3].ravel(), cutout.image[-3:].ravel()])
    assert np.median(border) == pytest.approx(0, abs=0.25)
    assert border.std() == pytest.approx(1, abs=0.15)
    assert np.isinf(cutout.photons)


def test_a_noise_map_tells_the_photons(tmp_path):
    signal = gaussian(64, 0.1, 0.4) * 300
    variance = 0.1**2 + np.maximum(signal, 0) / 50
    image = write(tmp_path / "a.fits", signal + np.sqrt(variance) * noisy(64, 1.0))
    noise_map = write(tmp_path / "b.fits", np.sqrt(variance))
    cutout = read_cutout(ObservedLens(image=image, noise_map=noise_map, pixel_scale=0.1), GRID)
    # The spline is averaged within pixels, which takes the same share of all noise.
    unit = 0.1 * (operator(64, 31.5, 0.1, GRID, 0.0) ** 2).sum(1).mean()
    assert 0.06 < unit < 0.1
    truth = resample(signal, [31.5, 31.5], 0.1, GRID)
    scale = (cutout.image * truth).sum() / (truth**2).sum()
    assert scale == pytest.approx(1 / unit, rel=0.03)
    assert cutout.photons == pytest.approx(unit * 50 * (0.1 / unit) ** 2, rel=0.08)
    flagged = np.sqrt(variance)
    flagged[31, 33] = 1e16  # how pipelines mark a pixel without data
    noise_map = write(tmp_path / "c.fits", flagged)
    marked = read_cutout(ObservedLens(image=image, noise_map=noise_map, pixel_scale=0.1), GRID)
    assert marked.observation.n_missing == 1
    (place,) = np.argwhere(~marked.observation.known)
    assert (place[::-1] - marked.observation.center).tolist() == [33 - 31.5, 31 - 31.5]
    away = np.ones((32, 32), bool)
    away[10:21, 12:23] = False
    np.testing.assert_allclose(marked.image[away], cutout.image[away], rtol=1e-3, atol=1e-2)
    assert marked.photons == pytest.approx(cutout.photons, rel=0.05)


def test_the_wcs_tells_the_pixel_scale(tmp_path):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cdelt = [-0.05 / 3600, 0.05 / 3600]
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(noisy(100), header=wcs.to_header()).writeto(path)
    assert read_cutout(ObservedLens(image=str(path)), GRID).finer_by == pytest.approx(2)


@pytest.mark.parametrize("dtype", [">f4", ">i2", ">f8"])
def test_any_number_of_a_fits_file_will_do(tmp_path, dtype):
    image = (1000 * noisy(64)).astype(dtype)
    cutout = read_cutout(
        ObservedLens(image=write(tmp_path / "a.fits", image), pixel_scale=0.1), GRID
    )
    assert cutout.image.dtype == np.float32


def test_numpy_files_are_read_too(tmp_path):
    np.save(tmp_path / "a.npy", noisy(64))
    lens = ObservedLens(image=str(tmp_path / "a.npy"), pixel_scale=0.1)
    assert read_cutout(lens, GRID).image.shape == (32, 32)


# What cannot be used


def unusable(folder: Path, what: str) -> dict[str, Any]:
    """Arguments of a cut-out that cannot be used."""
    image = noisy(64)
    path = str(folder / f"{what}.fits")
    known: dict[str, Any] = {"pixel_scale": 0.1}
    if what == "three axes":
        image = np.zeros((3, 64, 64))
    if what == "flat":
        image = np.ones((64, 64))
    if what == "pickle":
        path = str(folder / "a.npy")
        np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    elif what == "text":
        Path(path).write_text("this is no image")
    elif what != "missing":
        write(Path(path), image[:20] if what == "small" else image)
    if what == "no scale":
        known = {}
    if what == "other extension":
        known["hdu"] = "VIS"
    if what == "corner":
        known["center"] = [3.0, 32.0]
    noise = {"other noise": np.ones((9, 9)), "noise of zero": np.zeros((64, 64))}
    if what in noise:
        known["noise_map"] = write(folder / "noise.fits", noise[what])
    return {"image": path, **known}


REASONS = {
    "missing": "there is no such file",
    "text": "cannot be read",
    "pickle": "cannot be read",
    "other extension": "has no extension VIS; images are in 0 'PRIMARY'",
    "three axes": "holds an array of shape (3, 64, 64), not an image",
    "no scale": "has no WCS (CTYPE1 is missing); give pixel_scale",
    "small": "covers 2.0 arcsec around the lens in y; 3.2 are needed",
    "corner": "arcsec around the lens in x; 3.2 are needed",
    "flat": "only 0 pixels near the lens hold data",
    "other noise": "noise map of 9 x 9 pixels for an image of 64 x 64",
    "noise of zero": "the noise map is not above 0",
}


@pytest.mark.parametrize("what", REASONS)
def test_what_cannot_be_used_says_why(tmp_path, what):
    with pytest.raises(UnusableImageError) as caught:
        read_cutout(ObservedLens.model_validate(unusable(tmp_path, what)), GRID)
    assert REASONS[what] in str(caught.value)


@pytest.mark.parametrize(
    ("observed", "line"),
    [
        ("{lenses: {a: {image: a.fits, pixel_scale: -1.0}}}", "pixel_scale = -1.0"),
        ("{lenses: {a: {pixel_scale: 0.1}}}", "observed.lenses.a.image"),
        ("{lenses: {'': {image: a.fits}}}", "the name of a lens is a line"),
        ("{lenses: {a: {image: a.fits, psf: b.fits, psf_fwhm: 0.1}}}", "give psf or psf_fwhm"),
        ("{lenses: {a: {image: a.fits, center: [1.0]}}}", "observed.lenses.a.center"),
        ("{domain: hst}", "observed.domain = 'hst': is not listed under 'classifier.domains'"),
    ],
)
def test_a_mistake_in_the_configuration_is_one_line(tmp_path, observed, line):
    (tmp_path / "overlay.yaml").write_text(f"observed: {observed}")
    with pytest.raises(ConfigError) as caught:
        load_files(DEFAULT, tmp_path / "overlay.yaml")
    (found,) = caught.value.lines
    assert line in found


# Scores

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
    spec = load_files(DEFAULT).anomaly
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
