"""Substructure of one image: which perturbers, where, how heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np

from lensml.physics.cosmology import LensDistances, de_broglie_wavelength, lens_distances
from lensml.physics.halos import (
    concentration_dutton_maccio,
    host_radius_quantile,
    roche_truncation,
    tnfw_angles,
)
from lensml.physics.mass_function import mass_function_nodes, masses_from_uniform
from lensml.physics.profiles import enclosed_line_mass
from lensml.schema.population import CdmPoints, CdmTnfw, Population, VortexLine, VortexPoints
from lensml.schema.simulation import Domain
from lensml.simulate.priors import draw, draw_count, draw_positions

POINT_UNITS = {"mass": "Msun", "center_x": "arcsec", "center_y": "arcsec", "theta_E": "arcsec"}
LINE_UNITS = {**POINT_UNITS, "length": "arcsec", "core": "arcsec", "angle": "rad"}
TNFW_UNITS = {
    "mass": "Msun",  # in total
    "center_x": "arcsec",
    "center_y": "arcsec",
    "Rs": "arcsec",
    "alpha_Rs": "arcsec",
    "r_trunc": "arcsec",
    "m200": "Msun",
    "concentration": "",
    "r3d": "kpc",
}
PROFILE_UNITS = {"POINT_MASS": POINT_UNITS, "LINE_MASS": LINE_UNITS, "TNFW": TNFW_UNITS}
MAX_SUBSTRUCTURE_SHARE = 0.9  # of the mass inside theta_E; draws above it are repeated
MAX_DRAWS = 1000
KAPPA_AT_THETA_E = 0.5  # convergence of an isothermal lens at its Einstein radius


@dataclass
class Substructure:
    """Perturbers of one image before they are stacked.

    Attributes:
        columns: of the perturbers, units in ``PROFILE_UNITS``.
        log10_axion_mass: of a vortex.
        enclosed: theta_E^2 inside the lens's theta_E, arcsec^2, where it is compensated.
    """

    columns: dict[str, np.ndarray]
    log10_axion_mass: float = np.nan
    enclosed: float = 0.0


def perturber_profile(domain: Domain, substructure: str) -> str:
    """Profile of a class's perturbers, key of ``PROFILE_UNITS``."""
    population = domain.population
    if substructure == "vortex":
        return "LINE_MASS" if isinstance(population.vortex, VortexLine) else "POINT_MASS"
    return "TNFW" if isinstance(population.cdm, CdmTnfw) else "POINT_MASS"


def population_distances(population: Population) -> LensDistances:
    """Distances of a population's lenses."""
    return lens_distances(
        population.cosmology, population.z_lens, population.z_source, population.distances
    )


def sheet(domain: Domain, substructure: str, f_sub: float) -> tuple[float, float]:
    """Convergence and radius (arcsec) of the disc that makes room for substructure.

    Its mass is the expected mass of the substructure in all of the disc. That of a vortex lies
    anywhere in it alike, and the mean Einstein radius is that of the smooth lenses. Subhalos that
    are seen near the centre are nearer to it in space, too, and tides leave them less: where they
    are truncated, 0.86 of what the sheet takes from inside theta_E come back there in the mean,
    and more outside. The mean Einstein radius of 'cdm' is lower by 0.0015 arcsec at f_sub = 2 %
    (in proportion to f_sub), which is a sixtieth of what lenses differ by. This is not
    compensated: thousands of lenses would show it, and the audit's einstein_radius_mean bounds it.
    """
    population = domain.population
    if population.lens.mass_compensation != "sheet":
        return 0.0, 0.0
    assert isinstance(population.cdm, CdmTnfw)  # the schema demands it
    radius = population.cdm.position.radius
    if substructure == "no_sub":
        return 0.0, radius
    sign = 1
    if substructure == "vortex" and isinstance(population.vortex, VortexLine):
        sign = population.vortex.sign
    return -sign * f_sub * KAPPA_AT_THETA_E, radius


