"""Verdicts on observed cut-outs that were brought to a domain's pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from lensml.data.observed import Cutout
from lensml.evaluation.domain.facts import facts_of
from lensml.evaluation.domain.judge import N_IMAGES, ordinary_images
from lensml.evaluation.domain.verdict import Judge, Verdict
from lensml.fit.observed import Observed
from lensml.fit.smooth import SmoothFitter
from lensml.fit.starts import Reference, draw_reference
from lensml.schema.fit import Fit
from lensml.schema.simulation import Domain

RESAMPLED = ("correlation",)  # facts that bringing an image to other pixels changes
BLURRED = 1.05  # FWHM over the domain's, above which no image of the domain's camera is that soft


@dataclass(frozen=True)
class CutoutJudge:
    """Says of cut-outs on a domain's grid whether networks of the domain may judge them.

    Attributes:
        fitter: of smooth lenses in the domain's camera.
        reference: library of starts.
        judge: by the domain's validation images.
        background_rms: of the domain, e-/s per pixel, to which cut-outs are scaled.
        exposure_time: of the domain, s: photons of cut-outs without a noise map are taken to make
            as much noise.
    """

    fitter: SmoothFitter
    reference: Reference
    judge: Judge
    background_rms: float
    exposure_time: float

    @classmethod
    def of(
        cls,
        domain: Domain,
        substructures: Sequence[str],
        spec: Fit,
        folder: str | Path,
        *,
        seed: int,
        n_images: int = N_IMAGES,
    ) -> Self:
        """Of a domain.

        Args:
            domain: camera and population.
            substructures: classes, the one without substructure first.
            spec: of the fit; no potential is looked for.
            folder: see :func:`lensml.evaluation.domain.judge.ordinary_images`.
            seed: of the run.
            n_images: of a class, by which it judges.

        Raises:
            ValueError: no Sersic profile fits the domain's sources.
        """
        smooth = spec.model_copy(update={"potential": None})
        reference = draw_reference(domain, n=spec.n_reference, seed=seed)
        own = list(substructures)
        ordinary = ordinary_images(
            domain, own, smooth, reference, folder, seed=seed, n_images=n_images
        )
        exposure = float(ordinary.background_rms), float(ordinary.exposure_time)
        judge = ordinary.judge(without=RESAMPLED)
        return cls(SmoothFitter(domain, smooth), reference, judge, *exposure)

    def verdicts(self, cutouts: Sequence[Cutout]) -> list[Verdict]:
        """A verdict on each: every fact in order, and a PSF that is known and no wider."""
        if not cutouts:
            return []
        images = self._observed(cutouts)
        fitted = list(self.fitter.fit(images, self.reference))
        facts = facts_of(images, fitted, self.fitter.domain.instrument.pixel_scale)
        found = self.judge.judge(facts)
        return [self._with_psf(c, verdict) for c, verdict in zip(cutouts, found, strict=True)]

    def _observed(self, cutouts: Sequence[Cutout]) -> Observed:
        """In the domain's units: a cut-out's are those of its noise."""
        image = np.stack([c.image for c in cutouts]) * np.float32(self.background_rms)
        photons = np.array([c.photons for c in cutouts])
        times = np.where(np.isfinite(photons), photons / self.background_rms, self.exposure_time)
        return Observed(
            image.astype(np.float32),
            np.full(len(cutouts), self.background_rms, np.float32),
            times.astype(np.float32),
        )

    def _with_psf(self, cutout: Cutout, verdict: Verdict) -> Verdict:
        """No image tells its PSF: what is small and sharp could be large and blurred."""
        if not verdict.within or cutout.psf_ratio <= BLURRED:
            return verdict
        if np.isnan(cutout.psf_ratio):
            return Verdict(False, np.inf, "its PSF is not known: give psf or psf_fwhm")
        reason = f"its PSF is {cutout.psf_ratio:.2f} times as wide as the domain's"
        return Verdict(False, np.inf, reason)
