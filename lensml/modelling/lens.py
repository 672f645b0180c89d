"""From a cut-out to a model of the lens in it, automatically: the union of two ways to begin.

Starts about the rings with a Sersic source find lenses that starts straight with a source of
pixels miss, and the other way round. The best of both are refined, and the evidence chooses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.ndimage import binary_dilation, label

from lensml.data.observed import UnusableImageError
from lensml.modelling.arcs import Rings, find_rings
from lensml.modelling.field import Blur, Field
from lensml.modelling.light import LensLight, changes_of_light, fit_light, significance_above
from lensml.modelling.mass import NAMES
from lensml.modelling.pixel_source import PixelSource
from lensml.modelling.sersic import (
    SersicLens,
    Task,
    first_mass,
    first_source,
    fit_from_rings,
)

SCANNED = (0.65, 0.75, 0.85, 0.95, 1.05, 1.15, 1.3)  # of the main ring's radius
SCAN_NODES, SCAN_STEPS = 24, 6
NODES, STEPS = 36, 12
KEPT = {"sersic": 2, "pixels": 2}  # starts of either way that are refined
DISTINCT = 0.04  # relative difference of theta_E of two solutions that are not one
ARC_RADII = (0.9, 1.6)  # flux-weighted radius of the arcs over theta_E: others are no lens
BRIGHTEST_SHARE = 0.1  # of the arcs' peak: pixels that count for it
STRAY = 5.0  # standard deviations of light outside of the lens that no model explains
STRAY_PIXELS = 6


@dataclass(frozen=True)
class Candidate:
    """A solution.

    Attributes:
        way: 'sersic' or 'pixels', how it began.
        model: fitted.
        arc_radius: of the arcs, weighted by flux, over theta_E.
    """

    way: str
    model: PixelSource
    arc_radius: float

    @property
    def like_a_lens(self) -> bool:
        """Whether its arcs lie about the Einstein radius."""
        return ARC_RADII[0] <= self.arc_radius <= ARC_RADII[1]


@dataclass(frozen=True)
class LensModel:
    """A modelled lens.

    Attributes:
        field: what was modelled.
        light: of the lens, fitted before.
        rings: where arcs were looked for.
        sersic: best model with a Sersic source.
        candidates: solutions, the most probable first of those whose arcs lie about theta_E, and
            the others behind them.
        stray: (n, n) bool, light outside of the lens that was masked.
    """

    field: Field
    light: LensLight
    rings: Rings
    sersic: SersicLens
    candidates: Sequence[Candidate]
    stray: np.ndarray

    @property
    def best(self) -> PixelSource:
        """The most probable solution."""
        return self.candidates[0].model

    @property
    def parameters(self) -> dict[str, tuple[float, float]]:
        """Name, as in lenstronomy where it has one -> value and error (angles in arcsec)."""
        pairs = zip(self.best.mass, self.best.errors, strict=True)
        return {n: (float(v), float(e)) for n, (v, e) in zip(NAMES, pairs, strict=True)}


def model_field(field: Field, advance: Callable[[str], Any] = lambda _: None) -> LensModel:
    """Model a lens from nothing but its image.

    Args:
        field: image, noise and PSF.
        advance: told what is done next, for a progress bar.

    Raises:
        UnusableImageError: no start leads to a model.
    """
    advance("light of the lens")
    blur = Blur(field.psf, field.n)
    light = fit_light(field, blur)
    rings = find_rings(field, light)
    changes = changes_of_light(field, blur, light)
    task = Task.of(field, blur, light, changes, rings)
    advance("Sersic sources")
    fits = sorted(fit_from_rings(task, rings), key=lambda fit: fit.cost)
    stray = stray_light(task, fits[0])
    task = replace(task, used=task.used & ~stray)
    advance("sources of pixels")
    starts = [("sersic", f.mass, f.source, f.lens_light) for f in _distinct(fits)]
    starts += [("pixels", s.mass, s.source, light.image) for s in _scan(task, rings)]
    advance("refinement")
    candidates = _refine(task, starts, rings)
    if not candidates:
        raise UnusableImageError("no start leads to a model of a lens")
    return LensModel(field, light, rings, fits[0], candidates, stray)


def stray_light(task: Task, fit: SersicLens) -> np.ndarray:
    """Light outside of the lens that its model does not explain: neighbours, (n, n) bool."""
    field = task.field
    above = significance_above(field, fit.lens_light + fit.arcs)
    labelled: Any = label(above > STRAY)
    out = np.zeros_like(task.used)
    for k in range(1, labelled[1] + 1):
        spot = labelled[0] == k
        outside = (field.radius[spot] > 1.2 * fit.mass[0]).mean() > 0.7
        light = (field.image - task.light.image)[spot].sum()
        if spot.sum() >= STRAY_PIXELS and outside and fit.arcs[spot].sum() < 0.25 * light:
            out |= spot
    wider: Any = binary_dilation(out, iterations=max(round(0.1 / field.pixel_scale), 1))
    return wider


def _distinct(fits: Sequence[SersicLens]) -> list[SersicLens]:
    kept: list[SersicLens] = []
    for fit in fits:
        if all(abs(fit.mass[0] / other.mass[0] - 1) > DISTINCT for other in kept):
            kept.append(fit)
    return kept[: KEPT["sersic"]]


def _box(rings: Rings) -> float:
    return float(np.clip(0.45 * rings.radii[0], 0.12, 0.7))


def _scan(task: Task, rings: Rings) -> list[PixelSource]:
    """Straight with a source of pixels, from several radii."""
    found = []
    for share in SCANNED:
        theta_E = share * rings.radii[0]
        mass = first_mass(task, theta_E)
        source = first_source(task, mass, 0.35 * theta_E)
        source[1:5] = np.log(0.15 * theta_E + 0.05), 0, 0, 0
        model = _attempt(
            task, mass, source, task.light.image, rings, SCAN_NODES, SCAN_STEPS, False, 0.1
        )
        if model is not None and arc_radius(model) > ARC_RADII[0]:
            found.append(model)
    kept: list[PixelSource] = []
    for model in sorted(found, key=lambda model: -model.evidence):
        if all(abs(model.mass[0] / other.mass[0] - 1) > DISTINCT for other in kept):
            kept.append(model)
    return kept[: KEPT["pixels"]]


def _attempt(
    task: Task,
    mass: np.ndarray,
    source: np.ndarray,
    expected: np.ndarray,
    rings: Rings,
    m: int,
    steps: int,
    multipoles: bool,
    floor: float,
) -> PixelSource | None:
    """A fit, or None where it comes to nothing: no ray meets the source."""
    try:
        model = PixelSource(
            task,
            mass,
            source,
            m=m,
            multipoles=multipoles,
            expected=expected,
            box=_box(rings),
            floor=floor,
        )
        return model.fit(steps)
    except (ValueError, np.linalg.LinAlgError):
        return None


def _refine(
    task: Task, starts: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray]], rings: Rings
) -> list[Candidate]:
    found = []
    for way, mass, source, expected in starts:
        model = _attempt(task, mass, source, expected, rings, NODES, STEPS, True, 0.05)
        if model is not None:
            found.append(Candidate(way, model, arc_radius(model)))
    return sorted(found, key=lambda c: (not c.like_a_lens, -c.model.evidence))


def arc_radius(model: PixelSource) -> float:
    """Radius of the arcs about the lens, weighted by flux, over theta_E."""
    field, arcs = model.task.field, np.clip(model.arcs, 0, None)
    arcs = np.where(arcs > BRIGHTEST_SHARE * arcs.max(), arcs, 0)
    radius = np.hypot(field.x - model.mass[4], field.y - model.mass[5])
    return float((arcs * radius).sum() / max(arcs.sum(), 1e-300) / model.mass[0])