def draw_substructure(
    domain: Domain,
    substructure: str,
    truth: Mapping[str, float],
    rng: np.random.Generator,
) -> Substructure:
    """Perturbers of one image.

    Where the lens gives up what they bring, draws that outweigh it are repeated.

    Args:
        domain: camera and population.
        substructure: class.
        truth: of the lens: theta_E_total, center_x, center_y, f_sub.
        rng: of this image and class.

    Raises:
        ValueError: every draw outweighs the lens.
    """
    compensation = domain.population.lens.mass_compensation
    room = MAX_SUBSTRUCTURE_SHARE * truth["theta_E_total"] ** 2
    for _ in range(MAX_DRAWS):
        sub = _draw(domain, substructure, truth, rng)
        if compensation != "enclosed":
            return sub
        sub.enclosed = _enclosed(sub.columns, truth)
        if sub.enclosed < room:
            return sub
    raise ValueError(
        f"domain {domain.name}, class {substructure}: the substructure outweighs the lens in "
        f"{MAX_DRAWS} draws; lower its mass or set lens.mass_compensation to none"
    )


def _draw(
    domain: Domain, substructure: str, truth: Mapping[str, float], rng: np.random.Generator
) -> Substructure:
    population = domain.population
    distances = population_distances(population)
    if substructure == "no_sub":
        names = PROFILE_UNITS[perturber_profile(domain, substructure)]
        return Substructure({name: np.zeros(0) for name in names})
    if substructure == "cdm":
        if isinstance(population.cdm, CdmTnfw):
            return _draw_halos(population, truth["f_sub"], rng)
        return _draw_points(population.cdm, distances, rng)
    if isinstance(population.vortex, VortexPoints):
        return _draw_vortex_points(population.vortex, distances, rng)
    return _draw_vortex_line(population, truth, rng)


def _points(
    mass: np.ndarray, xy: np.ndarray, distances: LensDistances, log10_axion_mass: float = np.nan
) -> Substructure:
    columns = {
        "mass": mass,
        "center_x": xy[:, 0],
        "center_y": xy[:, 1],
        "theta_E": distances.theta_E_of_mass(np.abs(mass)),
    }
    return Substructure(columns, log10_axion_mass)


def _draw_points(
    prior: CdmPoints, distances: LensDistances, rng: np.random.Generator
) -> Substructure:
    n = draw_count(prior.n_perturbers, rng)
    mass = masses_from_uniform(
        rng.random(n), shmf_slope=prior.shmf_slope, m_min=prior.m_min, m_max=prior.m_max
    )
    return _points(mass, draw_positions(prior.position, n, rng), distances)


def _draw_halos(population: Population, f_sub: float, rng: np.random.Generator) -> Substructure:
    """A Poisson number of truncated NFW halos whose expected total mass is that of f_sub."""
    prior = population.cdm
    assert isinstance(prior, CdmTnfw)
    distances = population_distances(population)
    n = rng.poisson(expected_mass(population, f_sub) / mean_total_mass(cast(Any, population)))
    m200 = masses_from_uniform(
        rng.random(n), shmf_slope=prior.shmf_slope, m_min=prior.m_min, m_max=prior.m_max
    )
    xy = draw_positions(prior.position, n, rng)
    R = np.hypot(xy[:, 0], xy[:, 1]) * distances.kpc_per_arcsec
    r3d = host_radius_quantile(rng.random(n), R, **prior.host.model_dump())
    scatter = rng.standard_normal(n)
    columns = _halo_columns(population, m200, r3d, scatter)
    return Substructure({**columns, "center_x": xy[:, 0], "center_y": xy[:, 1]})


def _halo_columns(
    population: Population, m200: np.ndarray, r3d: np.ndarray, scatter: np.ndarray
) -> dict[str, np.ndarray]:
    """Structure of halos; ``scatter`` is the deviation of concentration in standard deviations."""
    prior = population.cdm
    assert isinstance(prior, CdmTnfw)
    median = concentration_dutton_maccio(m200, population.cosmology, population.z_lens)
    concentration = median * 10 ** (prior.concentration_scatter * scatter)
    angles = tnfw_angles(
        m200,
        concentration,
        roche_truncation(m200, r3d),
        cosmology=population.cosmology,
        distances=population_distances(population),
    )
    return {**angles, "m200": m200, "concentration": concentration, "r3d": r3d}


def expected_mass(population: Population, f_sub: float) -> float:
    """Expected total mass of the subhalos, Msun: f_sub / 2 Sigma_cr over the disc they fill."""
    assert isinstance(population.cdm, CdmTnfw)
    area = np.pi * population.cdm.position.radius**2
    distances = population_distances(population)
    return float(f_sub * KAPPA_AT_THETA_E * area * distances.sigma_crit_angle)


