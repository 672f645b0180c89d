"""How an image answers to its parameters: derivatives, and the signal of substructure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lensml.physics.light import sersic_amplitude
from lensml.schema.simulation import Domain
from lensml.simulate.render import render
from lensml.simulate.systems import Systems, draw_systems

# Nuisance parameters of lens and source: step of the difference, which stays well above a ray's
# reach into the cusp of a source and far below its size.
NUISANCE = {
    "theta_E": 1e-3,  # arcsec
    "gamma": 2e-3,
    "e1": 2e-3,
    "e2": 2e-3,
    "center_x": 1e-3,  # arcsec
    "center_y": 1e-3,
    "gamma1": 1e-3,
    "gamma2": 1e-3,
    "flux": 1e-2,  # relative
    "source_R_sersic": 1e-3,  # arcsec, at the same flux
    "source_n_sersic": 1e-2,  # at the same flux
    "source_e1": 2e-3,
    "source_e2": 2e-3,
    "source_center_x": 1e-3,  # arcsec
    "source_center_y": 1e-3,
    "a3_cos": 1e-4,  # multipoles: a_m times cos and sin of m delta_phi_m
    "a3_sin": 1e-4,
    "a4_cos": 1e-4,
    "a4_sin": 1e-4,
}
LN_FLUX_PER_MAG = -0.4 * np.log(10)
N_WIDTH = 5000  # lenses that widths are measured on: 1 % each
FIXED = 1e-9  # range of a parameter that is fixed, but for the rounding of its angle


def prior_width(domain: Domain) -> np.ndarray:
    """Standard deviation of every nuisance parameter in the domain's own population.

    Taken from draws, because some priors are not those of the parameters themselves: positions
    in Einstein radii, axis ratios with position angles, moduli of shear. A parameter that the
    population fixes has width 0; so has the flux where the magnitude is one number.

    Returns:
        (len(NUISANCE),) in the parameters' own units, the flux relative to itself.
    """
    where: dict[str, Any] = {"seed": 0, "split": "train", "start": 0, "stop": N_WIDTH}
    truth = draw_systems(domain, "no_sub", **where).truth
    columns = {**truth, "flux": LN_FLUX_PER_MAG * truth["source_magnitude"]}
    for m in (3, 4):
        columns[f"a{m}_cos"], columns[f"a{m}_sin"] = _multipole(truth, m)
    varies = {name: np.ptp(columns[name]) > FIXED for name in NUISANCE}
    return np.array([columns[name].std() if varies[name] else 0.0 for name in NUISANCE])


def images_of(systems: Systems, domain: Domain, *, precision: str) -> np.ndarray:
    """Noise-free images without the light of the lens, (N, pixels) float64, e-/s per pixel."""
    images = render(systems, domain, engine="numba", precision=precision)
    return images.reshape(len(systems), -1).astype(float)


def nudged(systems: Systems, name: str, step: float) -> Systems:
    """The same systems with one nuisance parameter (key of ``NUISANCE``) raised by ``step``."""
    truth = dict(systems.truth)
    if name == "flux":
        truth["source_amp"] = truth["source_amp"] * (1 + step)
    elif name[:3] in ("a3_", "a4_"):
        m = int(name[1])
        cos, sin = _multipole(truth, m)
        cos, sin = (cos + step, sin) if name.endswith("cos") else (cos, sin + step)
        truth[f"a{m}_a"], truth[f"delta_phi_m{m}"] = np.hypot(cos, sin), np.arctan2(sin, cos) / m
    else:
        truth[name] = truth[name] + step
    if name in ("source_R_sersic", "source_n_sersic"):
        truth["source_amp"] = truth["source_amp"] * (_unit(truth) / _unit(systems.truth))
    return Systems(systems.profile, truth, systems.offset, systems.perturbers)


def _multipole(truth: dict[str, np.ndarray], m: int) -> tuple[np.ndarray, np.ndarray]:
    """Strength of the multipole of order m times cos and sin of its angle."""
    strength, angle = truth[f"a{m}_a"], m * truth[f"delta_phi_m{m}"]
    return strength * np.cos(angle), strength * np.sin(angle)


def _unit(truth: dict[str, np.ndarray]) -> np.ndarray:
    """Amplitude of sources of flux one."""
    shapes = zip(truth["source_R_sersic"], truth["source_n_sersic"], strict=True)
    return np.array([sersic_amplitude(1.0, R_sersic=R, n_sersic=n) for R, n in shapes])


def jacobian(
    systems: Systems,
    domain: Domain,
    *,
    names: Sequence[str] = tuple(NUISANCE),
    step_scale: float = 1.0,
) -> np.ndarray:
    """Derivatives of the images by central differences of the kernel in float64.

    Args:
        systems: N smooth lenses.
        domain: camera and sampling.
        names: keys of ``NUISANCE``.
        step_scale: factor on every step.

    Returns:
        (N, pixels, len(names)) e-/s per pixel and unit of the parameter.
    """
    columns = []
    for name in names:
        h = NUISANCE[name] * step_scale
        up = images_of(nudged(systems, name, h), domain, precision="float64")
        down = images_of(nudged(systems, name, -h), domain, precision="float64")
        columns.append((up - down) / (2 * h))
    pixels = (len(systems), domain.num_pix**2)
    return np.stack(columns, axis=-1) if columns else np.empty((*pixels, 0))
