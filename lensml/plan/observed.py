"""Observed cut-outs: their files, and the networks that score them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensml.plan.datasets import Datasets, dump
from lensml.plan.layout import filled
from lensml.schema.observed import ObservedLens, files_of

KEY_LENGTH = 24  # letters of a lens's name in the names of its files


def key_of(name: str) -> str:
    """A file's name for a lens of any name: its letters, and what tells it from others."""
    letters = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:KEY_LENGTH]
    mark = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{letters}_{mark}" if letters else mark


@dataclass(frozen=True)
class Observed(Datasets):
    """Every cut-out, scored by the networks of one domain."""

    @property
    def domain(self) -> str:
        """Whose networks."""
        return self.config.observed.domain or self.config.classifier.domains[0]

    def files(self) -> list[str]:
        """Files of the cut-outs that exist: one that does not is a row with its reason."""
        return _existing(list(self.config.observed.lenses.values()))

    @property
    def lenses(self) -> dict[str, str]:
        """Key of a lens's files -> its name."""
        return {key_of(name): name for name in self.config.observed.lenses}

    def lens(self, key: str) -> ObservedLens:
        """A lens by its key."""
        return self.config.observed.lenses[self.lenses[key]]

    def files_of_lens(self, key: str) -> list[str]:
        """Those of its files that exist."""
        return _existing([self.lens(key)])

    def scored(self) -> list[str]:
        """Table and figure of the cut-outs that networks score.

        Raises:
            ValueError: the networks see fits of smooth lenses, which cut-outs have none of.
        """
        if self.lenses and self.config.network_input.fitted:
            raise ValueError(
                f"network_input.channels = {list(self.config.network_input.channels)}: observed "
                "cut-outs are not fitted as a domain's images are: networks that score them see "
                "[image] alone"
            )
        return self.at.table("observed") + self.at.figure("observed")

    def models(self) -> list[str]:
        """Rows of every modelled lens, in the order of the configuration."""
        return [filled(self.at.observed_model, key=key) + ".json" for key in self.lenses]

    def model_results(self) -> list[str]:
        """Table of the modelled lenses and a picture of each.

        Raises:
            ValueError: no lens is listed.
        """
        if not self.lenses:
            raise ValueError(
                "observed.lenses: is empty; list cut-outs there, each with its image, noise_map, "
                "psf and pixel_scale"
            )
        pictures = [self.at.figure(f"observed_models/{key}") for key in self.lenses]
        return self.at.table("observed_models") + [file for files in pictures for file in files]

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


def _existing(lenses: list[ObservedLens]) -> list[str]:
    files = dict.fromkeys(file for lens in lenses for file in files_of(lens))
    return [file for file in files if Path(file).exists()]