@lru_cache(maxsize=64)
def mean_total_mass(population: Population) -> float:
    """Mean total (truncated) mass of a population's subhalos by quadrature, Msun."""
    prior = population.cdm
    assert isinstance(prior, CdmTnfw)
    m, weight_m = mass_function_nodes(
        64, shmf_slope=prior.shmf_slope, m_min=prior.m_min, m_max=prior.m_max
    )
    scatter, weight_c = np.polynomial.hermite_e.hermegauss(9)
    quantile = (np.arange(16) + 0.5) / 16
    radius = prior.position.radius * population_distances(population).kpc_per_arcsec
    R, u = (g.ravel() for g in np.meshgrid(radius * np.sqrt(quantile), quantile))
    r3d = host_radius_quantile(u, R, **prior.host.model_dump())
    grid = np.meshgrid(m, r3d, scatter, indexing="ij")
    total = _halo_columns(population, *(g.ravel() for g in grid))["mass"].reshape(grid[0].shape)
    over_scatter = total @ (weight_c / weight_c.sum())
    return float(over_scatter.mean(1) @ weight_m)


def _draw_vortex_points(
    prior: VortexPoints, distances: LensDistances, rng: np.random.Generator
) -> Substructure:
    """The published chain: equal masses from end to end of the half-length on either side."""
    mass, log10_axion_mass = draw(prior.mass, rng), draw(prior.log10_axion_mass, rng)
    center = draw_positions(prior.position, 1, rng)[0]
    phi = draw(prior.phi, rng)
    half_length = prior.length_times_mass / 10.0**log10_axion_mass
    along = np.linspace(-half_length, half_length, prior.n_points)
    xy = center + along[:, None] * np.array([np.cos(phi), np.sin(phi)])
    masses = np.full(prior.n_points, mass / prior.n_points)
    return _points(masses, xy, distances, log10_axion_mass)


def _draw_vortex_line(
    population: Population, truth: Mapping[str, float], rng: np.random.Generator
) -> Substructure:
    """A line as long as the de Broglie wavelength at the velocity dispersion of the lens.

    Its core is a share of the half-length that the line has in space, inclined or not, and
    nothing else: no camera or sampling widens it.
    """
    prior, distances = population.vortex, population_distances(population)
    assert isinstance(prior, VortexLine)
    if prior.mass is not None:
        mass = draw(prior.mass, rng)
    else:  # as heavy as a draw of the subhalos at the same f_sub
        mass = float(_draw_halos(population, truth["f_sub"], rng).columns["mass"].sum())
    log10_axion_mass = draw(prior.log10_axion_mass, rng)
    center = draw_positions(prior.position, 1, rng)
    phi = draw(prior.phi, rng)
    sigma_v = float(distances.sigma_v_of_theta_E(truth["theta_E_total"]))
    length = de_broglie_wavelength(log10_axion_mass, sigma_v) / distances.kpc_per_arcsec
    core = prior.core_fraction * length / 2  # across the line: as wide from wherever it is seen
    if prior.inclined:  # seen at an angle i with cos i uniform
        length *= np.sqrt(1 - rng.random() ** 2)
    sub = _points(np.array([prior.sign * mass]), center, distances, log10_axion_mass)
    extra = {"length": length, "core": core, "angle": phi}
    sub.columns.update({name: np.array([value]) for name, value in extra.items()})
    return sub


def _enclosed(columns: Mapping[str, np.ndarray], truth: Mapping[str, float]) -> float:
    """Sum of theta_E^2 of the perturbers inside the lens's Einstein radius, arcsec^2."""
    radius = truth["theta_E_total"]
    x, y = columns["center_x"] - truth["center_x"], columns["center_y"] - truth["center_y"]
    if "Rs" in columns:
        raise ValueError("mass_compensation: enclosed is for point masses and lines, not for tnfw")
    if "length" not in columns:
        return float((columns["theta_E"] ** 2)[np.hypot(x, y) < radius].sum())
    names = ("theta_E", "length", "angle")
    return sum(
        float(np.sign(columns["mass"][i]))
        * enclosed_line_mass(
            radius, **{n: float(columns[n][i]) for n in names}, center_x=x[i], center_y=y[i]
        )
        for i in range(len(x))
    )
