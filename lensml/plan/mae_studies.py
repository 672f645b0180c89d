"""Studies of the masked autoencoder: one setting at a time, and as the start of a classifier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lensml.plan.classification import Row
from lensml.plan.datasets import Datasets, dump
from lensml.plan.layout import filled
from lensml.schema.anomaly import Scoring
from lensml.schema.pretraining import STARTS, few_labels, mae_encoder, pretraining_recipe
from lensml.schema.steps import steps_of
from lensml.schema.sweep import (
    N_TRAIN,
    Factor,
    configured,
    misfits_of_sweep,
    retrained,
    swept,
)

SCRATCH = "scratch"


@dataclass(frozen=True)
class Sweep(Datasets):
    """The masked autoencoder with one setting changed at a time."""

    @property
    def domain(self) -> str:
        """Whose images."""
        return self.config.sweep.domain or (self.config.anomaly.domains or self.config.domains)[0]

    def variants(self) -> dict[str, tuple[Factor, Any]]:
        """Name of a run -> (factor, value); not more images than there are."""
        n_train = self.config.simulation.n_train
        pairs: list[tuple[Factor, Any]] = [
            (factor, min(value, n_train) if factor == N_TRAIN else value)
            for factor, values in self.config.sweep.vary.items()
            for value in values
        ]
        return {f"{factor}-{value}": (factor, value) for factor, value in pairs}

    def results(self) -> list[str]:
        """Table and figure.

        Raises:
            ValueError: a run cannot have one of the values.
        """
        for factor, value, reason in misfits_of_sweep(self.config):
            raise ValueError(f"sweep.vary.{factor} = {value}: {reason}")
        return [*self.at.table("sweep"), *self.at.figure("sweep")]

    def scoring(self, wildcards: Any) -> Scoring:
        """The masked autoencoder of a run and its scoring."""
        return swept(self.config.anomaly, *self.variants()[wildcards.variant])

    def weights(self, wildcards: Any) -> str:
        """Weights of a run; those of the configured one where scores alone differ."""
        factor, value = self.variants()[wildcards.variant]
        n_train = self.config.simulation.n_train
        shipped = value == configured(self.config.anomaly, factor, n_train)
        pattern = self.at.swept_run if retrained(factor) and not shipped else self.at.mae_run
        return f"{filled(pattern, wildcards, domain=self.domain)}/weights.safetensors"

    def n_train(self, wildcards: Any) -> int | None:
        """Training images of a run; None for all."""
        factor, value = self.variants()[wildcards.variant]
        return value if factor == N_TRAIN else None

    def rows(self) -> list[Row]:
        """One row per value of every factor, score and seed."""
        return [
            {
                "domain": self.domain,
                "factor": factor,
                "setting": value,
                "score": score,
                "seed": seed,
                "path": f"{folder}/scores/{score}.csv",
                "proxies": f"{folder}/proxies/{score}.csv",
            }
            for variant, (factor, value) in self.variants().items()
            for score in self.config.sweep.scores
            for seed in self.config.sweep.seeds
            for folder in [filled(self.at.swept_run, variant=variant, seed=seed)]
        ]

    def shipped(self) -> dict[str, Any]:
        """Factor -> its value outside the sweep, to be marked in the figure."""
        n_train = self.config.simulation.n_train
        factors = self.config.sweep.vary
        return {factor: configured(self.config.anomaly, factor, n_train) for factor in factors}


@dataclass(frozen=True)
class Pretraining(Datasets):
    """Classifiers on a share of the labels, from the masked autoencoder and from scratch."""

    @property
    def domain(self) -> str:
        """Whose images."""
        return self.config.pretraining.domain or self.config.classifier.domains[0]

    def mae(self, wildcards: Any) -> str:
        """Weights of the masked autoencoder of the same seed, or of its first."""
        seed, seeds = int(wildcards.seed), self.config.anomaly.seeds
        run = filled(self.at.mae_run, domain=self.domain, seed=seed if seed in seeds else seeds[0])
        return f"{run}/weights.safetensors"

    def start(self, wildcards: Any) -> list[str]:
        """What a run starts from, if anything."""
        return [self.mae(wildcards)] if wildcards.start == "pretrained" else []

    def labelled(self, split: str) -> Callable[[Any], int]:
        """Images of every class that a run may use: a share of those of a split."""
        return lambda wildcards: self._share(float(wildcards.fraction), split)

    def results(self) -> list[str]:
        """Table and figure.

        Raises:
            ValueError: a share of the labels leaves next to nothing of so few images.
        """
        simulation = self.config.simulation
        fewest = min(simulation.n_train, simulation.n_val)
        for fraction in self.config.pretraining.fractions:
            if round(fraction * fewest) < 2:
                raise ValueError(f"pretraining.fractions = {fraction}: {few_labels(fewest)}")
        return [*self.at.table("pretraining"), *self.at.figure("pretraining")]

    def _share(self, fraction: float, split: str) -> int:
        return max(round(fraction * self.config.simulation.count(split)), 2)

    def recipe(self, wildcards: Any) -> dict[str, Any]:
        """Encoder and training of a run."""
        epochs = {"epochs": self.config.pretraining.epochs}
        if wildcards.start == "shipped":
            encoder = self.config.encoders[self.config.classifier.encoders[0]]
            recipe = self.config.classifier.recipe.model_copy(update=epochs)
        else:
            encoder = mae_encoder(self.config.anomaly.mae)
            recipe = pretraining_recipe(self.config.pretraining, self.config.classifier.recipe)
        return {"encoder": dump(encoder), "classifier": dump(recipe)}

    def steps(self) -> int:
        """Of every run."""
        epochs = {"epochs": self.config.pretraining.epochs}
        recipe = self.config.classifier.recipe.model_copy(update=epochs)
        n_train = self.config.simulation.n_train
        return steps_of(recipe, n_train=n_train, n_classes=len(self.classes))

    def rows(self) -> list[Row]:
        """Predictions of every start, share of the labels and seed, beside those from scratch."""
        return [
            {
                "domain": self.domain,
                "start": start,
                "n_train": self._share(fraction, "train"),
                "seed": seed,
                "path": self._predictions(start, fraction, seed),
                "reference": (
                    "" if start == SCRATCH else self._predictions(SCRATCH, fraction, seed)
                ),
            }
            for start in STARTS
            for fraction in self.config.pretraining.fractions
            for seed in self.config.pretraining.seeds
        ]

    def _predictions(self, start: str, fraction: float, seed: int) -> str:
        run = filled(self.at.started_run, start=start, fraction=fraction, seed=seed)
        return f"{run}/predictions.csv"
