"""Classifiers and what is made of them: predictions, calibration, tables, transfer, export."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lensml.plan.datasets import Datasets
from lensml.plan.layout import filled
from lensml.schema.simulation import SPLITS
from lensml.schema.training import BASELINE, FIT_STATISTICS

Row = dict[str, Any]
Files = dict[str, list[str]]  # method or encoder -> one file per seed


def flat(files: Files) -> list[str]:
    """All files of a mapping in one list."""
    return [path for paths in files.values() for path in paths]


@dataclass(frozen=True)
class Classification(Datasets):
    """Every classifier of the configuration, and the baseline."""

    @property
    def domains(self) -> list[str]:
        """Domains that classifiers are trained on."""
        return self.config.classifier.domains

    @property
    def encoders(self) -> list[str]:
        """Encoders of the classifiers."""
        return self.config.classifier.encoders

    @property
    def seeds(self) -> list[int]:
        """Seeds of every classifier."""
        return self.config.classifier.seeds

    def run(self, domain: str, encoder: str, seed: int | str) -> str:
        """Folder of a classifier."""
        return filled(self.at.classifier_run, domain=domain, encoder=encoder, seed=seed)

    def weights(self, domain: str, encoder: str, seed: int | str) -> str:
        """Weights of a classifier."""
        return f"{self.run(domain, encoder, seed)}/weights.safetensors"

    def baseline(self, domain: str) -> str:
        """Predictions of the baseline."""
        return filled(self.at.classification_baseline, domain=domain)

    def _of_every_seed(self, domain: str, file: str) -> Files:
        return {
            encoder: [f"{self.run(domain, encoder, seed)}/{file}" for seed in self.seeds]
            for encoder in self.encoders
        }

    def predictions(self, domain: str) -> Files:
        """Predictions of every network of a domain, and of the baseline."""
        found = self._of_every_seed(domain, "predictions.csv")
        others = self.without_network(domain)
        return {**found, **{model: [path] for model, path in others.items()}}

    def without_network(self, domain: str) -> dict[str, str]:
        """Predictions of models that are no networks: the baseline, and numbers of the fits."""
        found = {BASELINE: self.baseline(domain)}
        if self.config.network_input.fitted:
            found[FIT_STATISTICS] = filled(self.at.fit_statistics, domain=domain)
        return found

    def fits_of(self, domain: str, split: str) -> list[str]:
        """Stores of fits of every class."""
        return [self.fit(domain, s, split) for s in self.classes]

    def fits_files(self, domain: str, *splits: str) -> list[str]:
        """What they wait for."""
        pairs = [(split, s) for split in splits for s in self.classes]
        return [file for split, s in pairs for file in self.fit_files(domain, s, split)]

    def histories(self, domain: str) -> Files:
        """Histories of every network of a domain."""
        return self._of_every_seed(domain, "history.csv")

    def compared_with(self, domain: str, encoder: str, seed: int) -> str:
        """Predictions that a network is compared with image by image; none for the reference."""
        reference = self.config.evaluation.compare_with
        if reference == encoder:
            return ""
        if reference == BASELINE:
            return self.baseline(domain)
        return f"{self.run(domain, reference, seed)}/predictions.csv"

    def rows(self, *domains: str) -> list[Row]:
        """Rows of the table: every network and the baseline.

        Args:
            domains: those alone; all by default.
        """
        return [row for d in domains or self.domains for row in self._rows_of(d)]

    def _rows_of(self, domain: str) -> list[Row]:
        networks = [
            {
                "domain": domain,
                "model": encoder,
                "seed": seed,
                "path": f"{folder}/predictions.csv",
                "calibration": f"{folder}/calibration.json",
                "validation": f"{folder}/validation.csv",
                "reference": self.compared_with(domain, encoder, seed),
            }
            for encoder in self.encoders
            for seed in self.seeds
            for folder in [self.run(domain, encoder, seed)]
        ]
        nothing = {"calibration": "", "validation": "", "reference": ""}
        others = [
            {"domain": domain, "model": model, "seed": 0, "path": path, **nothing}
            for model, path in self.without_network(domain).items()
        ]
        return networks + others

    def files(self, *domains: str) -> list[str]:
        """Predictions and calibrations behind the rows."""
        keys = ("path", "calibration", "validation")
        return [row[key] for row in self.rows(*domains) for key in keys if row[key]]

    def transfer_rows(self) -> list[Row]:
        """Every classifier, and the baseline, on every domain of its image size."""
        models = [(e, s) for e in self.encoders for s in self.seeds]
        return [
            {
                "domain": domain,
                "target_domain": target,
                "model": model,
                "seed": seed,
                "path": self._transferred(domain, target, model, seed),
            }
            for domain in self.domains
            for target in self.config.domains
            if self.img_size(target) == self.img_size(domain)
            for model, seed in [*models, (BASELINE, 0)]
        ]

    def _transferred(self, domain: str, target: str, model: str, seed: int) -> str:
        """Predictions of a model on a target's test images."""
        at_home = target == domain
        if model == BASELINE:
            pattern = self.at.classification_baseline if at_home else self.at.transfer_baseline
            return filled(pattern, domain=domain, target=target)
        pattern = self.at.classifier_run if at_home else self.at.transfer_run
        where = {"domain": domain, "target": target, "encoder": model, "seed": seed}
        return f"{filled(pattern, where)}/predictions.csv"

    def exports(self) -> list[str]:
        """Exported classifiers: the first seed of every encoder and domain."""
        return [
            f"{filled(self.at.export, domain=d, encoder=e, seed=self.seeds[0])}.{ending}"
            for d in self.domains
            for e in self.encoders
            for ending in ("onnx", "json")
        ]

    def cards(self) -> list[str]:
        """Model cards: of every seed of every encoder and domain."""
        return [
            f"{filled(self.at.card, domain=d, encoder=e, seed=s)}/README.md"
            for d in self.domains
            for e in self.encoders
            for s in self.seeds
        ]

    def described(self, domain: str) -> dict[str, Any]:
        """What a domain's classifiers say of themselves, beside what they were trained with."""
        return {
            "classes": self.classes,
            "symmetry": self.test_symmetry(domain),
            "judged_by": self.judged_by(domain),
            "about": {
                "label": self.config.labels[domain],
                "images": {split: self.config.simulation.count(split) for split in SPLITS},
                "confidence": self.config.evaluation.confidence,
            },
        }

    def figures(self) -> list[str]:
        """Names of the figures."""
        kinds = ("roc", "confusion", "history", "strength", "reliability")
        return [
            f"classification/{kind}_{d}"
            for d in self.domains
            for kind in kinds
            if kind != "strength" or self.simulated([d])
        ]

    def all_weights(self) -> list[str]:
        """Weights of every network."""
        return [
            self.weights(d, e, s) for d in self.domains for e in self.encoders for s in self.seeds
        ]
