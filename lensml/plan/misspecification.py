"""Fits that believe something wrong: a case of the configuration, a job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lensml.plan.classification import Row
from lensml.plan.datasets import Datasets, dump
from lensml.plan.layout import filled
from lensml.schema.misspecification import FitScore, resolve_case, scores_of, studied_domain


@dataclass(frozen=True)
class Misspecification(Datasets):
    """Cases of one domain."""

    @property
    def domain(self) -> str | None:
        """Whose lenses; None if none of the configuration can be fitted."""
        return studied_domain(self.config)

    @property
    def cases(self) -> list[str]:
        """Names of the cases."""
        possible = self.domain is not None and self.scores
        return list(self.config.misspecification.cases) if possible else []

    @property
    def scores(self) -> list[FitScore]:
        """What is asked of every fit."""
        return scores_of(self.config)

    @property
    def sample(self) -> dict[str, Any]:
        """Numbers of lenses, and scores."""
        return {**dump(self.config.misspecification.sample), "scores": self.scores}

    def case(self, wildcards: Any) -> dict[str, Any]:
        """Truth and belief of a job."""
        assert self.domain is not None  # else no job asks
        case = self.config.misspecification.cases[wildcards.variant]
        return dump(resolve_case(case, self.config.domain(self.domain), self.config.fit))

    @property
    def outputs(self) -> dict[str, list[str]]:
        """Pattern of the scores of test and of validation lenses."""
        return {
            kind: [f"{self.at.misspecified_run}/{kind}/{score}.csv" for score in self.scores]
            for kind in ("test", "validation")
        }

    def rows(self) -> list[Row]:
        """One row per case and score."""
        return [
            {
                "domain": str(self.domain),
                "case": case,
                "score": score,
                "seed": self.config.seed,
                "path": f"{folder}/test/{score}.csv",
                "validation": f"{folder}/validation/{score}.csv",
            }
            for case in self.cases
            for folder in [filled(self.at.misspecified_run, variant=case)]
            for score in self.scores
        ]

    def files(self) -> list[str]:
        """What the table is made of."""
        return [row[key] for row in self.rows() for key in ("path", "validation")]

    def results(self) -> list[str]:
        """The table, where a domain can be fitted."""
        return self.at.table("misspecification") if self.cases else []
