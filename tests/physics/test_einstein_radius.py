"""The effective Einstein radius of lens and substructure together."""

from __future__ import annotations

import numpy as np
import pytest

from lensml.physics.einstein_radius import (
    disc_share,
    effective_einstein_radius,
    ring_share,
    softened_share,
)
from lensml.physics.halos import tnfw_deflection
from lensml.physics.profiles import (
    disc_sheet_deflection,
    epl_deflection,
    line_mass_deflection,
    point_mass_deflection,
)


def truth_of(n: int, rng: np.random.Generator, **columns: float) -> dict[str, np.ndarray]:
    theta_E = rng.uniform(0.9, 1.5, n)
    truth = {
        "theta_E": theta_E,
        "theta_E_total": theta_E,
        "gamma": rng.normal(2.05, 0.1, n),
        "center_x": rng.normal(0, 0.05, n),
        "center_y": rng.normal(0, 0.05, n),
        "kappa_sheet": np.full(n, -0.02),
        "r_sheet": np.full(n, 2.5),
    }
    return truth | {name: np.full(n, value) for name, value in columns.items()}


HALO = {"Rs": (0.02, 0.2), "alpha_Rs": (0.001, 0.004), "r_trunc": (0.1, 0.6)}
LINE = {"theta_E": (0.1, 0.4), "length": (0.3, 4.0), "core": (0.1, 0.2), "angle": (0.0, 3.0)}
POINT = {"theta_E": (0.02, 0.2)}


@pytest.mark.parametrize(
    ("profile", "priors", "deflection", "tolerance"),
    [
        ("TNFW", HALO, tnfw_deflection, 2e-4),
        ("LINE_MASS", LINE, line_mass_deflection, 1e-4),
        ("POINT_MASS", POINT, point_mass_deflection, 1e-4),
    ],
)
def test_mean_deflection_equals_the_effective_radius_there(profile, priors, deflection, tolerance):
    """Gauss's theorem: mean convergence 1 inside R is a mean radial deflection of R on it."""
    rng = np.random.default_rng(3)
    n, each = 6, 8
    truth = truth_of(n, rng)
    e1, e2 = rng.uniform(-0.15, 0.15, (2, n))
    radius, angle = rng.uniform(0, 2.0, n * each), rng.uniform(0, 2 * np.pi, n * each)
    if profile == "POINT_MASS":  # away from the circle, on which the mean of a point is unsettled
        radius = np.where(radius < 1, radius * 0.7, radius + 0.6)
    p = {k: rng.uniform(low, high, n * each) for k, (low, high) in priors.items()}
    p |= {"center_x": radius * np.cos(angle), "center_y": radius * np.sin(angle)}
    q = (1 - np.hypot(e1, e2)) / (1 + np.hypot(e1, e2))
    perturbers = {**p, "mass": np.ones(n * each)}
    offset = np.arange(n + 1) * each
    found = effective_einstein_radius(
        truth, q=q, profile=profile, perturbers=perturbers, offset=offset
    )
    phi = (np.arange(4096) + 0.5) * 2 * np.pi / 4096
    for i in range(n):
        t = {name: float(column[i]) for name, column in truth.items()}
        x = t["center_x"] + found[i] * np.cos(phi)
        y = t["center_y"] + found[i] * np.sin(phi)
        lens = {k: t[k] for k in ("theta_E", "gamma", "center_x", "center_y")}
        parts = [epl_deflection(x, y, **lens, e1=float(e1[i]), e2=float(e2[i]))]
        parts += [disc_sheet_deflection(x, y, kappa=t["kappa_sheet"], radius=t["r_sheet"])]
        for row in range(offset[i], offset[i + 1]):
            parts.append(deflection(x, y, **{k: float(v[row]) for k, v in p.items()}))
        alpha_x, alpha_y = np.sum(parts, axis=0)
        mean = float((alpha_x * np.cos(phi) + alpha_y * np.sin(phi)).mean())
        assert mean == pytest.approx(found[i], abs=tolerance)


def test_a_mass_at_the_centre_adds_in_closed_form():
    rng = np.random.default_rng(0)
    truth = truth_of(5, rng, gamma=2.0, kappa_sheet=0.0)
    centre = {k: truth[k] for k in ("center_x", "center_y")}
    perturbers = {**centre, "theta_E": np.full(5, 0.3), "mass": np.ones(5)}
    found = effective_einstein_radius(
        truth, q=np.ones(5), profile="POINT_MASS", perturbers=perturbers, offset=np.arange(6)
    )
    expected = (truth["theta_E"] + np.sqrt(truth["theta_E"] ** 2 + 4 * 0.3**2)) / 2
    assert found == pytest.approx(expected, abs=3e-5)


def test_shares_of_circles_against_points_at_random():
    rng = np.random.default_rng(1)
    n = 40_000
    error = 4 * 0.5 / np.sqrt(n)
    angle = rng.uniform(0, 2 * np.pi, n)
    for radius, distance, size in [(1.0, 0.9, 0.4), (1.0, 0.2, 0.3), (0.5, 0.3, 1.0)]:
        args = [np.array([v]) for v in (radius, distance, size)]
        ring = np.hypot(distance + size * np.cos(angle), size * np.sin(angle)) < radius
        assert ring_share(*args)[0] == pytest.approx(ring.mean(), abs=error)
        r = size * np.sqrt(1 / (1 - rng.uniform(0, 1, n)) - 1)  # mass r^2 / (r^2 + core^2)
        soft = np.hypot(distance + r * np.cos(angle), r * np.sin(angle)) < radius
        assert softened_share(*args)[0] == pytest.approx(soft.mean(), abs=error)
        r = radius * np.sqrt(rng.uniform(0, 1, n))
        covered = np.hypot(distance + r * np.cos(angle), r * np.sin(angle)) < size
        assert disc_share(*args)[0] == pytest.approx(covered.mean(), abs=error)
