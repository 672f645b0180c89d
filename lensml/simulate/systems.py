"""Lens systems: drawing the truth of every image from a population's priors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lensml.physics.ellipticity import modulus_of_q, polar_to_cartesian
from lensml.physics.light import background_rms, flux_of_magnitude, sersic_amplitude
from lensml.schema.instrument import Instrument
from lensml.schema.population import CdmTnfw, LensLightPrior, LensPrior, Population, SourcePrior
from lensml.schema.simulation import Domain
from lensml.simulate.galaxy_sources import galaxies_of_split, load_galaxies
from lensml.simulate.priors import draw, draw_positions
from lensml.simulate.streams import Streams, generator, seed_sequence
from lensml.simulate.substructure import (
    PROFILE_UNITS,
    draw_substructure,
    perturber_profile,
    population_distances,
    sheet,
)

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
    "source_galaxy": "",  # index in the galaxies' file, -1 for a Sersic source
    "source_scale": "arcsec",  # of a galaxy's pixel; source_amp then multiplies an image of sum 1
    "exposure_time": "s",  # of all exposures together
    "background_rms": "e-/s per pixel",
    "a3_a": "",
    "delta_phi_m3": "rad",
    "a4_a": "",
    "delta_phi_m4": "rad",
    "lens_light_magnitude": "mag",
    "lens_light_amp": "e-/s/arcsec^2",  # 0 without lens light
    "lens_light_R_sersic": "arcsec",
    "lens_light_n_sersic": "",
    "lens_light_e1": "",
    "lens_light_e2": "",
    "lens_light_residual": "",  # fraction left after subtraction
    "f_sub": "",
    "kappa_sheet": "",  # of a disc about the origin
    "r_sheet": "arcsec",
    "n_perturbers": "",
    "m_sub_total": "Msun",
    "log10_axion_mass": "log10(eV)",
}
INTEGER_COLUMNS = ("system_id", "n_perturbers", "source_galaxy")


@dataclass(frozen=True)
class Systems:
    """Truth of N images.

    Attributes:
        profile: of every perturber, key of ``PROFILE_UNITS``.
        truth: column -> (N,), units in ``TRUTH_UNITS``.
        offset: (N+1,) int64; perturbers of image i are rows offset[i]:offset[i+1].
        perturbers: column -> (P,), units in ``PROFILE_UNITS``.
    """

    profile: str
    truth: dict[str, np.ndarray]
    offset: np.ndarray
    perturbers: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.offset) - 1


def perturber_units(domain: Domain, substructure: str) -> dict[str, str]:
    """Perturber columns of a class with their units."""
    return PROFILE_UNITS[perturber_profile(domain, substructure)]


def draw_systems(
    domain: Domain, substructure: str, *, seed: int, split: str, start: int, stop: int
) -> Systems:
    """Truth of the images ``start`` to ``stop - 1`` of a class and split."""
    where = {"split": split, "start": start, "stop": stop}
    own = Streams(seed, purpose=f"substructure/{substructure}", domain=domain.name, **where)
    smooth = _draw_smooth(domain, seed=seed, **where)
    rows = [
        _with_substructure(domain, substructure, truth, own[i]) for i, truth in enumerate(smooth)
    ]
    return _stacked(domain, substructure, rows)


def redraw_substructure(
    domain: Domain, substructure: str, *, seed: int, split: str, index: int, n_draws: int
) -> Systems:
    """Truth of ``n_draws`` images of the lens and source ``index`` with fresh substructure.

    The draws have a stream of their own: none of them is the substructure of the image ``index``.
    """
    (truth,) = _draw_smooth(domain, seed=seed, split=split, start=index, stop=index + 1)
    where = {"domain": domain.name, "split": split, "index": index}
    rng = generator(seed_sequence(seed, purpose=f"redraw/{substructure}", **where))
    rows = [_with_substructure(domain, substructure, truth, rng) for _ in range(n_draws)]
    return _stacked(domain, substructure, rows)


def _stacked(
    domain: Domain,
    substructure: str,
    rows: Sequence[tuple[dict[str, float], Mapping[str, np.ndarray]]],
) -> Systems:
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
        profile=perturber_profile(domain, substructure),
        truth=truth,
        offset=offset,
        perturbers=perturbers,
    )


def _draw_smooth(
    domain: Domain, *, seed: int, split: str, start: int, stop: int
) -> Iterator[dict[str, float]]:
    """What the classes of every system share: lens, source, exposure."""
    population, instrument = domain.population, domain.instrument
    # Streams of their own, so that a population without some draws keeps the others.
    systems, more_of = (
        Streams(seed, purpose=purpose, domain=domain.name, split=split, start=start, stop=stop)
        for purpose in ("system", "system/more")
    )
    for i in range(stop - start):
        rng = systems[i]
        lens = _draw_lens(population, rng)
        truth: dict[str, float] = {
            "system_id": systems.system_id(i),
            "z_lens": population.z_lens,
            "z_source": population.z_source,
            **lens,
            **_draw_source(population.source, instrument, lens["theta_E"], rng),
            **_draw_exposure(instrument, rng),
        }
        more = more_of[i]
        truth |= _draw_multipoles(population.lens, more)
        truth |= _draw_lens_light(population.lens_light, truth, instrument, more)
        truth |= _draw_galaxy(population.source, instrument, truth, split, more)
        cdm = population.cdm
        truth["f_sub"] = draw(cdm.f_sub, more) if isinstance(cdm, CdmTnfw) else np.nan
        yield truth


def _with_substructure(
    domain: Domain, substructure: str, smooth: Mapping[str, float], rng: np.random.Generator
) -> tuple[dict[str, float], Mapping[str, np.ndarray]]:
    """A smooth lens with the substructure of a class, and the room made for it."""
    population, truth = domain.population, dict(smooth)
    sub = draw_substructure(domain, substructure, truth, rng)
    truth["kappa_sheet"], truth["r_sheet"] = sheet(domain, substructure, truth["f_sub"])
    if population.lens.mass_compensation == "enclosed":
        truth["theta_E"] -= sub.enclosed / truth["theta_E_total"]
    truth["n_perturbers"] = len(sub.columns["mass"])
    truth["m_sub_total"] = float(sub.columns["mass"].sum())
    truth["log10_axion_mass"] = sub.log10_axion_mass
    return _scaled(truth, sub.columns, population.deflection_scale)


def _scaled(
    truth: dict[str, float], perturbers: dict[str, np.ndarray], scale: float
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Multiply every deflection: quadratic in theta_E of points and lines, else linear."""
    for name in ("theta_E", "theta_E_total", "gamma1", "gamma2", "kappa_sheet"):
        truth[name] *= scale
    if "alpha_Rs" in perturbers:
        return truth, {**perturbers, "alpha_Rs": perturbers["alpha_Rs"] * scale}
    return truth, {**perturbers, "theta_E": perturbers["theta_E"] * np.sqrt(scale)}


