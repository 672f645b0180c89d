"""The potential filter finds a clump that is there, and little where none is."""

import numpy as np
import pytest
from toy.modelled import MASS, RINGS, SOURCE, lens_field, task_of

from lensml.modelling.mocks import correlated_noise
from lensml.modelling.pixel_source import PixelSource
from lensml.modelling.potential import Filter

CLUMP = (-0.75, 0.65, 0.03)


def filtered(clump=None):
    task = task_of(lens_field(clump=clump))
    options = {"m": 36, "multipoles": False, "expected": task.light.image, "box": 0.5}
    return Filter(PixelSource(task, MASS, SOURCE, **options).fit(8), RINGS.outer)


@pytest.fixture(scope="module")
def perturbed():
    return filtered(CLUMP)


def test_a_clump_is_found_where_it_is(perturbed):
    found = perturbed.clumps().extreme(1)
    assert found["significance"] > 6
    assert np.hypot(found["x"] - CLUMP[0], found["y"] - CLUMP[1]) < 0.2
    convergence, deviation, axis = perturbed.convergence(perturbed.evidence().amplitude)
    peak = np.unravel_index(convergence.argmax(), convergence.shape)
    assert np.hypot(axis[peak[1]] - CLUMP[0], axis[peak[0]] - CLUMP[1]) < 0.25
    assert convergence[peak] > 3 * deviation[peak]


def test_a_smooth_lens_has_little_evidence_of_a_potential(perturbed):
    smooth = filtered().evidence().log_evidence
    assert smooth < 5 < 10 < perturbed.evidence().log_evidence


def test_a_lens_knows_no_potential_that_it_can_take_itself(perturbed):
    """What source, light and lens can take is projected out of the modes."""
    known, _ = perturbed._known
    free = known[:, -8:]
    clean = perturbed._without_known(free)
    assert np.linalg.norm(clean[:, 0]) < 1e-2 * np.linalg.norm(free[:, 0])


def test_noise_of_mocks_has_the_correlation_of_blank_sky():
    correlation = np.zeros((7, 7))
    correlation[3, 3], correlation[3, 2], correlation[3, 4] = 1, 0.4, 0.4
    noise = correlated_noise(correlation, 400, np.random.default_rng(1))
    assert noise.std() == pytest.approx(1, abs=0.02)
    assert (noise[:, 1:] * noise[:, :-1]).mean() == pytest.approx(0.3, abs=0.05)  # tapered
    assert abs((noise[1:] * noise[:-1]).mean()) < 0.02


def test_a_correlation_that_no_noise_has_still_gives_the_variance_of_blank_sky():
    correlation = np.zeros((7, 7))
    correlation[2:5, 2:5] = 0.9  # of all neighbours alone: its power is below 0 somewhere
    correlation[3, 3] = 1
    noise = correlated_noise(correlation, 400, np.random.default_rng(2))
    assert noise.std() == pytest.approx(1, abs=0.05)
