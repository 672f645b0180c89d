"""Regressions of the substructure's strength: runs, targets, tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lensml.physics.cosmology import lens_distances
from lensml.plan.classification import Classification, Row
from lensml.plan.datasets import Datasets
from lensml.plan.layout import filled
from lensml.schema.regression import TARGETS

BASELINES = ("prior", "radial_profile")


@dataclass(frozen=True)
class Regression(Datasets):
    """One network per class with a target, domain, encoder and seed."""

    @property
    def domains(self) -> list[str]:
        """Domains in which strengths are regressed."""
        return self.config.regression.domains

    @property
    def regressed(self) -> list[str]:
        """Classes that have a target."""
        return [s for s in self.classes if s in TARGETS]

    def target(self, wildcards: Any) -> dict[str, Any]:
        """What is regressed on the images of a class."""
        return {
            "substructure": wildcards.substructure,
            "einstein_mass": self.einstein_mass(wildcards.domain),
        }

    def einstein_mass(self, domain: str) -> float:
        """Msun inside an Einstein radius of 1 arcsec, as the domain deflects: its masses' unit."""
        population = self.config.domain(domain).population
        distances = lens_distances(
            population.cosmology, population.z_lens, population.z_source, population.distances
        )
        return float(distances.mass_of_theta_E(1.0)) / population.deflection_scale

    def start(self, wildcards: Any) -> list[str]:
        """Weights of the classifier that a regression starts from, if any."""
        if self.config.regression.initialise == "scratch":
            return []
        classifiers = Classification(self.config, self.in_storage)
        return [classifiers.weights(wildcards.domain, wildcards.encoder, wildcards.seed)]

    def rows(self, *domains: str) -> list[Row]:
        """Rows of the table: every network and baseline of every class.

        Args:
            domains: those alone; all by default.
        """
        found = []
        for domain in domains or self.domains:
            for substructure in self.regressed:
                where = {"domain": domain, "substructure": substructure}
                runs = [*self._networks(where), *self._baselines(where)]
                row = {**where, "target": TARGETS[substructure]}
                found += [
                    {**row, "model": m, "seed": s, "path": f"{run}/predictions.csv"}
                    for m, s, run in runs
                ]
        return found

    def _networks(self, where: dict[str, str]) -> list[tuple[str, int, str]]:
        """Model, seed and folder of every network."""
        return [
            (encoder, seed, filled(self.at.regression_run, where, encoder=encoder, seed=seed))
            for encoder in self.config.regression.encoders
            for seed in self.config.classifier.seeds
        ]

    def _baselines(self, where: dict[str, str]) -> list[tuple[str, int, str]]:
        pattern = self.at.regression_baseline
        return [(model, 0, filled(pattern, where, model=model)) for model in BASELINES]

    def baseline_files(self) -> dict[str, str]:
        """Predictions of the baselines, by name."""
        pattern = self.at.regression_baseline
        return {m: f"{pattern.replace('{model}', m)}/predictions.csv" for m in BASELINES}

    def networks(self, *domains: str) -> list[Row]:
        """Rows that are networks."""
        return [row for row in self.rows(*domains) if row["model"] not in BASELINES]

    def all_weights(self) -> list[str]:
        """Weights of every network."""
        return [
            row["path"].replace("predictions.csv", "weights.safetensors")
            for row in self.networks()
        ]

    def figures(self) -> list[str]:
        """Names of the figures."""
        return [f"regression/{d}" for d in self.domains]
