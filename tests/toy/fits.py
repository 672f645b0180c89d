"""Lenses to fit, and settings that fit them."""

from __future__ import annotations

from typing import Any

import numpy as np

from lensml.fit.camera import Level, Workspace
from lensml.fit.kernel import DARK, N_MAPS, model_maps
from lensml.fit.observed import Observed
from lensml.fit.parameters import NAMES
from lensml.schema.fit import Fit
from lensml.schema.simulation import Domain
from lensml.simulate.noise import add_noise
from lensml.simulate.render import render, with_lens_light
from lensml.simulate.systems import Systems, draw_systems

SEED = 5
POTENTIAL = {"n_modes": 8, "slope": 4.0, "amplitude": 1.8e-6}
ALL = np.arange(len(NAMES))


def fit_spec(**changes: Any) -> Fit:
    """Settings as they would be shipped, with changes."""
    settings = {
        "n_reference": 1000,
        "n_starts": 3,
        "first_steps": 4,
        "coarse_steps": 20,
        "fine_steps": 15,
        "coarse_tolerance": 3.0,
        "fine_tolerance": 0.05,
        "multipoles": "none",
        "potential": POTENTIAL,
    }
    return Fit.model_validate({**settings, **changes})


def simulated(
    domain: Domain, substructure: str, n: int, *, split: str = "test", seed: int = SEED
) -> tuple[Systems, Observed]:
    """Systems of a class and what is observed of them."""
    systems = draw_systems(domain, substructure, seed=seed, split=split, start=0, stop=n)
    clean = render(systems, domain, engine="numba", precision="float32")
    clean, light = with_lens_light(clean, systems, domain, precision="float32")
    where = {"seed": seed, "domain": domain.name, "split": split, "start": 0}
    image = add_noise(clean, systems, **where, subtracted=light)
    exposure = {name: systems.truth[name] for name in ("background_rms", "exposure_time")}
    return systems, Observed(image, **exposure, subtracted=light)


def maps_of(
    domain: Domain,
    x: np.ndarray,
    *,
    background_rms: float,
    wanted: np.ndarray = ALL,
    psf: np.ndarray | None = None,
) -> np.ndarray:
    """The kernel's maps of parameters x, (N_MAPS, n, n), at the domain's own sampling."""
    level = Level.of(
        domain, psf, ss=domain.supersampling_factor, refinement=domain.refinement_factor
    )
    work = Workspace.of(level, domain.num_pix)
    maps = np.zeros((N_MAPS, domain.num_pix, domain.num_pix), np.float32)
    cut = np.float32(DARK * background_rms / domain.instrument.pixel_scale**2)
    model_maps(maps, x, level, work, wanted, cut)
    return maps
