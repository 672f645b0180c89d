"""Observed lenses modelled from nothing but their files: rows, pictures, refusals."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy.cutouts import noisy, write
from toy.modelled import MASS, RMS, SCALE, arcs_of, empty_field, light_of, psf_image, with_image

import lensml
from lensml.evaluation.observed_models import model_observed, tabulate_observed_models
from lensml.schema.observed import ObservedLens

EXAMPLE = Path(__file__).parents[2] / "config" / "catalogue" / "lenses" / "slacs0946+1006"


def written(folder, image, name="a lens"):
    lens = ObservedLens(
        image=write(folder / "image.fits", image),
        noise_map=write(folder / "noise.fits", np.full(image.shape, RMS)),
        psf=write(folder / "psf.fits", psf_image()),
        pixel_scale=SCALE,
    )
    row, examples = folder / "row.json", folder / "examples.npz"
    model_observed(name, lens, str(row), str(examples), n_mocks=1, seed=1)
    with np.load(examples) as arrays:
        return json.loads(row.read_text()), dict(arrays)


@pytest.mark.slow
def test_a_lens_is_found_from_nothing(tmp_path):
    field = empty_field()
    image = with_image(field, arcs_of(field) + light_of(field)).image
    row, arrays = written(tmp_path, image)
    assert row["statement"] == "a lens; smooth model adequate"
    assert abs(row["theta_E"] / MASS[0] - 1) < 0.01
    assert abs(row["gamma"] - MASS[1]) < 4 * row["gamma_error"]
    assert 0.7 < row["chi2_ratio"] < 1.2
    assert row["log_evidence"] < 6
    assert arrays["source"].max() == 1


@pytest.mark.slow
def test_a_galaxy_and_a_neighbour_are_no_lens(tmp_path):
    field = empty_field()
    spot = 0.8 * np.exp(-((field.x - 1.1) ** 2 + (field.y - 0.4) ** 2) / (2 * 0.15**2))
    row, arrays = written(tmp_path, with_image(field, light_of(field) + spot).image)
    assert row["statement"].startswith("not said to be a lens: ")
    assert "convergence" not in arrays


def test_one_that_cannot_be_modelled_is_a_row(tmp_path):
    lens = ObservedLens(image=str(tmp_path / "none.fits"))
    row, examples = tmp_path / "row.json", tmp_path / "examples.npz"
    model_observed("none", lens, str(row), str(examples), n_mocks=1, seed=1)
    assert "there is no such file" in json.loads(row.read_text())["reason"]
    with np.load(examples) as arrays:
        assert not list(arrays)
    outputs = [str(tmp_path / f"t.{ending}") for ending in ("csv", "html", "md", "tex")]
    tabulate_observed_models([str(row)], outputs, n_mocks=1)
    assert pd.read_csv(outputs[0])["lens"].tolist() == ["none"]
    assert "not modelled: " in Path(outputs[2]).read_text()


@pytest.mark.slow
def test_an_image_turned_over_is_no_lens(tmp_path):
    field = empty_field(41)
    turned = -with_image(field, arcs_of(field) + light_of(field)).image
    row, arrays = written(tmp_path, turned)
    assert row["statement"].startswith("not said to be a lens: ")
    assert row["negative"] > 0.3
    assert "convergence" not in arrays


@pytest.mark.slow
def test_pure_noise_is_no_lens(tmp_path):
    row, _ = written(tmp_path, noisy(31, RMS))
    assert row["reason"] or row["statement"].startswith("not said to be a lens: ")


def test_what_is_said_of_a_cutout_must_be_known(tmp_path):
    with pytest.raises(ValueError, match="pixelscale"):
        lensml.model_lens(tmp_path / "a.fits", pixelscale=0.1)
    with pytest.raises(ValueError, match="there is no such file"):
        lensml.model_lens(tmp_path / "a.fits", pixel_scale=0.1)


@pytest.mark.slow
def test_the_shipped_lens_has_its_published_radius_and_the_peak_of_its_map(tmp_path):
    """Gavazzi et al. 2008: 1.38"; Vegetti et al. 2010: the subhalo, turned as the file is."""
    row, examples = tmp_path / "row.json", tmp_path / "examples.npz"
    lens = ObservedLens(image=str(EXAMPLE))
    model_observed("J0946", lens, str(row), str(examples), n_mocks=0, seed=1)
    found = json.loads(row.read_text())
    assert found["statement"] == "a lens; smooth model adequate"
    assert abs(found["theta_E"] / 1.38 - 1) < 0.03
    assert np.hypot(found["peak_x"] + 1.040, found["peak_y"] + 0.651) < 0.15
    assert found["hole_significance"] > 5  # why it is not called a detection
