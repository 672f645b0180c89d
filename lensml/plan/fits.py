"""Fits of smooth lenses: of which images, in which blocks, with which settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lensml.plan.datasets import PROXY, Datasets, dump
from lensml.plan.layout import filled, manifest_of
from lensml.schema.simulation import SPLITS


@dataclass(frozen=True)
class Fits(Datasets):
    """Fits of every dataset, of pools and of proxies."""

    def images(self, wildcards: Any) -> str:
        """Store that is fitted."""
        if wildcards.substructure == PROXY:
            return filled(self.at.proxies, domain=wildcards.domain)
        return self.store(wildcards.domain, wildcards.substructure, wildcards.split)

    def image_files(self, wildcards: Any) -> list[str]:
        """What a fit waits for."""
        if wildcards.substructure == PROXY:
            return self.store_files(self.images(wildcards))
        return self.manifest(wildcards.domain, wildcards.substructure, wildcards.split)

    def spec(self, split: str) -> dict[str, Any]:
        """Settings of the fits of a split."""
        whole = dump(self.config.fit)
        return whole if "kappa" in self.fit_maps(split) else {**whole, "potential": None}

    def n_images(self, wildcards: Any) -> int:
        """Images of a store."""
        n = self.config.simulation.count(wildcards.split)
        proxies = self.config.anomaly.proxies.n_images
        return min(n, proxies) if wildcards.substructure == PROXY else n

    def block_of(self, wildcards: Any) -> dict[str, int]:
        """Images of a block."""
        size = self.config.simulation.images_per_block
        start = int(wildcards.block) * size
        return {"start": start, "stop": min(start + size, self.n_images(wildcards))}

    def block_outputs(self, split: str) -> dict[str, str]:
        """Pattern of what a block of such a split writes: a chunk of every map, and columns."""
        store = self.at.any_fit
        chunks = {name: f"{store}/{name}/c/{{block}}/0/0" for name in self.fit_maps(split)}
        return {**chunks, "part": store.replace(".zarr", ".parts") + "/{block}.npz"}

    def blocks(self, wildcards: Any) -> dict[str, list[str]]:
        """Chunks and columns that a store is sealed from."""
        size = self.config.simulation.images_per_block
        blocks = range(-(-self.n_images(wildcards) // size))
        store = self.fit(wildcards.domain, wildcards.substructure, wildcards.split)
        parts = store.removesuffix(".zarr") + ".parts"
        return {
            "chunks": [
                f"{store}/{name}/c/{b}/0/0"
                for name in self.fit_maps(wildcards.split)
                for b in blocks
            ],
            "parts": [f"{parts}/{b}.npz" for b in blocks],
        }

    def labelled(self, domain: str) -> list[str]:
        """Fits of the training images of every class, which make those of the pool."""
        return [self.fit(domain, s, "train") for s in self.classes]

    def labelled_files(self, domain: str) -> list[str]:
        """What these wait for."""
        return [file for s in self.classes for file in self.fit_files(domain, s, "train")]

    def domains(self) -> list[str]:
        """Domains whose test images a plain run fits, of every class."""
        config = self.config
        found = list(config.anomaly.domains) if config.anomaly.smooth_fit else []
        if config.network_input.fitted:
            found += [*config.classifier.domains, *config.regression.domains]
            found += [d for pair in config.adaptation.pairs for d in (pair.source, pair.target)]
        return list(dict.fromkeys(found))

    def rows(self) -> list[dict[str, str]]:
        """Rows of the table of fits: test images of every class."""
        return [
            {
                "domain": domain,
                "substructure": s,
                "images": self.store(domain, s, "test"),
                "fits": self.fit(domain, s, "test"),
            }
            for domain in self.domains()
            for s in self.classes
        ]

    def rows_files(self) -> list[str]:
        """What these wait for."""
        pairs = [(domain, s) for domain in self.domains() for s in self.classes]
        files = [self.manifest(d, s, "test") + self.fit_files(d, s, "test") for d, s in pairs]
        return [file for some in files for file in some]

    def all_files(self, domains: list[str]) -> list[str]:
        """Every store of fits of domains."""
        return [
            manifest_of(self.fit(domain, s, split))
            for domain in domains
            for s in self.classes
            for split in SPLITS
        ]
