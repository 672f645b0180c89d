"""Sampled masses follow the mass function."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lensml.physics.mass_function import masses_from_uniform, mean_mass

M_MIN, M_MAX = 1e6, 1e10  # Msun


def cumulative(mass: np.ndarray, slope: float) -> np.ndarray:
    """Share of haloes below ``mass``, integrated by hand from dN/dm = m^slope."""
    if slope == -1:
        return np.log(mass / M_MIN) / np.log(M_MAX / M_MIN)
    power = slope + 1
    return (mass**power - M_MIN**power) / (M_MAX**power - M_MIN**power)


@pytest.mark.parametrize("slope", [-0.9, -1.0, -1.9, -2.3, 0.0])
def test_sampled_masses_follow_the_mass_function(slope):
    u = np.random.default_rng(6).random(20_000)
    masses = masses_from_uniform(u, shmf_slope=slope, m_min=M_MIN, m_max=M_MAX)
    # A right sampler fails one seed in a thousand, and the seed is fixed; a slope wrong by 0.01
    # moves the distribution of 20,000 masses by several times the critical distance.
    assert stats.kstest(masses, lambda m: cumulative(m, slope)).pvalue > 1e-3


def test_the_test_of_the_mass_function_notices_a_slope_wrong_by_a_tenth():
    u = np.random.default_rng(6).random(20_000)
    masses = masses_from_uniform(u, shmf_slope=-1.8, m_min=M_MIN, m_max=M_MAX)
    assert stats.kstest(masses, lambda m: cumulative(m, -1.9)).pvalue < 1e-12


@pytest.mark.parametrize(("slope", "expected"), [(-0.9, 1.510e9), (-1.9, 1.361e7)])
def test_mean_mass_has_its_reference_value(slope, expected):
    # The published slope -0.9 gives 1.5e9 Msun where -1.9 would give 1.4e7.
    found = mean_mass(shmf_slope=slope, m_min=M_MIN, m_max=M_MAX)
    assert found == pytest.approx(expected, rel=5e-4)


@pytest.mark.parametrize("slope", [-0.9, -1.0, -1.5, -2.0, -2.5])
def test_mean_mass_is_the_mean_of_the_sampled_masses(slope):
    # Midpoints of 1e6 equal slices of probability: an integral, not a random sample.
    u = (np.arange(1_000_000) + 0.5) / 1_000_000
    masses = masses_from_uniform(u, shmf_slope=slope, m_min=M_MIN, m_max=M_MAX)
    expected = mean_mass(shmf_slope=slope, m_min=M_MIN, m_max=M_MAX)
    # For slope -2.5 the last slice alone holds the masses above 1e10 u^(-2/3): about 1 %.
    assert masses.mean() == pytest.approx(expected, rel=1e-2)


BOUNDS = st.tuples(st.floats(1e4, 1e12), st.floats(1.001, 1e6)).map(lambda p: (p[0], p[0] * p[1]))


@given(
    u=st.lists(st.floats(0, 1), min_size=2, max_size=20),
    slope=st.one_of(st.floats(-3, 1), st.just(-1.0)),
    bounds=BOUNDS,
)
def test_masses_stay_inside_the_bounds_and_rise_with_u(u, slope, bounds):
    m_min, m_max = bounds
    u = np.sort(np.array([0.0, *u, 1.0]))
    masses = masses_from_uniform(u, shmf_slope=slope, m_min=m_min, m_max=m_max)
    assert np.all((masses >= m_min) & (masses <= m_max))
    # Near slope -1 the power 1 / (slope + 1) amplifies rounding of 1e-16.
    rounding = 4e-15 / max(abs(slope + 1), 1e-12) if slope != -1 else 4e-15
    assert np.all(np.diff(masses) >= -rounding * masses[1:])
    if abs(slope + 1) > 1e-3:
        np.testing.assert_allclose(masses[[0, -1]], [m_min, m_max], rtol=1e-9)


@given(slope=st.floats(-3, 1), bounds=BOUNDS)
def test_mean_mass_lies_inside_the_bounds(slope, bounds):
    m_min, m_max = bounds
    found = mean_mass(shmf_slope=slope, m_min=m_min, m_max=m_max)
    assert m_min * (1 - 1e-6) <= found <= m_max * (1 + 1e-6)
