"""Which jobs of adaptation read labels of a target: declared, and listed for every pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from lensml.plan.adaptation import ORACLE, REFERENCE, Adaptation, Development
from lensml.plan.classification import Row
from lensml.plan.datasets import Datasets
from lensml.plan.harmony import TARGET
from lensml.plan.layout import filled, manifest_of
from lensml.schema.adaptation import HARMONISED
from lensml.schema.training import BASELINE

Task = Literal["adaptation", "criteria", "development"]
EVALUATION = "evaluation after the fact"


class Reading(NamedTuple):
    """What a rule reads labels of a target for, and of which images."""

    split: str
    purpose: str


# Every other rule of adaptation is label-free: tests hold this against the inputs of all jobs.
# What is drawn or tabulated from these jobs' files reads the labels that they wrote down.
READINGS = {
    "harmonise_images": Reading("test", "test images brought to one camera, class by class"),
    "predict_radial_profile_transfer": Reading("test", EVALUATION),
    "predict_radial_profile_harmonised": Reading("test", EVALUATION),
    "predict_adapted": Reading("test", EVALUATION),
    "train_oracle": Reading("train and val", "training of the oracle"),
    "select_on_test": Reading("test", "choice of a step as for published numbers"),
    "embed_domains": Reading("test", "colours of the figure of embeddings"),
    "tabulate_adaptation": Reading("test", "table of the evaluation"),
    "tabulate_criteria": Reading("test", "comparison of criteria with the accuracy"),
    "predict_development": Reading("val", "choice of settings, on pairs that are not reported"),
    "tabulate_development": Reading("val", "choice of settings, on pairs that are not reported"),
}


@dataclass(frozen=True)
class LabelReads(Datasets):
    """Rows of the tables of who read labels of a target, a job each."""

    @property
    def adaptation(self) -> Adaptation:
        """Whose jobs these are."""
        return Adaptation(self.config, self.in_storage)

    def rows(self, task: Task) -> list[Row]:
        """Jobs that read labels: pair, job, model, method, seed, split, purpose, a file of it."""
        return {
            "adaptation": self._of_adaptation,
            "criteria": self._of_criteria,
            "development": self._of_development,
        }[task]()

    def _of_adaptation(self) -> list[Row]:
        rows = [row for pair in self.adaptation.pairs for row in self._of_pair(*pair)]
        return rows + self._of_table("adaptation")

    def _of_pair(self, source: str, target: str) -> list[Row]:
        pair = {"source_domain": source, "target_domain": target}
        own = [row for row in self.adaptation.rows() if pair.items() <= row.items()]
        return [*self._harmonised(source, target), *(_predicted(row) for row in own)] + [
            reading for row in own for reading in self._beside(row)
        ]

    def _harmonised(self, source: str, target: str) -> list[Row]:
        """The test images of a pair in the common camera."""
        if not self.config.adaptation.harmonises:
            return []
        pattern = self.adaptation.harmony.stores_of_pairs
        where = {"source": source, "target": target, "side": TARGET, "split": "test"}
        stores = [filled(pattern, where, substructure=s) for s in self.classes]
        pair = {"source_domain": source, "target_domain": target}
        return [_reading("harmonise_images", pair, manifest_of(store)) for store in stores]

    def _beside(self, row: Row) -> list[Row]:
        """What reads labels of the target beside the prediction of a run."""
        folder = row["path"].removesuffix("/predictions.csv")
        found = {
            ORACLE: ("train_oracle", "weights.safetensors"),
            "adda_test_selected": ("select_on_test", "selection.csv"),
        }
        if row["seed"] == self.adaptation.seeds[0]:
            found["adda"] = ("embed_domains", "embedding.csv")
        rule, file = found.get(row["method"], ("", ""))
        return [_reading(rule, row, f"{folder}/{file}")] if rule else []

    def _of_table(self, name: str) -> list[Row]:
        """A table that was made of predictions, for every pair."""
        return [
            _reading(
                f"tabulate_{name}",
                {"source_domain": source, "target_domain": target},
                self.at.table_csv(name),
            )
            for source, target in self.adaptation.pairs
        ]

    def _of_criteria(self) -> list[Row]:
        return self._of_table("criteria")

    def _of_development(self) -> list[Row]:
        rows = Development(self.config, self.in_storage).rows()
        pairs = [(pair.source, pair.target) for pair in self.config.development.pairs]
        return [
            *(_reading("predict_development", row, row["path"]) for row in rows),
            *(
                _reading(
                    "tabulate_development",
                    {"source_domain": source, "target_domain": target},
                    self.at.table_csv("development"),
                )
                for source, target in pairs
            ),
        ]


def _predicted(row: Row) -> Row:
    """The prediction of the target's test images by a network, or by the baseline."""
    rule = "predict_adapted"
    if row["model"] == BASELINE:
        rules = {REFERENCE: "transfer", HARMONISED: "harmonised"}
        rule = f"predict_radial_profile_{rules[row['method']]}"
    return _reading(rule, row, row["path"])


def _reading(rule: str, of: Row, file: str) -> Row:
    told = {key: of.get(key, "") for key in ("source_domain", "target_domain")}
    told |= {"job": rule, **{key: of.get(key, "") for key in ("model", "method", "seed")}}
    return {**told, **READINGS[rule]._asdict(), "file": file}
