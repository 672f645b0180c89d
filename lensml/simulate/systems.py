"""Lens systems: drawing the truth of every image from a population's priors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lensml.physics.cosmology import LensDistances, de_broglie_wavelength, lens_distances
from lensml.physics.ellipticity import modulus_of_q, polar_to_cartesian
from lensml.physics.light import background_rms, flux_of_magnitude, sersic_amplitude
from lensml.physics.mass_function import masses_from_uniform
from lensml.physics.profiles import enclosed_line_mass
from lensml.schema.simulation import (
    CdmPrior,
    Domain,
    Instrument,
    LensPrior,
    SourcePrior,
    VortexLine,
    VortexPoints,
)
from lensml.simulate.priors import draw, draw_count, draw_positions
from lensml.simulate.streams import generator, seed_sequence, system_id

# Unit of every truth column; the order is the order in the store.
TRUTH_UNITS = {
    "system_id": "",
    "z_lens": "",
    "z_source": "",
    "theta_E": "arcsec",  # of the smooth lens, substructure excluded
    "theta_E_total": "arcsec",  # of all mass inside it where the population compensates
    "gamma": "",
    "e1": "",
    "e2": "",
    "center_x": "arcsec",
    "center_y": "arcsec",
    "gamma1": "",
    "gamma2": "",
    "source_magnitude": "mag",
    "source_amp": "e-/s/arcsec^2",
    "source_R_sersic": "arcsec",
    "source_n_sersic": "",
    "source_e1": "",
    "source_e2": "",
    "source_center_x": "arcsec",
    "source_center_y": "arcsec",
    "exposure_time": "s",  # of all exposures together
    "background_rms": "e-/s per pixel",
    "kappa_sheet": "",
    "n_perturbers": "",
    "m_sub_total": "Msun",
    "log10_axion_mass": "log10(eV)",
}
INTEGER_COLUMNS = ("system_id", "n_perturbers")
POINT_UNITS = {"mass": "Msun", "center_x": "arcsec", "center_y": "arcsec", "theta_E": "arcsec"}
LINE_UNITS = {**POINT_UNITS, "length": "arcsec", "core": "arcsec", "angle": "rad"}
MAX_SUBSTRUCTURE_SHARE = 0.9  # of the mass inside theta_E; draws above it are repeated
MAX_DRAWS = 1000


@dataclass(frozen=True)
class Systems:
    """Truth of N images.

    Attributes:
        profile: 'POINT_MASS' or 'LINE_MASS', the profile of every perturber.
        truth: column -> (N,), units in ``TRUTH_UNITS``.
        offset: (N+1,) int64; perturbers of image i are rows offset[i]:offset[i+1].
        perturbers: column -> (P,), units in ``POINT_UNITS`` or ``LINE_UNITS``.
    """

    profile: str
    truth: dict[str, np.ndarray]
    offset: np.ndarray
    perturbers: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.offset) - 1


@dataclass
class _Substructure:
    """Perturbers of one image before they are stacked."""

    columns: dict[str, np.ndarray]
    log10_axion_mass: float = np.nan
    enclosed: float = 0.0  # theta_E^2 inside the lens's theta_E, arcsec^2


def perturber_units(domain: Domain, substructure: str) -> dict[str, str]:
    """Perturber columns of a class with their units."""
    line = substructure == "vortex" and isinstance(domain.population.vortex, VortexLine)
    return LINE_UNITS if line else POINT_UNITS


def draw_systems(
    domain: Domain, substructure: str, *, seed: int, split: str, start: int, stop: int
) -> Systems:
    """Truth of the images ``start`` to ``stop - 1`` of a class and split."""
    rows = [
        _draw_system(domain, substructure, seed=seed, split=split, index=index)
        for index in range(start, stop)
    ]
    units = perturber_units(domain, substructure)
    truth = {
        name: np.array(
            [row[0][name] for row in rows], np.int64 if name in INTEGER_COLUMNS else float
        )
        for name in TRUTH_UNITS
    }
    counts = [row[0]["n_perturbers"] for row in rows]
    offset = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    perturbers = {name: np.concatenate([row[1][name] for row in rows]) for name in units}
    return Systems(
        profile="LINE_MASS" if units is LINE_UNITS else "POINT_MASS",
        truth=truth,
        offset=offset,
        perturbers=perturbers,
    )


def _draw_system(
    domain: Domain, substructure: str, *, seed: int, split: str, index: int
) -> tuple[dict[str, float], Mapping[str, np.ndarray]]:
    population = domain.population
    where = {"domain": domain.name, "split": split, "index": index}
    sequence = seed_sequence(seed, purpose="system", **where)
    rng = generator(sequence)
    distances = lens_distances(
        population.cosmology, population.z_lens, population.z_source, population.distances
    )
    truth: dict[str, float] = {
        "system_id": system_id(sequence),
        "z_lens": population.z_lens,
        "z_source": population.z_source,
        "gamma": 2.0,
        "kappa_sheet": 0.0,
        **_draw_lens(population.lens, rng),
        **_draw_source(population.source, domain.instrument, rng),
        **_draw_exposure(domain.instrument, rng),
    }
    own = generator(seed_sequence(seed, purpose=f"substructure/{substructure}", **where))
    sub = _draw_substructure(domain, substructure, truth, distances, own)
    if population.lens.mass_compensation == "enclosed":
        truth["theta_E"] -= sub.enclosed / truth["theta_E_total"]
    truth["n_perturbers"] = len(sub.columns["mass"])
    truth["m_sub_total"] = float(sub.columns["mass"].sum())
    truth["log10_axion_mass"] = sub.log10_axion_mass
    return _scaled(truth, sub.columns, population.deflection_scale)


def _scaled(
    truth: dict[str, float], perturbers: dict[str, np.ndarray], scale: float
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Multiply every deflection: linear in theta_E for the ellipsoid, quadratic for the rest."""
    for name in ("theta_E", "theta_E_total", "gamma1", "gamma2"):
        truth[name] *= scale
    return truth, {**perturbers, "theta_E": perturbers["theta_E"] * np.sqrt(scale)}


