"""Pairs of domains in one camera: stores of either side, and what these are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lensml.plan.datasets import UNLABELLED, Datasets, dump
from lensml.plan.layout import filled

SOURCE, TARGET = "source", "target"


@dataclass(frozen=True)
class Harmony(Datasets):
    """Stores of a pair in the common camera: see ``adaptation.harmonise``."""

    def outputs(self) -> dict[str, str]:
        """What says what the cameras agree on, and of a fitted one how it was found."""
        fitted = self.config.adaptation.harmonise == "fitted"
        return {"harmony": self.at.harmony, **({"fit": self.at.camera_fit} if fitted else {})}

    def inputs(self, wildcards: Any) -> list[str]:
        """Images from which it is found: of the target no more than its pool."""
        return [*self.manifests(wildcards.source, "train"), *self.pool_files(wildcards.target)]

    def cameras(self, wildcards: Any) -> dict[str, Any]:
        """Domains whose cameras are known: the source, and the target if it is not fitted."""
        sides = [SOURCE] + [TARGET] * (self.config.adaptation.harmonise == "known")
        return {side: dump(self.config.domain(getattr(wildcards, side))) for side in sides}

    def file(self, wildcards: Any) -> str:
        """What the cameras of a pair agree on."""
        return filled(self.at.harmony, wildcards)

    def plain_store(self, wildcards: Any) -> str:
        """The store that a harmonised one is made of."""
        domain = getattr(wildcards, wildcards.side)
        return self.store(domain, wildcards.substructure, wildcards.split)

    def plain_files(self, wildcards: Any) -> list[str]:
        """What the rule waits for that harmonises it."""
        domain = getattr(wildcards, wildcards.side)
        return self.manifest(domain, wildcards.substructure, wildcards.split)

    def stored(self, wildcards: Any, side: str, substructure: str, split: str) -> str:
        """A store in the common camera."""
        pair = {"source": wildcards.source, "target": wildcards.target}
        where = {**pair, "side": side, "substructure": substructure, "split": split}
        return filled(self.at.harmonised_store, where)

    def labelled(self, wildcards: Any, side: str, split: str) -> list[str]:
        """Those of every class."""
        return [self.stored(wildcards, side, s, split) for s in self.classes]

    def waited_for(self, wildcards: Any, side: str, split: str) -> list[str]:
        """What a rule waits for that reads these."""
        stores = self.labelled(wildcards, side, split)
        return [file for store in stores for file in self.store_files(store)]

    def pooled(self, wildcards: Any) -> str:
        """The target's training images without their labels."""
        return self.stored(wildcards, TARGET, UNLABELLED, "train")
