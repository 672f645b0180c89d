"""What the targets of the workflow ask for: tables, figures, weights of every task."""

from __future__ import annotations

from dataclasses import dataclass

from lensml.plan.adaptation import Adaptation
from lensml.plan.anomaly import Anomaly
from lensml.plan.classification import Classification
from lensml.plan.datasets import Datasets
from lensml.plan.fits import Fits
from lensml.plan.regression import Regression


@dataclass(frozen=True)
class Results(Datasets):
    """Everything that a plain run makes."""

    @property
    def _tasks(self) -> tuple[Classification, Adaptation, Anomaly, Regression]:
        kinds = (Classification, Adaptation, Anomaly, Regression)
        return tuple(kind(self.config, self.in_storage) for kind in kinds)  # type: ignore[return-value]

    def tables(self) -> list[str]:
        """Tables of every task."""
        classification, adaptation, anomaly, regression = self._tasks
        names = ["classification"]
        names += ["adaptation", "label_reads_adaptation"] if adaptation.pairs else []
        names += ["anomaly"] if anomaly.domains else []
        names += ["regression"] if regression.domains else []
        names += ["fits"] if Fits(self.config, self.in_storage).domains() else []
        kinds = ("strength", "reliability")
        strong = self.simulated(classification.domains)
        of_domains = [
            self.at.table_csv(f"{kind}_{domain}")
            for kind in kinds
            for domain in (strong if kind == "strength" else classification.domains)
        ]
        tables = [file for name in names for file in self.at.table(name)]
        return tables + of_domains + anomaly.strength_tables()

    def audit(self) -> list[str]:
        """The audit's table."""
        return self.at.table("audit") if self.simulated(self.config.domains) else []

    def figures(self) -> list[str]:
        """Figures of every task."""
        names = [f"gallery/{d}" for d in self.config.domains]
        names += [name for task in self._tasks for name in task.figures()]
        return [file for name in names for file in self.at.figure(name)]

    def weights(self) -> list[str]:
        """Weights of every run."""
        return list(dict.fromkeys(file for task in self._tasks for file in task.all_weights()))

    def anomaly(self) -> list[str]:
        """Table and figures of anomaly detection alone."""
        anomaly = self._tasks[2]
        figures = [file for name in anomaly.figures() for file in self.at.figure(name)]
        return self.at.table("anomaly") + anomaly.strength_tables() + figures

    def regression(self) -> list[str]:
        """Table and figures of the regressions alone."""
        regression = self._tasks[3]
        figures = [file for name in regression.figures() for file in self.at.figure(name)]
        return self.at.table("regression") + figures