def _draw_lens(prior: LensPrior, rng: np.random.Generator) -> dict[str, float]:
    theta_E = draw(prior.theta_E, rng)
    e1, e2 = polar_to_cartesian(draw(prior.ellipticity, rng), draw(prior.phi, rng))
    center_x, center_y = draw(prior.center_x, rng), draw(prior.center_y, rng)
    gamma1, gamma2 = polar_to_cartesian(draw(prior.shear, rng), draw(prior.shear_phi, rng))
    return {
        "theta_E": theta_E,
        "theta_E_total": theta_E,
        "e1": e1,
        "e2": e2,
        "center_x": center_x,
        "center_y": center_y,
        "gamma1": gamma1,
        "gamma2": gamma2,
    }


def _draw_source(
    prior: SourcePrior, instrument: Instrument, rng: np.random.Generator
) -> dict[str, float]:
    magnitude = draw(prior.magnitude, rng)
    R_sersic, n_sersic = draw(prior.R_sersic, rng), draw(prior.n_sersic, rng)
    if prior.q is not None:
        modulus = modulus_of_q(draw(prior.q, rng))
    else:
        assert prior.ellipticity is not None  # the schema demands exactly one
        modulus = draw(prior.ellipticity, rng)
    e1, e2 = polar_to_cartesian(modulus, draw(prior.phi, rng))
    x, y = draw_positions(prior.position, 1, rng)[0]
    flux = flux_of_magnitude(magnitude, instrument.magnitude_zero_point)
    return {
        "source_magnitude": magnitude,
        "source_amp": sersic_amplitude(flux, R_sersic=R_sersic, n_sersic=n_sersic),
        "source_R_sersic": R_sersic,
        "source_n_sersic": n_sersic,
        "source_e1": e1,
        "source_e2": e2,
        "source_center_x": float(x),
        "source_center_y": float(y),
    }


def _draw_exposure(instrument: Instrument, rng: np.random.Generator) -> dict[str, float]:
    exposure_time = draw(instrument.exposure_time, rng)
    rms = instrument.background_rms
    if rms is None:
        # the schema demands both
        assert instrument.read_noise is not None
        assert instrument.sky_brightness is not None
        rms = background_rms(
            exposure_time=exposure_time,
            num_exposures=instrument.num_exposures,
            read_noise=instrument.read_noise,
            sky_brightness=instrument.sky_brightness,
            magnitude_zero_point=instrument.magnitude_zero_point,
            pixel_scale=instrument.pixel_scale,
        )
    return {"exposure_time": exposure_time * instrument.num_exposures, "background_rms": rms}


