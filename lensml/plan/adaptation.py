"""Classifiers carried from one domain to another: pairs, methods, starts, tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lensml.plan.classification import Classification, Files, Row
from lensml.plan.datasets import Datasets, dump
from lensml.plan.layout import filled
from lensml.schema.adaptation import Adaptation as Section
from lensml.schema.development import changed, configured_values, trial_values

REFERENCE = "source_only"  # what every method is compared with
ORACLE = "oracle"
UNTRAINED = (REFERENCE,)  # methods without weights of their own


@dataclass(frozen=True)
class Adaptation(Datasets):
    """Every method on every pair of domains."""

    @property
    def classifiers(self) -> Classification:
        """What is adapted."""
        return Classification(self.config, self.in_storage)

    @property
    def seeds(self) -> list[int]:
        """Seeds of the classifiers, and so of what they become."""
        return self.config.classifier.seeds

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Source and target of every pair."""
        return [(pair.source, pair.target) for pair in self.config.adaptation.pairs]

    def methods(self, encoder: str) -> list[str]:
        """Methods that apply to an encoder: AdaBN needs batch norm, which a plain ViT has not."""
        plain = self.config.encoders[encoder].kind == "vit"
        return [m for m in self.config.adaptation.methods if not (plain and m == "adabn")]

    def adapted(self, source: str, target: str, encoder: str, method: str, seed: int) -> str:
        """Folder of a run."""
        where = {"source": source, "target": target, "encoder": encoder}
        return filled(self.at.adapted_run, where, method=method, seed=seed)

    def of_every_method(self, source: str, target: str, encoder: str, file: str) -> Files:
        """Method -> a file of every seed."""
        return {
            m: [f"{self.adapted(source, target, encoder, m, s)}/{file}" for s in self.seeds]
            for m in self.methods(encoder)
        }

    def of(self, method: str) -> str:
        """Pattern of a method's runs."""
        return self.at.adapted_run.replace("{method}", method)

    def predictions(self, wildcards: Any) -> Files:
        """Method -> predictions of every seed."""
        pair = (wildcards.source, wildcards.target, wildcards.encoder)
        return self.of_every_method(*pair, "predictions.csv")

    def adda_histories(self, wildcards: Any) -> list[str]:
        """Histories of ADDA, one per seed."""
        runs = [filled(self.of("adda"), wildcards, seed=seed) for seed in self.seeds]
        return [f"{run}/history.csv" for run in runs]

    def embedding(self, wildcards: Any) -> str:
        """Embeddings before and after ADDA of the first seed."""
        return f"{filled(self.of('adda'), wildcards, seed=self.seeds[0])}/embedding.csv"

    def source_weights(self, wildcards: Any) -> str:
        """The classifier that is adapted."""
        return self.classifiers.weights(wildcards.source, wildcards.encoder, wildcards.seed)

    def adda_start(self, wildcards: Any) -> str:
        """The classifier that ADDA adapts: the source's, or one trained on distorted images."""
        start = self.config.adaptation.adda.start
        if start == REFERENCE:
            return self.source_weights(wildcards)
        return f"{filled(self.at.adapted_run, {**wildcards, 'method': start})}/weights.safetensors"

    def predicting_weights(self, wildcards: Any) -> str:
        """Weights that a method predicts with; source-only has none of its own."""
        if wildcards.method in UNTRAINED:
            return self.source_weights(wildcards)
        return f"{filled(self.at.adapted_run, wildcards)}/weights.safetensors"

    def settings(self, wildcards: Any) -> dict[str, Any]:
        """A method's own section."""
        return dump(getattr(self.config.adaptation, wildcards.method))

    def rows(self) -> list[Row]:
        """Rows of the table: every method of every pair."""
        return [
            self._row(source, target, encoder, method, seed)
            for source, target in self.pairs
            for encoder in self.config.adaptation.encoders
            for method in self.methods(encoder)
            for seed in self.seeds
        ]

    def _row(self, source: str, target: str, encoder: str, method: str, seed: int) -> Row:
        run = (source, target, encoder, method, seed)
        return {
            "source_domain": source,
            "target_domain": target,
            "model": encoder,
            "method": method,
            "seed": seed,
            "path": f"{self.adapted(*run)}/predictions.csv",
            "reference": self._compared(*run, REFERENCE),
            "oracle": self._compared(*run, ORACLE, REFERENCE),
        }

    def _compared(
        self, source: str, target: str, encoder: str, method: str, seed: int, *others: str
    ) -> str:
        """Predictions of the first of ``others``; none for these, or where one is missing."""
        if method in others or not set(others) <= set(self.methods(encoder)):
            return ""
        return f"{self.adapted(source, target, encoder, others[0], seed)}/predictions.csv"

    def figures(self) -> list[str]:
        """Names of the figures."""
        kinds = ["roc", "confusion", "summary"]
        kinds += ["history", "embedding"] if "adda" in self.config.adaptation.methods else []
        return [
            f"adaptation/{kind}_{source}_{target}_{encoder}"
            for source, target in self.pairs
            for encoder in self.config.adaptation.encoders
            for kind in kinds
        ]

    def all_weights(self) -> list[str]:
        """Weights of every run that has some."""
        return [
            row["path"].replace("predictions.csv", "weights.safetensors")
            for row in self.rows()
            if row["method"] not in UNTRAINED
        ]


