"""A target's camera, found on unlabelled images alone, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from toy.cameras import camera, noisy, seen
from toy.skies import observed, skies

from lensml.data.blind_camera import Fit, Given, Sample, fit_camera
from lensml.data.harmonise import Camera, Gaussian, camera_of

N = 600  # images
SOURCE = camera(0.1, 0.2, num_pix=40)
WINGED = Camera(0.09, (Gaussian(0.75, 0.2), Gaussian(0.25, 0.5)), 25.5, 44)
CAMERAS = {
    "the_same": SOURCE,
    "smaller_pixels": camera(0.08, 0.15, zero_point=26.0, num_pix=50),
    "larger_pixels": camera(0.12, 0.25, zero_point=24.5, num_pix=36),
    "sharper": camera(0.1, 0.12, zero_point=25.3, num_pix=40),
    "wings": WINGED,
}


@pytest.fixture(scope="module")
def source() -> Sample:
    return observed(skies(N, 1), SOURCE, 2)


def fitted(source: Sample, target: Camera, given: Given | None = None, **population: Any) -> Fit:
    return fit_camera(SOURCE, source, observed(skies(N, 3, **population), target, 4), given=given)


@pytest.mark.parametrize("name", CAMERAS)
def test_a_camera_is_found_within_its_error(source, name):
    true, found = CAMERAS[name], fitted(source, CAMERAS[name])
    assert found.refusal is None
    assert found.accepted() == found.camera
    off = {
        "pixel": np.log(found.camera.pixel_scale / true.pixel_scale),
        "psf": np.log(found.camera.psf[0].fwhm / true.psf[0].fwhm),
        "zero_point": found.camera.zero_point - true.zero_point,
    }
    limits = {"pixel": 0.005, "psf": 0.05, "zero_point": 0.03}
    for key, limit in limits.items():
        assert abs(off[key]) < max(3.5 * found.errors[key], 1e-3), key
        assert abs(off[key]) < 1.5 * limit, key  # of 600 images
        assert found.errors[key] < limit, key
    assert found.camera.num_pix == true.num_pix


def test_wings_are_found_where_there_are_some(source):
    found = fitted(source, WINGED).camera.psf
    assert len(found) == 2
    assert found[1].share == pytest.approx(0.25, abs=0.08)
    assert found[1].fwhm == pytest.approx(0.5, rel=0.15)
    assert len(fitted(source, CAMERAS["smaller_pixels"]).camera.psf) == 1


def test_pixels_that_are_the_sources_within_their_error_are_the_sources(source):
    found = fitted(source, CAMERAS["sharper"])
    assert found.camera.pixel_scale == SOURCE.pixel_scale
    assert 0 < found.errors["pixel"] < 0.01


SHIFTS = {"radii": {"radius": 0.88}, "numbers": {"spots": 9}}


@pytest.mark.parametrize("name", SHIFTS)
def test_populations_that_differ_are_refused_with_a_reason(source, name):
    found = fitted(source, CAMERAS["smaller_pixels"], **SHIFTS[name])
    assert found.refusal is not None
    assert found.refusal.startswith("the populations differ by what no camera can make")
    assert "standard deviations at" in found.refusal
    with pytest.raises(ValueError, match="the populations differ"):
        found.accepted()


def test_sizes_that_no_sensible_psf_makes_are_refused(source):
    found = fitted(source, CAMERAS["smaller_pixels"], size=0.19)
    assert found.refusal is not None


def test_fainter_sources_are_refused_where_the_zero_point_is_known(source):
    """Without it nobody can tell them from another zero point, whose error is then theirs."""
    target = CAMERAS["smaller_pixels"]
    fainter = 40.0 * 10 ** (-0.4 * 0.7)
    unknown = fitted(source, target, flux=fainter)
    assert unknown.refusal is None
    assert unknown.camera.zero_point - target.zero_point == pytest.approx(-0.7, abs=0.03)
    known = Given(zero_point=target.zero_point)
    refused = fitted(source, target, known, flux=fainter)
    assert refused.refusal is not None
    assert "sizes, shapes, brightness" in refused.refusal
    assert fitted(source, target, known).refusal is None


def test_what_is_given_is_kept(source):
    target = CAMERAS["smaller_pixels"]
    given = Given(pixel_scale=target.pixel_scale, psf_fwhm=target.psf[0].fwhm)
    found = fitted(source, target, given)
    assert found.camera.pixel_scale == pytest.approx(target.pixel_scale, rel=1e-12)
    assert found.camera.psf[0].fwhm == pytest.approx(target.psf[0].fwhm, rel=1e-12)
    assert found.errors["pixel"] == found.errors["psf"] == 0
    assert found.camera.zero_point == pytest.approx(target.zero_point, abs=0.03)


def test_a_camera_that_is_known_can_be_checked(source):
    target = CAMERAS["smaller_pixels"]
    right = fitted(source, target, Given(0.08, 0.15, 26.0))
    wrong = fitted(source, target, Given(0.084, 0.15, 26.0))
    assert right.refusal is None
    assert right.dof == pytest.approx(wrong.dof, rel=0.1)
    assert wrong.refusal is not None


def test_chi2_is_that_of_its_degrees_of_freedom():
    """Neither a tolerance of the model nor correlated frequencies make it too good to refuse."""
    target, found = CAMERAS["smaller_pixels"], []
    given = Given(target.pixel_scale, target.psf[0].fwhm, target.zero_point)
    for seed in range(12):
        samples = [
            observed(skies(N, 10 * seed + k), camera, 10 * seed + 5 + k)
            for k, camera in enumerate((SOURCE, target), start=101)
        ]
        found.append(fit_camera(SOURCE, *samples, given=given))
    ratio = np.array([fit.chi2 / fit.dof for fit in found])
    expected = np.sqrt(2 / found[0].dof / len(found))
    assert abs(ratio.mean() - 1) < 4 * expected
    assert min(fit.p_value for fit in found) > 1e-3


def test_images_of_one_lens_count_less(source):
    target = observed(skies(N, 3), CAMERAS["sharper"], 4)
    once, thrice = (fit_camera(SOURCE, source, target, repeats=k) for k in (1, 3))
    assert thrice.errors["zero_point"] == pytest.approx(
        np.sqrt(3) * once.errors["zero_point"], rel=0.1
    )
    assert thrice.chi2 < once.chi2


def test_too_few_images_are_refused(source):
    few = Sample(source.images[:50], source.background_rms[:50], source.exposure_time[:50])
    with pytest.raises(ValueError, match="target: 50 images, a camera needs 300 to be fitted"):
        fit_camera(SOURCE, source, few)


def test_a_fit_survives_its_file(source, tmp_path):
    found = fitted(source, WINGED)
    found.write(tmp_path / "fit.json")
    assert Fit.read(tmp_path / "fit.json") == found


@pytest.mark.slow
def test_the_camera_of_rendered_lenses_is_found(domain):
    """A camera that nothing was tuned on: 500 lenses, other ones on either side."""
    n = 500
    instrument: dict[str, Any] = {
        "pixel_scale": 0.09,
        "psf_fwhm": 0.2,
        "magnitude_zero_point": 25.0,
        "exposure_time": 400.0,
    }
    samples, cameras = [], []
    for start, changes in ((0, {}), (n, instrument)):
        seen_by, systems, clean = seen(domain, "model_ii", n, start=start, **changes)
        columns = (systems.truth[k] for k in ("background_rms", "exposure_time"))
        samples.append(Sample(noisy(seen_by, systems, clean, start=start), *columns))
        cameras.append(camera_of(seen_by))
    source, target = cameras
    found = fit_camera(source, *samples).accepted()
    assert found.pixel_scale == pytest.approx(target.pixel_scale, rel=0.005)
    assert found.psf[0].fwhm == pytest.approx(target.psf[0].fwhm, rel=0.05)
    assert found.zero_point == pytest.approx(target.zero_point, abs=0.03)
