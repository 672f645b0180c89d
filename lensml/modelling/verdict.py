"""What may be said of a modelled lens, in order: is there an arc, is it a lens, is the model good?

The limits were set on fourteen observed lenses and on galaxies that are none; they are no rates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lensml.data.observed import UnusableImageError
from lensml.modelling.lens import LensModel
from lensml.modelling.mass import bounds

INNER, OUTER = 0.4, 1.5  # of theta_E: where arcs are judged
LEAST_PEAK = 3.0
LEAST_MATCHED = 20.0
LEAST_GAIN = 0.1  # of ln evidence by the source, per pixel
LEAST_OPPOSITE = 10.0
LEAST_GAP = 20.0  # of ln evidence to the next solution that is another
LARGEST_SHEAR, LARGEST_ELLIPTICITY = 0.25, 0.5
SLOPES = (1.5, 2.5)
ADEQUATE, MARGINAL = 1.5, 3.0  # chi2 in the arcs over that of blank sky
MOST_NEGATIVE = 0.3  # of a source's light: 0.21 in observed lenses, 0.55 in an image turned over
LEAST_REACH = 1.2  # of theta_E, from the lens to the edge of the cut-out
ANOTHER = 0.04  # relative difference of theta_E
NEAR_BOUND = 1e-3


@dataclass(frozen=True)
class Facts:
    """What is measured of a modelled lens.

    Attributes:
        peak: S/N of the brightest pixel of the arcs.
        matched: S/N of the arcs by their model.
        opposite: the same of what lies on the other side of the lens from the brightest.
        gain: ln evidence that the source brings, per pixel.
        gap: ln evidence to the next other solution; infinite where there is none.
        arc_radius: of the arcs, weighted by flux, over theta_E.
        chi2_light, chi2: per pixel of the arcs with the light of the lens alone, and with all.
        chi2_blank: of blank sky.
        arc_flux: of the arcs over that of lens and arcs.
        negative: light of the source below 0 over that above.
        reach: from the lens to the edge of the cut-out, over theta_E.
    """

    peak: float
    matched: float
    opposite: float
    gain: float
    gap: float
    arc_radius: float
    chi2_light: float
    chi2: float
    chi2_blank: float
    arc_flux: float
    negative: float
    reach: float

    @property
    def chi2_ratio(self) -> float:
        """Of the arcs over blank sky, whose scatter is never taken to be above the noise map's.

        Where it is, there is light at the border, or the map is too low: neither is the model's
        merit.
        """
        return self.chi2 / min(self.chi2_blank, 1.0)

    @property
    def explained(self) -> float:
        """Share of what the light of the lens leaves that the model explains."""
        above = max(self.chi2_light - self.chi2_blank, 1e-9)
        return float(np.clip((self.chi2_light - self.chi2) / above, -1, 1))


def facts_of(lens: LensModel) -> Facts:
    """Measure a modelled lens.

    Raises:
        UnusableImageError: no pixel that was modelled lies where its arcs would be.
    """
    best, field = lens.best, lens.field
    theta_E, center = best.mass[0], best.mass[4:6]
    radius = np.hypot(field.x - center[0], field.y - center[1])
    where = best.task.used & (radius > INNER * theta_E) & (radius < OUTER * theta_E)
    if not where.any():
        raise UnusableImageError(f"nothing is modelled about its {theta_E:.2f} arcsec of theta_E")
    arcs, above = best.arcs, field.image - best.lens_light
    left = above - arcs
    angle = np.arctan2(field.y - center[1], field.x - center[0])
    brightest = np.where(where, arcs, 0).argmax()
    other_side = np.cos(angle - angle.ravel()[brightest]) < -0.2
    opposite = where & other_side & (arcs > 0.05 * arcs[where].max())
    flux = np.clip(above[where], 0, None).sum()
    light = lens.light.image
    inside = field.known & (radius < OUTER * theta_E)
    return Facts(
        peak=float((arcs / field.noise)[where].max()),
        matched=_matched(above, arcs, field.noise, where),
        opposite=_matched(above, arcs, field.noise, opposite),
        gain=_gain(lens),
        gap=_gap(lens),
        arc_radius=lens.candidates[0].arc_radius,
        chi2_light=float((((field.image - light) / field.noise)[where] ** 2).mean()),
        chi2=float(((left / field.noise)[where] ** 2).mean()),
        chi2_blank=field.blank_chi2,
        arc_flux=float(flux / max(field.image[inside].sum(), 1e-300)),
        negative=float(
            -np.minimum(best.nodes, 0).sum() / max(np.maximum(best.nodes, 0).sum(), 1e-300)
        ),
        reach=float(field.half_width / theta_E),
    )


def _matched(
    data: np.ndarray, template: np.ndarray, noise: np.ndarray, where: np.ndarray
) -> float:
    power = (template / noise)[where] ** 2
    if power.sum() <= 0:
        return 0.0
    return float((data * template / noise**2)[where].sum() / np.sqrt(power.sum()))


def _gain(lens: LensModel) -> float:
    """Gain in ln evidence of light and source over that of the light alone, per pixel."""
    best = lens.best
    columns = best.columns.astype(float)
    precision = columns.T @ columns + np.diag(best.precision)
    projected = best.data @ columns
    chi2 = best.data @ best.data - projected @ np.linalg.solve(precision, projected)
    alone = -0.5 * chi2 - 0.5 * np.linalg.slogdet(precision)[1]
    return float((best.evidence - alone) / len(best.index))


def _gap(lens: LensModel) -> float:
    theta_E, evidence = lens.best.mass[0], lens.best.evidence
    others = [
        evidence - c.model.evidence
        for c in lens.candidates[1:]
        if c.like_a_lens and abs(c.model.mass[0] / theta_E - 1) > ANOTHER
    ]
    return float(min(others, default=np.inf))


def reasons_against(lens: LensModel, facts: Facts) -> list[str]:
    """Why it is not said to be a lens, a line each; the first one is what to look at."""
    arc = [
        (facts.peak < LEAST_PEAK, f"no arc: brightest pixel at S/N {facts.peak:.1f}"),
        (facts.matched < LEAST_MATCHED, f"no arc: S/N {facts.matched:.0f} in all"),
        (facts.gain < LEAST_GAIN, f"a source gains {facts.gain:.2f} of ln evidence a pixel"),
        (facts.negative > MOST_NEGATIVE, f"{facts.negative:.0%} of the source's light is below 0"),
    ]
    geometry = [
        (facts.reach < LEAST_REACH, f"the cut-out ends at {facts.reach:.2f} theta_E"),
        (facts.opposite < LEAST_OPPOSITE, f"S/N {facts.opposite:.0f} opposite the brightest arc"),
        (
            not lens.candidates[0].like_a_lens,
            f"arcs lie at {facts.arc_radius:.2f} theta_E",
        ),
        (
            facts.gap < LEAST_GAP,
            f"another solution is as probable (ln evidence {facts.gap:.0f} less)",
        ),
    ]
    return [reason for found, reason in (*arc, *geometry, *_at_bounds(lens)) if found]


def _at_bounds(lens: LensModel) -> list[tuple[bool, str]]:
    mass = lens.best.mass
    lowest, highest = bounds(lens.best.task.light.center)
    center = mass[4:6]
    at_edge = (center - lowest[4:6] < NEAR_BOUND) | (highest[4:6] - center < NEAR_BOUND)
    shear, ellipticity = np.hypot(*mass[6:8]), np.hypot(*mass[2:4])
    return [
        (bool(shear > LARGEST_SHEAR), f"shear of {shear:.2f}"),
        (bool(ellipticity > LARGEST_ELLIPTICITY), f"ellipticity of {ellipticity:.2f}"),
        (not SLOPES[0] < mass[1] < SLOPES[1], f"slope gamma of {mass[1]:.2f}"),
        (bool(at_edge.any()), "the mass lies off the light"),
    ]


def adequacy(facts: Facts) -> str:
    """Of the smooth model: 'adequate', 'marginal' or 'inadequate'."""
    if facts.chi2_ratio <= ADEQUATE:
        return "adequate"
    return "marginal" if facts.chi2_ratio <= MARGINAL else "inadequate"


def statement_of(lens: LensModel, facts: Facts) -> str:
    """What may be said of a lens, in words."""
    against = reasons_against(lens, facts)
    if against:
        return f"not said to be a lens: {against[0]}"
    return f"a lens; smooth model {adequacy(facts)}"