def _draw_lens(population: Population, rng: np.random.Generator) -> dict[str, float]:
    prior = population.lens
    if prior.theta_E is not None:
        theta_E = draw(prior.theta_E, rng)
    else:
        assert prior.sigma_v is not None  # the schema demands exactly one
        distances = population_distances(population)
        theta_E = float(distances.theta_E_of_sigma_v(draw(prior.sigma_v, rng)))
    modulus = _modulus(prior, rng)
    e1, e2 = polar_to_cartesian(modulus, draw(prior.phi, rng))
    center_x, center_y = draw(prior.center_x, rng), draw(prior.center_y, rng)
    gamma1, gamma2 = polar_to_cartesian(draw(prior.shear, rng), draw(prior.shear_phi, rng))
    return {
        "theta_E": theta_E,
        "theta_E_total": theta_E,
        "gamma": draw(prior.gamma, rng),
        "e1": e1,
        "e2": e2,
        "center_x": center_x,
        "center_y": center_y,
        "gamma1": gamma1,
        "gamma2": gamma2,
    }


def _modulus(prior: LensPrior | SourcePrior, rng: np.random.Generator) -> float:
    """Ellipticity modulus from whichever of q and ellipticity is given."""
    if prior.q is not None:
        return modulus_of_q(draw(prior.q, rng))
    assert prior.ellipticity is not None  # the schema demands exactly one
    return draw(prior.ellipticity, rng)


