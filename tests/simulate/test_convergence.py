"""The convergence of substructure holds its mass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lensml.physics.halos import tnfw_enclosed
from lensml.schema.simulation import Domain
from lensml.simulate.convergence import substructure_convergence
from lensml.simulate.substructure import population_distances
from lensml.simulate.systems import Systems, draw_systems


def lone(profile: str, **columns: float) -> Systems:
    arrays = {name: np.array([value]) for name, value in columns.items()}
    return Systems(profile, {}, np.array([0, 1]), arrays)


def mass_in(kappa: np.ndarray, domain: Domain) -> float:
    """Msun of a convergence map."""
    area = domain.instrument.pixel_scale**2
    return float(kappa.sum() * area * population_distances(domain.population).sigma_crit_angle)


def test_the_convergence_of_a_point_integrates_to_its_mass(domain: Callable[..., Domain]) -> None:
    euclid = domain("euclid")
    theta_E = float(population_distances(euclid.population).theta_E_of_mass(3e9))
    systems = lone("POINT_MASS", theta_E=theta_E, center_x=0.33, center_y=-0.71, mass=3e9)
    (kappa,) = substructure_convergence(systems, euclid)
    assert mass_in(kappa, euclid) == pytest.approx(3e9, rel=1e-9)
    row, column = np.unravel_index(kappa.argmax(), kappa.shape)
    scale, middle = euclid.instrument.pixel_scale, (euclid.num_pix - 1) / 2
    assert abs((column - middle) * scale - 0.33) <= scale / 2
    assert abs((row - middle) * scale + 0.71) <= scale / 2


@pytest.mark.parametrize("sign", [1, -1])
def test_the_convergence_of_a_line_integrates_to_its_mass(
    domain: Callable[..., Domain], sign: int
) -> None:
    euclid = domain("euclid")
    theta_E = float(population_distances(euclid.population).theta_E_of_mass(3e10))
    shape = {"center_x": 0.2, "center_y": -0.1, "length": 1.5, "core": 0.08, "angle": 0.7}
    systems = lone("LINE_MASS", mass=sign * 3e10, theta_E=theta_E, **shape)
    (kappa,) = substructure_convergence(systems, euclid)
    # A softened line has mass core^2 / R^2 beyond R: a thousandth outside the image.
    assert mass_in(kappa, euclid) == pytest.approx(sign * 3e10, rel=2e-3)
    axis = (np.arange(euclid.num_pix) - (euclid.num_pix - 1) / 2) * euclid.instrument.pixel_scale
    x, y = np.meshgrid(axis - 0.2, axis + 0.1)
    along = np.abs(np.cos(0.7) * x + np.sin(0.7) * y) < 0.8
    across = np.abs(np.cos(0.7) * y - np.sin(0.7) * x) < 0.2
    assert abs(kappa[along & across].sum()) > 0.8 * abs(kappa.sum())


@pytest.mark.slow  # compiles the kernel of halos
def test_the_convergence_of_a_halo_integrates_to_its_enclosed_mass(
    domain: Callable[..., Domain],
) -> None:
    realistic = domain("euclid_realistic")
    halo = {"center_x": 0.313, "center_y": 0.127, "Rs": 0.12, "alpha_Rs": 0.01, "r_trunc": 0.4}
    (kappa,) = substructure_convergence(lone("TNFW", mass=1.0, **halo), realistic)
    axis = (np.arange(realistic.num_pix) - (realistic.num_pix - 1) / 2) * (
        realistic.instrument.pixel_scale
    )
    radius = np.hypot(axis[:, None] - 0.127, axis - 0.313)
    theta_N2 = 0.01 * 0.12 / (1 + np.log(0.5))
    pixel = realistic.instrument.pixel_scale**2
    for limit in (1.0, 2.0):
        expected = np.pi * theta_N2 * tnfw_enclosed(np.array(limit / 0.12), 0.4 / 0.12)
        assert kappa[radius < limit].sum() * pixel == pytest.approx(expected, rel=0.01)
    assert kappa.min() > 0


@pytest.mark.parametrize(
    "name", ["euclid", pytest.param("euclid_realistic", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("substructure", ["cdm", "vortex"])
def test_the_convergence_is_that_of_the_drawn_perturbers(
    domain: Callable[..., Domain], name: str, substructure: str
) -> None:
    systems = draw_systems(domain(name), substructure, seed=3, split="test", start=0, stop=2)
    kappa = substructure_convergence(systems, domain(name))
    for k, total in zip(kappa, systems.truth["m_sub_total"], strict=True):
        assert 0.8 * total < mass_in(k, domain(name)) <= total * (1 + 1e-6)
