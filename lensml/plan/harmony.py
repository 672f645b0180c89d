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

    @property
    def how(self) -> str:
        """Whether the target's camera is known or fitted; either has files of its own."""
        return self.config.adaptation.harmonise

    @property
    def agreed(self) -> str:
        """Pattern of the file that says what the cameras of a pair agree on."""
        return self.at.harmony(self.how)

    @property
    def stores_of_pairs(self) -> str:
        """Pattern of the stores in the common camera."""
        return self.at.harmonised_store(self.how)

    def needed_fit(self, wildcards: Any) -> list[str]:
        """The blind fit of the target's camera, where it is not known."""
        return [filled(self.at.camera_fit, wildcards)] if self.how == "fitted" else []

    def camera_fits(self) -> list[dict[str, Any]]:
        """Blind fits of every pair's target, beside the domains whose cameras are known."""
        pairs = [(pair.source, pair.target) for pair in self.config.adaptation.pairs]
        return [
            {
                "source_domain": source,
                "target_domain": target,
                "fit": filled(self.at.camera_fit, {"source": source, "target": target}),
                "source": dump(self.config.domain(source)),
                "target": dump(self.config.domain(target)),
            }
            for source, target in pairs
        ]

    def cameras_table(self) -> list[str]:
        """Files of the table of blind fits.

        Raises:
            ValueError: there is no pair.
        """
        if not self.config.adaptation.pairs:
            raise ValueError("adaptation.pairs is empty: cameras are fitted to targets of pairs")
        return self.at.table("cameras")

    def inputs(self, wildcards: Any) -> list[str]:
        """Images from which it is found: of the target no more than its pool."""
        return [*self.manifests(wildcards.source, "train"), *self.pool_files(wildcards.target)]

    def cameras(self, wildcards: Any) -> dict[str, Any]:
        """Domains whose cameras are known: the source, and the target if it is not fitted."""
        sides = [SOURCE] + [TARGET] * (self.how == "known")
        return {side: dump(self.config.domain(getattr(wildcards, side))) for side in sides}

    def file(self, wildcards: Any) -> str:
        """What the cameras of a pair agree on."""
        return filled(self.agreed, wildcards)

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
        return filled(self.stores_of_pairs, where)

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
