"""How an image answers to its parameters: derivatives, and the signal of substructure."""

from __future__ import annotations

import numpy as np

from lensml.physics.light import sersic_amplitude
from lensml.schema.simulation import Domain
from lensml.simulate.render import render
from lensml.simulate.systems import Systems

# Nuisance parameters of lens and source: standard deviation of the prior, step of the difference.
# Steps stay well above a ray's reach into the cusp of a source and far below its size.
NUISANCE = {
    "theta_E": (0.3, 1e-3),  # arcsec
    "gamma": (0.2, 2e-3),
    "e1": (0.2, 2e-3),
    "e2": (0.2, 2e-3),
    "center_x": (0.05, 1e-3),  # arcsec
    "center_y": (0.05, 1e-3),
    "gamma1": (0.1, 1e-3),
    "gamma2": (0.1, 1e-3),
    "flux": (1.0, 1e-2),  # relative
    "source_R_sersic": (0.2, 1e-3),  # arcsec, at the same flux
    "source_n_sersic": (1.0, 1e-2),  # at the same flux
    "source_e1": (0.2, 2e-3),
    "source_e2": (0.2, 2e-3),
    "source_center_x": (0.2, 1e-3),  # arcsec
    "source_center_y": (0.2, 1e-3),
}
PRIOR_WIDTH = np.array([width for width, _ in NUISANCE.values()])


def images_of(systems: Systems, domain: Domain, *, precision: str) -> np.ndarray:
    """Noise-free images without the light of the lens, (N, pixels) float64, e-/s per pixel."""
    images = render(systems, domain, engine="numba", precision=precision)
    return images.reshape(len(systems), -1).astype(float)


def nudged(systems: Systems, name: str, step: float) -> Systems:
    """The same systems with one nuisance parameter (key of ``NUISANCE``) raised by ``step``."""
    truth = dict(systems.truth)
    if name == "flux":
        truth["source_amp"] = truth["source_amp"] * (1 + step)
    else:
        truth[name] = truth[name] + step
    if name in ("source_R_sersic", "source_n_sersic"):
        truth["source_amp"] = truth["source_amp"] * (_unit(truth) / _unit(systems.truth))
    return Systems(systems.profile, truth, systems.offset, systems.perturbers)


def _unit(truth: dict[str, np.ndarray]) -> np.ndarray:
    """Amplitude of sources of flux one."""
    shapes = zip(truth["source_R_sersic"], truth["source_n_sersic"], strict=True)
    return np.array([sersic_amplitude(1.0, R_sersic=R, n_sersic=n) for R, n in shapes])


def jacobian(systems: Systems, domain: Domain, *, step_scale: float = 1.0) -> np.ndarray:
    """Derivatives of the images by central differences of the kernel in float64.

    Args:
        systems: N smooth lenses.
        domain: camera and sampling.
        step_scale: factor on every step.

    Returns:
        (N, pixels, len(NUISANCE)) e-/s per pixel and unit of the parameter.
    """
    columns = []
    for name, (_, step) in NUISANCE.items():
        h = step * step_scale
        up = images_of(nudged(systems, name, h), domain, precision="float64")
        down = images_of(nudged(systems, name, -h), domain, precision="float64")
        columns.append((up - down) / (2 * h))
    return np.stack(columns, axis=-1)