@dataclass(frozen=True)
class Development(Datasets):
    """Trials of adaptation's settings, on pairs that are not reported."""

    def trial(self, method: str, trial: int | str) -> Section:
        """The section of adaptation as a trial of a method changes it."""
        values = trial_values(self.config.development, method, int(trial), self.config.seed)
        return changed(self.config.adaptation, values)

    def section(self, method: str, trial: int | str, section: str) -> dict[str, Any]:
        """One part of it."""
        return dump(getattr(self.trial(method, trial), section))

    def source_weights(self, wildcards: Any) -> str:
        """The source classifier that a trial adapts."""
        classifiers = Classification(self.config, self.in_storage)
        encoder = self.config.development.encoder
        return classifiers.weights(wildcards.source, encoder, wildcards.seed)

    def adda_start(self, wildcards: Any) -> str:
        """The classifier that a trial of ADDA adapts: see :meth:`Adaptation.adda_start`."""
        start = self.trial("adda", wildcards.trial).adda.start
        if start == REFERENCE:
            return self.source_weights(wildcards)
        run = filled(self.at.development_run, {**wildcards, "method": start, "trial": 0})
        return f"{run}/weights.safetensors"

    def rows(self) -> list[Row]:
        """Rows of the table: every trial of every method, pair and seed."""
        spec = self.config.development
        return [
            {
                "source_domain": pair.source,
                "target_domain": pair.target,
                "method": method,
                "trial": trial,
                "values": trial_values(spec, method, trial, self.config.seed),
                "configured": configured_values(spec, method, self.config.adaptation),
                "seed": seed,
                "path": self._validation(dump(pair), method, trial, seed),
                "reference": self._validation(dump(pair), method, 0, seed) if trial else "",
            }
            for method in spec.methods
            for pair in spec.pairs
            for trial in range(spec.n_trials)
            for seed in spec.seeds
        ]

    def _validation(self, pair: dict[str, str], method: str, trial: int, seed: int) -> str:
        run = filled(self.at.development_run, pair, method=method, trial=trial, seed=seed)
        return f"{run}/validation.csv"

    def results(self) -> list[str]:
        """Table and chosen settings.

        Raises:
            ValueError: nothing is developed without a pair.
        """
        if not self.config.development.pairs:
            raise ValueError(
                "development.pairs is empty: name sources and targets whose labels may be used "
                "(config/development.yaml does)"
            )
        return [*self.at.table("development"), f"{self.at.root}/development/best.yaml"]
