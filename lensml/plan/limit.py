"""The physical limit, and how near networks come to it."""

from __future__ import annotations

from dataclasses import dataclass

from lensml.plan.classification import Classification, Row
from lensml.plan.datasets import Datasets
from lensml.plan.layout import filled
from lensml.schema.training import BASELINE


@dataclass(frozen=True)
class Limit(Datasets):
    """Bounds of every domain, and networks on the grid of strengths and magnitudes."""

    @property
    def domains(self) -> list[str]:
        """Domains with a limit."""
        return self.config.limit_domains

    @property
    def grids(self) -> list[str]:
        """Those whose population has an f_sub, so that the grid is a figure."""
        limit = self.config.limit
        return [
            d
            for d in self.domains
            if self.config.domain(d).population.cdm.profile == "tnfw"
            and limit.f_sub
            and limit.magnitudes
        ]

    def bounds(self) -> list[str]:
        """The bounds of every domain."""
        return [f"{self.at.root}/limit/{d}.csv" for d in self.domains]

    def results(self) -> list[str]:
        """Table and figures of the bounds."""
        figures = [file for d in self.grids for file in self.at.figure(f"limit/auc_{d}")]
        return (self.at.table("limit") if self.domains else []) + figures

    @property
    def network_domains(self) -> list[str]:
        """Domains of classifiers that have a limit."""
        return [d for d in self.config.classifier.domains if d in self.domains]

    def network_tables(self) -> list[str]:
        """Networks beside the bounds, a table a domain."""
        return [f"{self.at.root}/limit/networks/{d}.csv" for d in self.network_domains]

    def network_results(self) -> list[str]:
        """Table and figures of the networks."""
        figures = [
            file
            for d in self.network_domains
            if d in self.grids
            for name in ("networks", "efficiency")
            for file in self.at.figure(f"limit/{name}_{d}")
        ]
        return (self.at.table("network_limit") if self.network_domains else []) + figures

    def network_runs(self, domain: str) -> list[Row]:
        """Predictions of every network and of the baseline, on test images and on the grid."""
        classifiers = Classification(self.config, self.in_storage)
        found = [
            {
                "model": encoder,
                "seed": seed,
                "test": f"{classifiers.run(domain, encoder, seed)}/predictions.csv",
                "grid": filled(
                    self.at.grid_predictions, domain=domain, encoder=encoder, seed=seed
                ),
            }
            for encoder in classifiers.encoders
            for seed in classifiers.seeds
        ]
        grid = filled(self.at.grid_baseline, domain=domain)
        test = classifiers.baseline(domain)
        found.append({"model": BASELINE, "seed": 0, "test": test, "grid": grid})
        return [run if domain in self.grids else {**run, "grid": ""} for run in found]

    def network_files(self, domain: str) -> list[str]:
        """The files of these."""
        runs = self.network_runs(domain)
        return [run[key] for run in runs for key in ("test", "grid") if run[key]]
