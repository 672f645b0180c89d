"""Lenses to fit, and settings that fit them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lensml.fit.camera import Level, Workspace
from lensml.fit.kernel import DARK, N_MAPS, model_maps
from lensml.fit.observed import Observed, observe
from lensml.fit.parameters import NAMES
from lensml.fit.starts import fit_reference
from lensml.fit.store import fit_block, seal_fit
from lensml.schema.fit import Fit
from lensml.schema.simulation import Domain
from lensml.simulate.systems import Systems

SEED = 5
CLASSES = ("no_sub", "cdm")
N_FITTED = 16  # images of a class and split
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
    return observe(domain, substructure, n=n, seed=seed, split=split)


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


@dataclass(frozen=True)
class FittedImages:
    """Images of two classes with their fits, as the workflow lays them out."""

    root: Path

    def stores(self, split: str) -> list[str]:
        """Images of every class."""
        return [str(self.root / "datasets" / "euclid" / c / f"{split}.zarr") for c in CLASSES]

    def fits(self, split: str) -> list[str]:
        """Their fits."""
        return [str(self.root / "fits" / "euclid" / c / f"{split}.zarr") for c in CLASSES]


def fitted_images(root: Path, domain: Domain, simulate_store: Callable[..., Path]) -> FittedImages:
    """Simulate and fit ``N_FITTED`` images of either class and split."""
    made = FittedImages(root)
    spec = fit_spec(n_reference=100)
    fit_reference(root / "reference.npz", domain, n=100, seed=1)
    for split in ("val", "test"):
        for name, store in zip(CLASSES, made.fits(split), strict=True):
            sizes = {"n_images": N_FITTED, "images_per_block": N_FITTED}
            images = simulate_store(root / "datasets", domain, name, split, **sizes)
            part = Path(store).with_name(f"{split}.parts") / "0.npz"
            block = {"spec": spec, "start": 0, "stop": N_FITTED}
            fit_block(images, root / "reference.npz", store, part, **block)
            seal_fit(images, store, [part], spec=spec)
    return made