def _draw_multipoles(prior: LensPrior, rng: np.random.Generator) -> dict[str, float]:
    """Strengths, and orientations relative to the ellipse over one period."""
    out = {}
    for m, strength in ((3, prior.a3_a), (4, prior.a4_a)):
        out[f"a{m}_a"] = draw(strength, rng)
        out[f"delta_phi_m{m}"] = float(rng.uniform(-np.pi / m, np.pi / m))
    return out


def _draw_lens_light(
    prior: LensLightPrior | None,
    truth: Mapping[str, float],
    instrument: Instrument,
    rng: np.random.Generator,
) -> dict[str, float]:
    names = ("magnitude", "amp", "R_sersic", "n_sersic", "e1", "e2", "residual")
    if prior is None:
        return {f"lens_light_{name}": np.nan if name != "amp" else 0.0 for name in names}
    magnitude = draw(prior.magnitude, rng)
    R_sersic, n_sersic = draw(prior.R_sersic, rng), draw(prior.n_sersic, rng)
    turn = 2 * draw(prior.misalignment, rng)
    e1, e2 = truth["e1"], truth["e2"]
    flux = flux_of_magnitude(magnitude, instrument.magnitude_zero_point)
    values = (
        magnitude,
        sersic_amplitude(flux, R_sersic=R_sersic, n_sersic=n_sersic),
        R_sersic,
        n_sersic,
        float(np.cos(turn) * e1 - np.sin(turn) * e2),
        float(np.sin(turn) * e1 + np.cos(turn) * e2),
        draw(prior.residual, rng),
    )
    return {f"lens_light_{n}": v for n, v in zip(names, values, strict=True)}


def _draw_source(
    prior: SourcePrior, instrument: Instrument, theta_E: float, rng: np.random.Generator
) -> dict[str, float]:
    magnitude = draw(prior.magnitude, rng)
    R_sersic, n_sersic = draw(prior.R_sersic, rng), draw(prior.n_sersic, rng)
    modulus = _modulus(prior, rng)
    e1, e2 = polar_to_cartesian(modulus, draw(prior.phi, rng))
    x, y = draw_positions(prior.position, 1, rng, theta_E=theta_E)[0]
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


def _draw_galaxy(
    prior: SourcePrior,
    instrument: Instrument,
    truth: Mapping[str, float],
    split: str,
    rng: np.random.Generator,
) -> dict[str, float]:
    """An observed galaxy of the split, as large and as bright as was drawn."""
    if prior.galaxies is None:
        return {"source_galaxy": -1, "source_scale": np.nan}
    chosen = int(rng.choice(galaxies_of_split(prior.galaxies, split)))
    radius = load_galaxies(prior.galaxies).half_light_radius[chosen]
    scale = truth["source_R_sersic"] / radius
    flux = flux_of_magnitude(truth["source_magnitude"], instrument.magnitude_zero_point)
    return {"source_galaxy": chosen, "source_scale": scale, "source_amp": flux / scale**2}


def exposure_of(instrument: Instrument, *, seed: int) -> dict[str, float]:
    """A camera's ``exposure_time`` (s, of all exposures) and ``background_rms`` (e-/s per pixel).

    Args:
        instrument: the camera.
        seed: of the draw, where exposures differ from image to image.
    """
    return _draw_exposure(instrument, np.random.default_rng(seed))


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
