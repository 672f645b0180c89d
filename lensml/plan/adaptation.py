"""Classifiers carried from one domain to another: pairs, methods, starts, tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lensml.plan.classification import Classification, Files, Row
from lensml.plan.datasets import UNLABELLED, Datasets, dump
from lensml.plan.harmony import SOURCE, TARGET, Harmony
from lensml.plan.layout import filled
from lensml.schema.adaptation import HARMONISED, ON_PLAIN_IMAGES
from lensml.schema.adaptation import Adaptation as Section
from lensml.schema.development import changed, configured_values, trial_values
from lensml.schema.training import BASELINE

REFERENCE = "source_only"  # what every method is compared with
ORACLE = "oracle"
UNTRAINED = (REFERENCE,)  # methods without weights of their own
CRITERIA = ("starts", "criteria")  # keys of rows that name files of label-free criteria
STAGES = {REFERENCE, HARMONISED, "adda", ORACLE}  # of the figure of every pair
SEES_LABELS = (ORACLE, "adda_test_selected")  # of the target


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

    def labels(self, wildcards: Any) -> dict[str, str]:
        """Labels of both domains of a pair."""
        return {name: self.config.labels[name] for name in (wildcards.source, wildcards.target)}

    def label(self, wildcards: Any) -> str:
        """A pair as a title has it."""
        return " to ".join(self.labels(wildcards).values())

    @property
    def harmony(self) -> Harmony:
        """Stores of the pairs in their common cameras."""
        return Harmony(self.config, self.in_storage)

    def harmonised(self, wildcards: Any) -> bool:
        """Whether a method sees images of the common camera."""
        method = getattr(wildcards, "method", None)
        return self.config.adaptation.harmonises and method not in ON_PLAIN_IMAGES

    def labelled(self, wildcards: Any, side: str, split: str) -> list[str]:
        """Stores of every class of a side, as methods see them."""
        if self.harmonised(wildcards):
            return self.harmony.labelled(wildcards, side, split)
        return self.stores(getattr(wildcards, side), split)

    def seen_labelled(self, wildcards: Any, side: str, split: str) -> list[str]:
        """What a rule waits for that shows these to a network."""
        if self.harmonised(wildcards):
            return self.harmony.waited_for(wildcards, side, split)
        return self.seen(getattr(wildcards, side), split)

    def train_stores(self, wildcards: Any) -> list[str]:
        """Labelled training images."""
        return self.labelled(wildcards, SOURCE, "train")

    def seen_to_train(self, wildcards: Any) -> list[str]:
        """What a rule waits for that trains on them."""
        return self.seen_labelled(wildcards, SOURCE, "train")

    def target_pool(self, wildcards: Any) -> str:
        """The target's training images, without labels."""
        if self.harmonised(wildcards):
            return self.harmony.pooled(wildcards)
        return self.pool(wildcards.target)

    def seen_pool(self, wildcards: Any) -> list[str]:
        """What a rule waits for that trains on them."""
        if self.harmonised(wildcards):
            return self.store_files(self.harmony.pooled(wildcards))
        return self.seen_of(wildcards.target, UNLABELLED, "train")

    def test_stores(self, wildcards: Any) -> list[str]:
        """The target's test images."""
        return self.labelled(wildcards, TARGET, "test")

    def seen_to_test(self, wildcards: Any) -> list[str]:
        """What a rule waits for that reads them."""
        return self.seen_labelled(wildcards, TARGET, "test")

    def source_weights(self, wildcards: Any) -> str:
        """The classifier of the source as it is."""
        return self.classifiers.weights(wildcards.source, wildcards.encoder, wildcards.seed)

    def start(self, wildcards: Any) -> str:
        """The classifier that methods adapt: the source's, or what became of it in one camera."""
        if self.config.adaptation.harmonises:
            return self._weights(wildcards, HARMONISED)
        return self.source_weights(wildcards)

    def adda_start(self, wildcards: Any) -> str:
        """The classifier that ADDA adapts: the source's, or another method's."""
        start = self.config.adaptation.adda.start
        if start == REFERENCE:
            return self.source_weights(wildcards)
        return self._weights(wildcards, HARMONISED if start == "harmonised" else start)

    def _weights(self, wildcards: Any, method: str) -> str:
        run = filled(self.at.adapted_run, {**wildcards, "method": method})
        return f"{run}/weights.safetensors"

    def predicting_weights(self, wildcards: Any) -> str:
        """Weights that a method predicts with; source-only has none of its own."""
        if wildcards.method in UNTRAINED:
            return self.source_weights(wildcards)
        return f"{filled(self.at.adapted_run, wildcards)}/weights.safetensors"

    def settings(self, wildcards: Any) -> dict[str, Any]:
        """A method's own section."""
        return dump(getattr(self.config.adaptation, wildcards.method))

    def criteria(self, rows: list[Row]) -> list[str]:
        """Files of label-free criteria that rows name."""
        named = [file for row in rows for key in CRITERIA for file in row.get(key, ())]
        return list(dict.fromkeys(named))

    def rows(self) -> list[Row]:
        """Rows of the table: every method of every pair, and the baseline."""
        return self._networks() + [row for pair in self.pairs for row in self._baselines(*pair)]

    def _networks(self) -> list[Row]:
        return [
            self._row(source, target, encoder, method, seed)
            for source, target in self.pairs
            for encoder in self.config.adaptation.encoders
            for method in self.methods(encoder)
            for seed in self.seeds
        ]

    def _baselines(self, source: str, target: str) -> list[Row]:
        """The baseline that is fitted to the source's images, and to those of one camera."""
        plain = filled(self.at.transfer_baseline, domain=source, target=target)
        paths = {REFERENCE: plain}
        if self.config.adaptation.harmonises:
            paths[HARMONISED] = filled(self.at.harmonised_baseline, source=source, target=target)
        return [
            {
                "source_domain": source,
                "target_domain": target,
                "model": BASELINE,
                "method": method,
                "seed": 0,
                "path": path,
                "reference": "" if path == plain else plain,
                "oracle": "",
            }
            for method, path in paths.items()
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
            **self._compared_at_the_start(*run),
        }

    def _compared_at_the_start(
        self, source: str, target: str, encoder: str, method: str, seed: int
    ) -> Row:
        """Of a harmonised pair predictions of where a method began, so that gains are its own.

        Of ADDA that began there also the label-free criteria of both, for the gate; of the source
        on harmonised images those of the source as it is, too, for the choice between the two.
        """
        if not self.config.adaptation.harmonises:
            return {}
        run = (source, target, encoder, method, seed)
        plain = method in ON_PLAIN_IMAGES
        found: Row = {"harmonised": "" if plain else self._compared(*run, HARMONISED)}
        if method == "adda" and self.config.adaptation.adda.start == "harmonised":
            found["criteria"] = self._criteria_of(*run[:3], (HARMONISED, method), seed)
        if method == HARMONISED and REFERENCE in self.methods(encoder):
            found["starts"] = self._criteria_of(*run[:3], (REFERENCE, HARMONISED), seed)
        return found

    def _criteria_of(
        self, source: str, target: str, encoder: str, methods: tuple[str, str], seed: int
    ) -> list[str]:
        """Files of the label-free criteria of two methods."""
        runs = (self.adapted(source, target, encoder, m, seed) for m in methods)
        return [f"{folder}/criteria.json" for folder in runs]

    def _compared(
        self, source: str, target: str, encoder: str, method: str, seed: int, *others: str
    ) -> str:
        """Predictions of the first of ``others``; none for these, or where one is missing."""
        if method in others or not set(others) <= set(self.methods(encoder)):
            return ""
        return f"{self.adapted(source, target, encoder, others[0], seed)}/predictions.csv"

    def judged(self) -> list[Row]:
        """Runs on which criteria without labels are compared: those that saw no target label."""
        return [
            {
                **{name: row[name] for name in ("source_domain", "target_domain", "path")},
                "criterion_file": row["path"].replace("predictions.csv", "criteria.json"),
            }
            for row in self._networks()
            if row["method"] not in SEES_LABELS
        ]

    def criteria_results(self) -> list[str]:
        """Table and figure of the criteria.

        Raises:
            ValueError: nothing is adapted.
        """
        if not self.pairs:
            raise ValueError("adaptation.pairs is empty: criteria are compared on adapted runs")
        tables = [*self.at.table("criteria"), *self.at.table("label_reads_criteria")]
        return [*tables, *self.at.figure("adaptation/criteria")]

    def figures(self) -> list[str]:
        """Names of the figures."""
        kinds = ["roc", "confusion", "summary"]
        kinds += ["history", "embedding"] if "adda" in self.config.adaptation.methods else []
        names = [
            f"adaptation/{kind}_{source}_{target}_{encoder}"
            for source, target in self.pairs
            for encoder in self.config.adaptation.encoders
            for kind in kinds
        ]
        return [*names, *(["adaptation/pairs"] if self._on_the_way else [])]

    @property
    def _on_the_way(self) -> bool:
        """Whether a network of a pair is one of those that the figure of every pair shows."""
        return bool(self.pairs) and bool(STAGES & set(self.config.adaptation.methods))

    def all_weights(self) -> list[str]:
        """Weights of every run that has some."""
        return [
            row["path"].replace("predictions.csv", "weights.safetensors")
            for row in self._networks()
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
        tables = [*self.at.table("development"), *self.at.table("label_reads_development")]
        return [*tables, f"{self.at.root}/development/best.yaml"]
