"""What is fitted: a power law with shear and multipoles, and a Sersic source, as one vector.

Names are lenstronomy's where it has them. Flux, radius and index of the source are fitted by their
logarithms. The multipoles are those of lenstronomy's ``MULTIPOLE`` about the lens's centre, by
components: ``a3_cos`` is a_m cos(m phi_m) of order 3, in arcsec and in the frame of the sky.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from lensml.physics.ellipticity import phis_qs
from lensml.physics.light import sersic_amplitude
from lensml.schema.fit import Multipoles
from lensml.schema.simulation import Domain
from lensml.simulate.systems import Systems


class Parameter(NamedTuple):
    """A parameter of the model.

    Attributes:
        name: of the column.
        unit: as in :data:`lensml.simulate.systems.TRUTH_UNITS`.
        low, high: bounds.
        max_step: of one iteration.
    """

    name: str
    unit: str
    low: float
    high: float
    max_step: float


PARAMETERS = (
    Parameter("theta_E", "arcsec", 0.05, 5.0, 0.25),
    Parameter("gamma", "", 1.3, 2.8, 0.25),
    Parameter("e1", "", -0.6, 0.6, 0.15),
    Parameter("e2", "", -0.6, 0.6, 0.15),
    Parameter("center_x", "arcsec", -0.5, 0.5, 0.1),
    Parameter("center_y", "arcsec", -0.5, 0.5, 0.1),
    Parameter("gamma1", "", -0.4, 0.4, 0.1),
    Parameter("gamma2", "", -0.4, 0.4, 0.1),
    Parameter("ln_flux", "ln(e-/s)", -20.0, 20.0, 1.0),
    Parameter("ln_R_sersic", "ln(arcsec)", float(np.log(0.02)), float(np.log(2.0)), 0.5),
    Parameter("ln_n_sersic", "", float(np.log(0.3)), float(np.log(8.0)), 0.5),
    Parameter("source_e1", "", -0.6, 0.6, 0.25),
    Parameter("source_e2", "", -0.6, 0.6, 0.25),
    Parameter("source_center_x", "arcsec", -1.5, 1.5, 0.2),
    Parameter("source_center_y", "arcsec", -1.5, 1.5, 0.2),
    Parameter("a3_cos", "arcsec", -0.15, 0.15, 0.03),
    Parameter("a3_sin", "arcsec", -0.15, 0.15, 0.03),
    Parameter("a4_cos", "arcsec", -0.15, 0.15, 0.03),
    Parameter("a4_sin", "arcsec", -0.15, 0.15, 0.03),
)
NAMES = tuple(p.name for p in PARAMETERS)
LOW, HIGH, MAX_STEP = (
    np.array([getattr(p, field) for p in PARAMETERS]) for field in ("low", "high", "max_step")
)
MULTIPOLES = tuple(NAMES.index(f"a{m}_{part}") for m in (3, 4) for part in ("cos", "sin"))
SAME_NAME = (
    *("theta_E", "gamma", "e1", "e2", "center_x", "center_y", "gamma1", "gamma2"),
    *("source_e1", "source_e2", "source_center_x", "source_center_y"),
)


def check_fittable(domain: Domain) -> None:
    """Refuse a domain whose sources no Sersic profile is.

    Raises:
        ValueError: its sources are observed galaxies.
    """
    galaxies = domain.population.source.galaxies
    if galaxies is not None:
        raise ValueError(
            f"{domain.name}: source.galaxies = {galaxies} cannot be fitted; allowed is none, "
            "which makes sources Sersic profiles"
        )


def free_parameters(domain: Domain, multipoles: Multipoles) -> np.ndarray:
    """Which parameters are fitted.

    Args:
        domain: its population fixes the slope or does not.
        multipoles: only 'fitted' frees them.

    Returns:
        (K,) int64 indices of ``PARAMETERS``.
    """
    fixed = set() if multipoles == "fitted" else set(MULTIPOLES)
    if isinstance(domain.population.lens.gamma, float | int):
        fixed.add(NAMES.index("gamma"))
    return np.array([k for k in range(len(NAMES)) if k not in fixed])


def parameters_of(truth: Mapping[str, np.ndarray]) -> np.ndarray:
    """The parameters of drawn lenses, (N, len(PARAMETERS)), within their bounds."""
    radius, index = truth["source_R_sersic"], truth["source_n_sersic"]
    flux = truth["source_amp"] / _unit_amplitude(radius, index)
    known = {name: truth[name] for name in SAME_NAME}
    known |= {"ln_flux": np.log(flux), "ln_R_sersic": np.log(radius)}
    known |= {"ln_n_sersic": np.log(index), **_multipoles_of(truth)}
    return np.clip(np.stack([known[name] for name in NAMES], axis=1), LOW, HIGH)


def systems_of_parameters(x: np.ndarray) -> Systems:
    """Smooth lenses as the simulator takes them, of parameters (N, len(PARAMETERS))."""
    n = len(x)
    value = dict(zip(NAMES, x.T, strict=True))
    truth = {name: value[name] for name in SAME_NAME}
    radius, index = np.exp(value["ln_R_sersic"]), np.exp(value["ln_n_sersic"])
    truth |= {"source_R_sersic": radius, "source_n_sersic": index}
    truth["source_amp"] = np.exp(value["ln_flux"]) * _unit_amplitude(radius, index)
    phi, q = phis_qs(value["e1"], value["e2"])
    for m in (3, 4):
        a_m = value[f"a{m}_cos"] + 1j * value[f"a{m}_sin"]
        truth[f"a{m}_a"] = np.abs(a_m) * np.sqrt(q) / value["theta_E"]
        truth[f"delta_phi_m{m}"] = np.angle(a_m) / m - phi
    truth |= {name: np.zeros(n) for name in ("kappa_sheet", "r_sheet", "source_scale")}
    truth |= {"source_galaxy": np.full(n, -1), "lens_light_amp": np.zeros(n)}
    nothing = {name: np.zeros(0) for name in ("center_x", "center_y", "theta_E")}
    return Systems("POINT_MASS", truth, np.zeros(n + 1, np.int64), nothing)


def _multipoles_of(truth: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Components in arcsec of multipoles relative to the ellipse (``EPL_MULTIPOLE_M3M4``)."""
    phi, q = phis_qs(truth["e1"], truth["e2"])
    found = {}
    for m in (3, 4):
        a_m = truth[f"a{m}_a"] * truth["theta_E"] / np.sqrt(q)
        angle = m * (phi + truth[f"delta_phi_m{m}"])
        found |= {f"a{m}_cos": a_m * np.cos(angle), f"a{m}_sin": a_m * np.sin(angle)}
    return found


def _unit_amplitude(radius: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Surface brightness at R_sersic of sources of flux one."""
    shapes = zip(radius, index, strict=True)
    return np.array([sersic_amplitude(1.0, R_sersic=R, n_sersic=n) for R, n in shapes])
