"""Rays and splines against the readable formulas."""

import numpy as np
import pytest
from toy.modelled import MASS, empty_field

from lensml.modelling.field import Blur
from lensml.modelling.kernel import blurred_nodes, source_at
from lensml.modelling.mass import Rays, traced
from lensml.physics.profiles import epl_deflection, multipole_deflection, shear_deflection

GRID, M = np.array([-0.5, -0.4, 0.08]), 14


def positions(n=400, seed=3):
    return np.random.default_rng(seed).uniform(-1.5, 1.5, (2, n))


def test_rays_follow_the_formulas_of_the_profiles():
    x, y = positions()
    mass = MASS.copy()
    mass[8:] = 0.01, -0.02, 0.015, 0.005
    shape = dict(zip(("theta_E", "gamma", "e1", "e2", "center_x", "center_y"), mass, strict=False))
    ax, ay = epl_deflection(x, y, **shape)
    sx, sy = shear_deflection(x, y, gamma1=mass[6], gamma2=mass[7])
    ax, ay = ax + sx, ay + sy
    for m, (a, b) in ((3, mass[8:10]), (4, mass[10:12])):
        strength = {"a_m": mass[0] * np.hypot(a, b), "phi_m": np.arctan2(b, a) / m}
        mx, my = multipole_deflection(x, y, m=m, **strength, center_x=mass[4], center_y=mass[5])
        ax, ay = ax + mx, ay + my
    bx, by = traced(mass, x, y)
    np.testing.assert_allclose(bx, x - ax, atol=1e-9)
    np.testing.assert_allclose(by, y - ay, atol=1e-9)


def test_slopes_of_a_source_are_its_derivatives():
    nodes = np.random.default_rng(1).standard_normal(M * M)
    x, y = np.random.default_rng(2).uniform(-0.2, 0.3, (2, 200))
    h = 1e-4

    def found(dx, dy):
        filled = np.empty((3, 200))
        source_at(x + dx, y + dy, GRID, M, nodes, *filled)
        return filled

    _, slope_x, slope_y = found(0, 0)
    along_x = (found(h, 0)[0] - found(-h, 0)[0]) / (2 * h)
    along_y = (found(0, h)[0] - found(0, -h)[0]) / (2 * h)
    np.testing.assert_allclose(along_x, slope_x, atol=2e-3)
    np.testing.assert_allclose(along_y, slope_y, atol=2e-3)


def test_beyond_its_nodes_a_source_is_dark():
    filled = [np.full(1, np.nan) for _ in range(3)]
    source_at(np.array([5.0]), np.array([0.0]), GRID, M, np.ones(M * M), *filled)
    assert [f[0] for f in filled] == [0, 0, 0]


@pytest.mark.parametrize("per_axis", [1, 2])
def test_nodes_through_lens_and_psf_are_the_image_of_the_source(per_axis):
    field = empty_field(31)
    rays = Rays.of(field, 10.0, per_axis)
    bx, by = rays.traced(MASS)
    nodes = np.random.default_rng(4).standard_normal(M * M)
    value, sx, sy = np.empty((3, bx.size))
    source_at(bx, by, GRID, M, nodes, value, sx, sy)
    expected = Blur(field.psf, field.n)(rays.image(value))
    used = np.flatnonzero(field.radius.ravel() < 1)
    rows = np.full(field.n**2, -1)
    rows[used] = np.arange(len(used))
    weight = np.linspace(1, 2, len(used))
    out = np.zeros((len(used), M * M), np.float32)
    shape = (GRID, M, per_axis**2, rays.pixels, rows, field.n, field.psf, weight)
    blurred_nodes(bx, by, *shape, out)
    np.testing.assert_allclose(out @ nodes, expected.ravel()[used] * weight, atol=1e-5)