def _draw_substructure(
    domain: Domain,
    substructure: str,
    truth: Mapping[str, float],
    distances: LensDistances,
    rng: np.random.Generator,
) -> _Substructure:
    """Perturbers of one image; repeated while they outweigh the lens that must make room."""
    population = domain.population
    spacing = domain.instrument.pixel_scale / domain.supersampling_factor
    room = MAX_SUBSTRUCTURE_SHARE * truth["theta_E_total"] ** 2
    for _ in range(MAX_DRAWS):
        if substructure == "no_sub":
            sub = _points(np.zeros(0), np.zeros((0, 2)), distances)
        elif substructure == "cdm":
            sub = _draw_cdm(population.cdm, distances, rng)
        elif isinstance(population.vortex, VortexPoints):
            sub = _draw_vortex_points(population.vortex, distances, rng)
        else:
            sub = _draw_vortex_line(population.vortex, truth, distances, spacing, rng)
        sub.enclosed = _enclosed(sub.columns, truth)
        if sub.enclosed < room or population.lens.mass_compensation == "none":
            return sub
    raise ValueError(
        f"domain {domain.name}, class {substructure}: the substructure outweighs the lens in "
        f"{MAX_DRAWS} draws; lower its mass or set lens.mass_compensation to none"
    )


def _points(
    mass: np.ndarray, xy: np.ndarray, distances: LensDistances, log10_axion_mass: float = np.nan
) -> _Substructure:
    columns = {
        "mass": mass,
        "center_x": xy[:, 0],
        "center_y": xy[:, 1],
        "theta_E": distances.theta_E_of_mass(mass),
    }
    return _Substructure(columns, log10_axion_mass)


def _draw_cdm(
    prior: CdmPrior, distances: LensDistances, rng: np.random.Generator
) -> _Substructure:
    n = draw_count(prior.n_perturbers, rng)
    mass = masses_from_uniform(
        rng.random(n), shmf_slope=prior.shmf_slope, m_min=prior.m_min, m_max=prior.m_max
    )
    return _points(mass, draw_positions(prior.position, n, rng), distances)


def _draw_vortex_points(
    prior: VortexPoints, distances: LensDistances, rng: np.random.Generator
) -> _Substructure:
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
    prior: VortexLine,
    truth: Mapping[str, float],
    distances: LensDistances,
    spacing: float,
    rng: np.random.Generator,
) -> _Substructure:
    """A line as long as the de Broglie wavelength at the velocity dispersion of the lens."""
    mass, log10_axion_mass = draw(prior.mass, rng), draw(prior.log10_axion_mass, rng)
    center = draw_positions(prior.position, 1, rng)
    phi = draw(prior.phi, rng)
    sigma_v = float(distances.sigma_v_of_theta_E(truth["theta_E_total"]))
    length = de_broglie_wavelength(log10_axion_mass, sigma_v) / distances.kpc_per_arcsec
    sub = _points(np.array([mass]), center, distances, log10_axion_mass)
    core = max(prior.core_fraction * length / 2, spacing)
    extra = {"length": length, "core": core, "angle": phi}
    sub.columns.update({name: np.array([value]) for name, value in extra.items()})
    return sub


def _enclosed(columns: Mapping[str, np.ndarray], truth: Mapping[str, float]) -> float:
    """Sum of theta_E^2 of the perturbers inside the lens's Einstein radius, arcsec^2."""
    radius = truth["theta_E_total"]
    x, y = columns["center_x"] - truth["center_x"], columns["center_y"] - truth["center_y"]
    if "length" not in columns:
        return float((columns["theta_E"] ** 2)[np.hypot(x, y) < radius].sum())
    names = ("theta_E", "length", "angle")
    return sum(
        enclosed_line_mass(
            radius, **{n: float(columns[n][i]) for n in names}, center_x=x[i], center_y=y[i]
        )
        for i in range(len(x))
    )
