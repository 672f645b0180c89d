"""Images of one sky by two cameras are the same image in the common camera."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from toy.cameras import COARSE, SHARP, WIDE, WINGED, camera, seen

from lensml.data.harmonise import (
    Camera,
    NoiseFacts,
    Operator,
    camera_of,
    common_camera,
    noise_facts,
    operator_of,
)
from lensml.data.harmonise.camera import CommonCamera
from lensml.simulate.systems import Systems

N = 6  # lenses
PAIRS = [
    pytest.param("model_ii", {}, SHARP, id="smaller_pixels"),
    pytest.param("model_ii", SHARP, {}, id="larger_pixels"),
    pytest.param("model_ii", {}, COARSE, id="larger_pixels_narrower_psf"),
    pytest.param("euclid", {}, WIDE, id="wider_psf"),
    pytest.param("euclid", {}, WINGED, id="wings"),
    pytest.param("euclid", WINGED, SHARP, id="wings_and_other_pixels"),
]


def noise_of(operators: list[Operator], lenses: list[Systems]) -> NoiseFacts:
    columns = ("background_rms", "exposure_time")
    facts = [
        noise_facts(operator, *(systems.truth[c] for c in columns))
        for operator, systems in zip(operators, lenses, strict=True)
    ]
    return NoiseFacts.larger(*facts)


@pytest.mark.parametrize(("population", "source", "target"), PAIRS)
def test_the_same_lenses_through_two_cameras_agree(
    domain, population: str, source: dict[str, Any], target: dict[str, Any]
):
    domains, lenses, clean = zip(
        *(seen(domain, population, N, **instrument) for instrument in (source, target)),
        strict=True,
    )
    cameras = [camera_of(d) for d in domains]
    common = common_camera(*cameras)
    operators = [operator_of(c, common) for c in cameras]
    a, b = (operator.image(x) for operator, x in zip(operators, clean, strict=True))
    noise = noise_of(operators, list(lenses))
    scale = np.sqrt(noise.background + noise.photon * np.maximum(a, 0))
    mask = operators[0].mask
    # Measured: 0.001 to 0.03 of the noise. What the sharper camera does not resolve is missing.
    assert np.sqrt(np.square((a - b) / scale)[:, mask].mean()) < 0.04
    assert np.abs(a - b).max() < 0.03 * a.max()
    assert b.sum() == pytest.approx(a.sum(), rel=2e-3)
    assert a.sum() > 0.9 * clean[0].sum()
    assert not a[:, ~mask].any()


def test_a_camera_that_is_a_little_wrong_is_seen(domain):
    """What makes the tests above say something."""
    (known, lenses, a), (other, _, b) = (
        seen(domain, "model_ii", N, **instrument) for instrument in ({}, SHARP)
    )
    right = camera_of(other)
    scale = lenses.truth["background_rms"][:, None, None]

    def error(claimed: Camera) -> float:
        common = common_camera(camera_of(known), claimed)
        first, second = (operator_of(c, common) for c in (camera_of(known), claimed))
        difference = (first.image(a) - second.image(b)) / scale
        return float(np.sqrt(np.square(difference)[:, first.mask].mean()))

    wrong_pixels = Camera(right.pixel_scale * 1.01, right.psf, right.zero_point, right.num_pix)
    wrong_flux = Camera(right.pixel_scale, right.psf, right.zero_point + 0.02, right.num_pix)
    assert error(wrong_pixels) > 5 * error(right)
    assert error(wrong_flux) > 3 * error(right)


def test_images_of_the_common_camera_are_left_exactly_as_they_are():
    known = camera()
    operator = operator_of(known, common_camera(known, camera(0.101, 0.1)))
    x = np.random.default_rng(0).normal(size=(3, 64, 64))
    assert operator.is_identity
    np.testing.assert_array_equal(operator.image(x), x)
    np.testing.assert_array_equal(operator.variance(x**2), x**2)


@pytest.mark.parametrize(
    "other",
    [camera(0.101, 0.2), camera(0.101, 0.16, zero_point=24.9), camera(0.09, 0.1)],
    ids=["psf", "zero_point", "field"],
)
def test_images_that_change_are_said_to(other):
    known = camera()
    assert not operator_of(known, common_camera(other, known)).is_identity


@pytest.mark.parametrize("size", [0.05, 0.08, 0.09, 0.11])
def test_light_is_kept_where_both_cameras_saw_it(size):
    known = camera(size, 0.1)
    operator = operator_of(known, common_camera(camera(), known))
    spot = np.zeros((1, 64, 64))
    spot[0, 30:34, 29:36] = np.random.default_rng(1).uniform(0, 1, (4, 7))
    assert operator.image(spot).sum() == pytest.approx(spot.sum(), rel=1e-3)


def test_the_zero_point_is_the_common_one():
    bright, faint = camera(zero_point=26.0), camera(zero_point=25.0)
    operator = operator_of(faint, common_camera(bright, faint))
    x = np.ones((1, 64, 64))
    # A source of 1 e-/s has magnitude 25 here; of 26, 10^0.4 e-/s.
    np.testing.assert_allclose(operator.image(x), 10**0.4 * x, rtol=1e-12)


def test_a_point_becomes_the_goal_psf_over_its_pixels():
    known, goal = camera(0.101, 0.16), camera(0.101, 0.3)
    operator = operator_of(known, CommonCamera(goal, goal.field))
    x = (np.arange(64) - 31.5) * 0.101
    # Pixels hold a Gaussian of the camera's width that is averaged over each of them.
    fine = np.linspace(-0.5, 0.5, 41) * 0.101

    def seen_as(width: float) -> np.ndarray:
        sigma = width / 2.3548200450309493
        line = np.exp(-0.5 * ((x[:, None] + fine - 0.02) / sigma) ** 2).mean(1)
        line /= line.sum()
        return line[:, None] * line

    found = operator.image(seen_as(0.16)[None])[0]
    # A point lies between the pixels: 0.2 per cent of the peak is not found again.
    np.testing.assert_allclose(found, seen_as(0.3), atol=3e-3 * seen_as(0.3).max())


def test_variance_is_that_of_mapped_noise():
    known = camera(0.08, 0.1, num_pix=20)
    common = common_camera(camera(num_pix=16), known)
    operator = operator_of(known, common)
    rng = np.random.default_rng(2)
    variance = rng.uniform(0.5, 2, (20, 20))
    noise = np.sqrt(variance) * rng.normal(size=(20_000, 20, 20))
    measured = operator.image(noise).var(0)
    expected = operator.variance(variance[None])[0]
    inside = operator.mask
    # The variance of 20,000 draws is known to 1 per cent; the largest of 250 pixels is at 3.5.
    np.testing.assert_allclose(measured[inside], expected[inside], rtol=0.045)


def test_grids_that_lie_half_a_pixel_apart_are_refused():
    odd, even = camera(num_pix=63), camera(num_pix=64)
    with pytest.raises(ValueError, match="both numbers must be even, or both odd"):
        operator_of(odd, common_camera(even, odd))


def test_a_mapped_image_does_not_depend_on_those_beside_it():
    known = camera(0.08, 0.1)
    operator = operator_of(known, common_camera(camera(), known))
    x = np.random.default_rng(3).normal(size=(7, 64, 64))
    whole = operator.image(x)
    for i in range(7):
        np.testing.assert_array_equal(operator.image(x[i : i + 1])[0], whole[i])
