"""Ellipticity and shear follow lenstronomy's conventions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lenstronomy.Util import param_util

from lensml.physics.ellipticity import modulus_of_q, phi_q, polar_to_cartesian


@given(
    modulus=st.floats(1e-6, 0.9),
    phi=st.floats(-1.5, 1.5),  # inside (-pi/2, pi/2], where the angle of a spin-2 is unique
)
def test_ellipticity_survives_the_round_trip(modulus, phi):
    found_phi, q = phi_q(*polar_to_cartesian(modulus, phi))
    assert modulus_of_q(q) == pytest.approx(modulus, rel=1e-9)
    assert found_phi == pytest.approx(phi, abs=1e-9)


@given(e1=st.floats(-0.6, 0.6), e2=st.floats(-0.6, 0.6))
def test_ellipticity_follows_the_convention_of_lenstronomy(e1, e2):
    assert phi_q(e1, e2) == pytest.approx(param_util.ellipticity2phi_q(e1, e2), rel=1e-12)


@given(gamma=st.floats(0, 0.5), phi=st.floats(0, np.pi))
def test_shear_follows_the_convention_of_lenstronomy(gamma, phi):
    expected = param_util.shear_polar2cartesian(phi, gamma)
    assert polar_to_cartesian(gamma, phi) == pytest.approx(expected, abs=1e-15)
