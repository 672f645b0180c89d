"""Observed cut-outs: their files, and the networks that score them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensml.plan.datasets import Datasets, dump
from lensml.plan.layout import filled
from lensml.schema.observed import files_of


@dataclass(frozen=True)
class Observed(Datasets):
    """Every cut-out, scored by the networks of one domain."""

    @property
    def domain(self) -> str:
        """Whose networks."""
        return self.config.observed.domain or self.config.classifier.domains[0]

    def files(self) -> list[str]:
        """Files of the cut-outs that exist: one that does not is a row with its reason."""
        lenses = self.config.observed.lenses.values()
        files = dict.fromkeys(file for lens in lenses for file in files_of(lens))
        return [file for file in files if Path(file).exists()]

    def _classifiers(self) -> list[str]:
        """Folders of the classifiers of every seed, of the first encoder."""
        classifier = self.config.classifier
        return [
            filled(
                self.at.classifier_run,
                domain=self.domain,
                encoder=classifier.encoders[0],
                seed=seed,
            )
            for seed in classifier.seeds
        ]

    def classifiers(self) -> list[str]:
        """Their weights."""
        return [f"{run}/weights.safetensors" for run in self._classifiers()]

    def calibrations(self) -> list[str]:
        """Their temperatures."""
        return [f"{run}/calibration.json" for run in self._classifiers()]

    def detectors(self) -> list[str]:
        """Weights of the masked autoencoders, where the domain has some."""
        if self.domain not in self.config.anomaly.domains:
            return []
        seeds = self.config.anomaly.seeds
        runs = [filled(self.at.mae_run, domain=self.domain, seed=seed) for seed in seeds]
        return [f"{run}/weights.safetensors" for run in runs]

    def judged(self) -> dict[str, Any] | None:
        """The domain whose images cut-outs must be like; None if no lens fits its sources."""
        return next(iter(self._judged([self.domain])), None)

    def judged_domains(self) -> list[dict[str, Any]]:
        """Those of the classifiers whose images can be judged."""
        return self._judged(self.config.classifier.domains)

    def verdict_table(self) -> list[str]:
        """Files of the table of verdicts.

        Raises:
            ValueError: images of no classifier's domain can be judged.
        """
        if not self.judged_domains():
            raise ValueError(
                "classifier.domains: no smooth lens can be fitted to images of any of them, by "
                "which they would be judged"
            )
        return self.at.table("verdicts")

    def _judged(self, names: list[str]) -> list[dict[str, Any]]:
        domains = [self.config.domain(name) for name in names]
        fittable = [d for d in domains if d.population.source.galaxies is None]
        noisy = [d for d in fittable if d.instrument.noise != "none"]
        return [dump(d) for d in noisy if d.files is None]

    def grid(self) -> dict[str, float]:
        """Pixels that the networks know."""
        instrument = self.config.domain(self.domain).instrument
        return {
            "num_pix": self.img_size(self.domain),
            "pixel_scale": instrument.pixel_scale,
            "psf_fwhm": instrument.psf_fwhm,
        }
