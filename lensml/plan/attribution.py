"""Attribution maps: of which classifiers, tables, figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lensml.plan.classification import Row
from lensml.plan.datasets import Datasets
from lensml.plan.layout import filled

UNTRAINED = "none"  # model of the baselines' row


@dataclass(frozen=True)
class Attribution(Datasets):
    """Maps of every classifier that is asked for."""

    def rows(self) -> list[Row]:
        """Rows of the table: every network, and what needs none."""
        return [row for domain in self.config.attributed("domains") for row in self._rows(domain)]

    def _rows(self, domain: str) -> list[Row]:
        baselines = f"{self.at.root}/attribution/{domain}/baselines.csv"
        runs = [
            (encoder, seed, f"{self._run(domain, encoder, seed)}/scores.csv")
            for encoder in self.config.attributed("encoders")
            for seed in self.config.attributed("seeds")
        ]
        return [
            {"domain": domain, "model": m, "seed": seed, "path": path, "reference": baselines}
            for m, seed, path in [*runs, (UNTRAINED, 0, baselines)]
        ]

    def _run(self, domain: str, encoder: str, seed: int) -> str:
        return filled(self.at.maps_run, domain=domain, encoder=encoder, seed=seed)

    def examples(self, wildcards: Any) -> str:
        """Maps of the first seed, which the figure shows."""
        seed = self.config.attributed("seeds")[0]
        return f"{self._run(wildcards.domain, wildcards.encoder, seed)}/examples.npz"

    def results(self) -> list[str]:
        """Table and figures."""
        figures = [
            file
            for domain in self.config.attributed("domains")
            for encoder in self.config.attributed("encoders")
            for file in self.at.figure(f"attribution/{domain}_{encoder}")
        ]
        return self.at.table("attribution") + figures
