"""Mass profiles: lenstronomy's, and the line mass against its own derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.LensModel.Profiles.point_mass import PointMass
from toy.systems import positions

from lensml.physics import profiles
from lensml.physics.ellipticity import polar_to_cartesian

# ------------------------------------------------------------------------- profiles of lenstronomy


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("modulus", [0.0, 1e-6, 0.05, 0.3, 0.5])
def test_isothermal_ellipsoid_agrees_with_lenstronomy(modulus, seed):
    rng = np.random.default_rng(seed)
    x, y = positions(rng)
    e1, e2 = polar_to_cartesian(modulus, rng.uniform(0, np.pi))
    center_x, center_y = rng.normal(0, 0.1, 2)
    lens = {
        "theta_E": rng.uniform(0.3, 2.0),
        "e1": e1,
        "e2": e2,
        "center_x": center_x,
        "center_y": center_y,
    }
    expected = LensModel(["SIE"]).alpha(x, y, [lens])
    # The same closed form up to the softening of 1e-10 arcsec, which lenstronomy scales with q:
    # 1e-10 / r of theta_E, with r > 0.01 arcsec here; and to 1e-8, where it caps a round q.
    np.testing.assert_allclose(profiles.sie_deflection(x, y, **lens), expected, atol=2e-8, rtol=0)


def test_round_isothermal_ellipsoid_is_the_isothermal_sphere():
    x, y = positions(np.random.default_rng(1))
    x[0] = 1e-3  # the sphere's deflection jumps at its centre
    alpha = profiles.sie_deflection(x, y, theta_E=1.2, e1=0, e2=0, center_x=0, center_y=0)
    np.testing.assert_allclose(np.hypot(*alpha), 1.2, rtol=1e-6)  # softened by 1e-10 arcsec


def test_shear_agrees_with_lenstronomy():
    rng = np.random.default_rng(2)
    x, y = positions(rng)
    for gamma1, gamma2 in rng.normal(0, 0.1, (5, 2)):
        shear = {"gamma1": gamma1, "gamma2": gamma2}
        expected = LensModel(["SHEAR"]).alpha(x, y, [{**shear, "ra_0": 0, "dec_0": 0}])
        found = profiles.shear_deflection(x, y, **shear)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


def test_point_mass_agrees_with_lenstronomy_also_on_the_mass_itself():
    rng = np.random.default_rng(3)
    x, y = positions(rng)
    for i in range(5):
        point = {"theta_E": 10 ** rng.uniform(-3, 0), "center_x": x[i], "center_y": y[i]}
        expected = PointMass().derivatives(x, y, **point)
        found = profiles.point_mass_deflection(x, y, **point)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
        assert found[0][i] == found[1][i] == 0.0


# --------------------------------------------------------------------------------------- line mass


def random_line(rng: np.random.Generator) -> dict[str, float]:
    return {
        "theta_E": rng.uniform(0.1, 0.5),
        "length": rng.uniform(0.1, 3.0),
        "core": rng.uniform(0.05, 0.3),
        "angle": rng.uniform(0, 2 * np.pi),
        "center_x": rng.normal(0, 0.5),
        "center_y": rng.normal(0, 0.5),
    }


# Central differences with step h err by h^2/6 of the third derivative and by 1e-16/h of rounding;
# a core of 0.05 arcsec keeps both below 1e-6 at h = 1e-5.
STEP, STEP_ERROR = 1e-5, 1e-6


@pytest.mark.parametrize("seed", range(10))
def test_deflection_of_a_line_is_the_gradient_of_its_potential(seed):
    rng = np.random.default_rng(seed)
    (x, y), line = positions(rng), random_line(rng)
    alpha_x, alpha_y = profiles.line_mass_deflection(x, y, **line)

    def potential(dx, dy):
        return profiles.line_mass_potential(x + dx, y + dy, **line)

    gradient_x = (potential(STEP, 0) - potential(-STEP, 0)) / (2 * STEP)
    gradient_y = (potential(0, STEP) - potential(0, -STEP)) / (2 * STEP)
    np.testing.assert_allclose(gradient_x, alpha_x, rtol=0, atol=STEP_ERROR)
    np.testing.assert_allclose(gradient_y, alpha_y, rtol=0, atol=STEP_ERROR)


@pytest.mark.parametrize("seed", range(10))
def test_hessian_of_a_line_is_the_derivative_of_its_deflection(seed):
    rng = np.random.default_rng(seed)
    (x, y), line = positions(rng), random_line(rng)
    h_xx, h_xy, h_yy = profiles.line_mass_hessian(x, y, **line)

    def deflection(dx, dy):
        return np.array(profiles.line_mass_deflection(x + dx, y + dy, **line))

    along_x = (deflection(STEP, 0) - deflection(-STEP, 0)) / (2 * STEP)
    along_y = (deflection(0, STEP) - deflection(0, -STEP)) / (2 * STEP)
    np.testing.assert_allclose(along_x, [h_xx, h_xy], rtol=0, atol=STEP_ERROR)
    np.testing.assert_allclose(along_y, [h_xy, h_yy], rtol=0, atol=STEP_ERROR)


@pytest.mark.parametrize("seed", range(5))
def test_a_line_is_a_continuum_of_softened_points(seed):
    rng = np.random.default_rng(seed)
    (x, y), line = positions(rng, 100), random_line(rng)
    n = 4000
    along = (np.arange(n) + 0.5) / n * line["length"] - line["length"] / 2
    dx = x[:, None] - line["center_x"] - along * np.cos(line["angle"])
    dy = y[:, None] - line["center_y"] - along * np.sin(line["angle"])
    weight = line["theta_E"] ** 2 / n / (dx**2 + dy**2 + line["core"] ** 2)
    expected = (weight * dx).sum(axis=1), (weight * dy).sum(axis=1)
    # The midpoint rule errs by h^2/24 times the jump of the derivative between the ends:
    # (3/4000)^2 / 24 * theta_E^2 / length * 2 / core^2 < 2e-6 for the values above.
    found = profiles.line_mass_deflection(x, y, **line)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("seed", range(5))
def test_a_line_far_away_is_a_point(seed):
    rng = np.random.default_rng(seed)
    line = random_line(rng)
    phi = rng.uniform(0, 2 * np.pi, 50)
    radius = 1000 * (line["length"] + line["core"])
    x, y = line["center_x"] + radius * np.cos(phi), line["center_y"] + radius * np.sin(phi)
    point = {name: line[name] for name in ("theta_E", "center_x", "center_y")}
    expected = np.array(profiles.point_mass_deflection(x, y, **point))
    found = np.array(profiles.line_mass_deflection(x, y, **line))
    # The next term of the expansion is (length / radius)^2 / 12 + (core / radius)^2 < 2e-6.
    error = np.hypot(*(found - expected)) / np.hypot(*expected)
    assert error.max() < 2e-6


@pytest.mark.parametrize("seed", range(3))
def test_convergence_of_a_line_is_positive_and_holds_its_mass(seed):
    line = random_line(np.random.default_rng(seed))
    # Mass inside a circle of radius R about the line, by integration on polar rings.
    edge = 30.0
    radius = edge * ((np.arange(1500) + 0.5) / 1500) ** 3  # fine in the middle
    width = np.diff(edge * (np.arange(1501) / 1500) ** 3)
    phi = np.linspace(0, 2 * np.pi, 512, endpoint=False)
    r, p = np.meshgrid(radius, phi, indexing="ij")
    x, y = line["center_x"] + r * np.cos(p), line["center_y"] + r * np.sin(p)
    h_xx, _, h_yy = profiles.line_mass_hessian(x, y, **line)
    kappa = (h_xx + h_yy) / 2
    # Positive everywhere; far out it is a difference of terms 1e4 times as large.
    assert kappa.min() > -1e-12
    mass = (kappa.mean(axis=1) * 2 * np.pi * radius * width).sum()
    # Outside 30 arcsec lies core^2 / 900 < 1e-4 of the mass; the rings err by less.
    assert mass == pytest.approx(np.pi * line["theta_E"] ** 2, rel=3e-4)


@given(
    radius=st.floats(0.1, 2),
    length=st.floats(0.01, 8),
    angle=st.floats(0, 2 * np.pi),
    center_x=st.floats(-2, 2),
    center_y=st.floats(-2, 2),
)
def test_enclosed_mass_of_a_line_is_the_share_of_its_points_inside(
    radius, length, angle, center_x, center_y
):
    n = 20_000
    along = ((np.arange(n) + 0.5) / n - 0.5) * length
    inside = np.hypot(center_x + along * np.cos(angle), center_y + along * np.sin(angle)) < radius
    found = profiles.enclosed_line_mass(
        radius, theta_E=0.3, length=length, angle=angle, center_x=center_x, center_y=center_y
    )
    # Each of the two ends of the chord misplaces at most one point. A chord that only touches the
    # circle is resolved to a few points: its half-length is sqrt(2 radius times rounding).
    assert found / 0.3**2 == pytest.approx(inside.mean(), abs=3 / n + 1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_enclosed_mass_of_a_line_is_its_mean_radial_deflection(seed):
    # Gauss's theorem: radial deflection averaged over a circle of radius R is theta_E^2(<R) / R.
    rng = np.random.default_rng(seed)
    line = random_line(rng) | {"core": 1e-4}
    radius = rng.uniform(0.3, 1.5)
    phi = 2 * np.pi * (np.arange(40_000) + 0.5) / 40_000
    alpha_x, alpha_y = profiles.line_mass_deflection(
        radius * np.cos(phi), radius * np.sin(phi), **line
    )
    mean = (alpha_x * np.cos(phi) + alpha_y * np.sin(phi)).mean()
    thin = {name: value for name, value in line.items() if name != "core"}
    # A core of 1e-4 moves about (1e-4 / length) of the mass across the circle.
    expected = profiles.enclosed_line_mass(radius, **thin)
    assert mean * radius == pytest.approx(expected, abs=2e-3 * line["theta_E"] ** 2)
