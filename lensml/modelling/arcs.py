"""Where arcs are: radii at which light stands above the lens galaxy's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lensml.modelling.field import Field
from lensml.modelling.light import SYSTEMATIC, LensLight

INNERMOST, OUTERMOST, STEP = 0.2, 2.6, 0.05  # arcsec of the radii that are tried
MOST = 3  # radii that are kept
FAINTEST = 0.15  # of the strongest peak, that are kept
STRONG = 0.6  # of the strongest peak: such ones say how far out the lens is modelled


@dataclass(frozen=True)
class Rings:
    """Radii of rings.

    Attributes:
        radii: (K,) arcsec, the most significant first.
        significance: (K,) of the light in each.
    """

    radii: np.ndarray
    significance: np.ndarray

    @property
    def outer(self) -> float:
        """Arcsec within which a lens is modelled: its main ring and what is around it."""
        strong = self.significance > STRONG * self.significance.max()
        return float(1.3 * self.radii[strong].max() + 0.2)

    @property
    def inner(self) -> float:
        """Arcsec beyond which: the light of the core is never modelled to its noise."""
        return float(0.3 * self.radii[self.significance > 0.5 * self.significance.max()].min())


def find_rings(field: Field, light: LensLight) -> Rings:
    """Peaks of the significance of light above the lens's, by radius."""
    radius = np.hypot(field.x - light.center[0], field.y - light.center[1])
    above = np.clip(np.where(field.known, field.image - light.image, 0.0), 0, None)
    variance = field.noise**2 + (SYSTEMATIC * light.image) ** 2
    radii = np.arange(INNERMOST, min(OUTERMOST, field.half_width - STEP), STEP)
    profile = np.zeros(len(radii))
    for k, r in enumerate(radii):
        ring = field.known & (np.abs(radius - r) < STEP + field.pixel_scale / 2)
        if ring.sum() > 5:
            profile[k] = above[ring].sum() / np.sqrt(variance[ring].sum())
    return _peaks(radii, profile)


def _peaks(radii: np.ndarray, profile: np.ndarray) -> Rings:
    inside = profile[1:-1]
    peaks = 1 + np.flatnonzero((inside >= profile[:-2]) & (inside > profile[2:]))
    if not len(peaks):
        peaks = np.array([int(profile.argmax())])
    best = peaks[np.argsort(-profile[peaks])][:MOST]
    best = best[profile[best] >= FAINTEST * profile[best[0]]]
    return Rings(radii[best], np.maximum(profile[best], 1e-9))
