"""Stores of simulated images: which there are, and what a rule that reads them waits for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensml.plan.layout import Layout, filled, manifest_of, packed_of
from lensml.schema.base import Section
from lensml.schema.config import Config
from lensml.schema.simulation import SPLITS

UNLABELLED = "unlabelled"
PROXY = "proxy"  # class of distorted validation images


def dump(section: Section) -> dict[str, Any]:
    """A configuration section as plain data: what Snakemake compares to decide what is new."""
    return section.model_dump()


@dataclass(frozen=True)
class Datasets:
    """Stores of every domain, class and split; the base of every task's plan.

    Attributes:
        config: the whole configuration.
        in_storage: results live in object storage, where files travel one by one.
    """

    config: Config
    in_storage: bool = False

    @property
    def at(self) -> Layout:
        """Where results lie."""
        return Layout(self.config.results)

    @property
    def classes(self) -> list[str]:
        """Substructure classes, ``no_sub`` first."""
        return list(self.config.substructures)

    @property
    def imported(self) -> list[str]:
        """Domains whose images are in files: of them no truth is known."""
        return [name for name, d in self.config.resolved.items() if d.files is not None]

    def simulated(self, domains: Iterable[str]) -> list[str]:
        """Those of domains of which the truth is known."""
        return [name for name in domains if name not in self.imported]

    def store(self, domain: str, substructure: str, split: str) -> str:
        """A dataset."""
        return self.at.store(domain, substructure, split)

    def stores(self, domain: str, split: str) -> list[str]:
        """Those of every class."""
        return [self.store(domain, s, split) for s in self.classes]

    def pool(self, domain: str) -> str:
        """Training images of a domain without their labels."""
        return self.store(domain, UNLABELLED, "train")

    def n_blocks(self, split: str) -> int:
        """Blocks, which are chunks, of a split's stores."""
        simulation = self.config.simulation
        return -(-simulation.count(split) // simulation.images_per_block)

    def block_files(self, wildcards: Any) -> dict[str, list[str]]:
        """Chunks and parts that a store is sealed from."""
        blocks = range(self.n_blocks(wildcards.split))
        store = self.store(wildcards.domain, wildcards.substructure, wildcards.split)
        parts = store.removesuffix(".zarr") + ".parts"
        return {
            "chunks": [f"{store}/image/c/{b}/0/0" for b in blocks],
            "parts": [f"{parts}/{b}.npz" for b in blocks],
        }

    def packed(self, store: str) -> dict[str, str]:
        """A store's small files in one, where results live in object storage."""
        return {"packed": packed_of(store)} if self.in_storage else {}

    def sealed(self, store: str) -> dict[str, str]:
        """What the rule that completes a store writes, beside the store itself."""
        return {**self.packed(store), "manifest": manifest_of(store)}

    def store_files(self, store: str, n_chunks: int = 0) -> list[str]:
        """What a rule that reads a store waits for; in storage, also what it is made of.

        Args:
            store: path of it.
            n_chunks: that blocks made; none of a store that is packed whole.
        """
        chunks = [f"{store}/image/c/{b}/0/0" for b in range(n_chunks * self.in_storage)]
        return [manifest_of(store), *self.packed(store).values(), *chunks]

    def manifest(self, domain: str, substructure: str, split: str) -> list[str]:
        """The same of a dataset; pools without labels are packed whole."""
        n_chunks = self.n_blocks(split) if substructure in self.classes else 0
        return self.store_files(self.store(domain, substructure, split), n_chunks)

    def manifests(self, domain: str, *splits: str) -> list[str]:
        """The same of every class."""
        return [
            f for split in splits for s in self.classes for f in self.manifest(domain, s, split)
        ]

    def pool_files(self, domain: str) -> list[str]:
        """The same of a pool without labels."""
        return self.manifest(domain, UNLABELLED, "train")

    def fit(self, domain: str, substructure: str, split: str) -> str:
        """Store of the fits of a dataset, of a pool or of proxies."""
        return self.at.fit(domain, substructure, split)

    def fit_files(self, domain: str, substructure: str, split: str) -> list[str]:
        """What a rule that reads fits waits for."""
        n_chunks = self.n_blocks(split) if substructure in self.classes else 0
        maps = self.fit_maps(split)
        store = self.fit(domain, substructure, split)
        chunks = [
            f"{store}/{m}/c/{b}/0/0" for m in maps for b in range(n_chunks * self.in_storage)
        ]
        return [manifest_of(store), *self.packed(store).values(), *chunks]

    def fit_maps(self, split: str) -> list[str]:
        """Maps that fits hold: of training images without the convergence, unless it is a channel.

        The potential that explains a residual takes half of the time of a fit.
        """
        potential = self.config.fit.potential is not None
        wanted = split != "train" or "kappa" in self.config.network_input.channels
        return ["residual", "model", *(["kappa", "kappa_std"] if potential and wanted else [])]

    def seen(self, domain: str, *splits: str, fitted: bool | None = None) -> list[str]:
        """What a rule waits for that shows images of every class to a network.

        Args:
            domain: of the images.
            splits: of them.
            fitted: whether a channel comes from fits; None: as configured.
        """
        pairs = [(split, s) for split in splits for s in self.classes]
        return [file for split, s in pairs for file in self.seen_of(domain, s, split, fitted)]

    def seen_of(
        self, domain: str, substructure: str, split: str, fitted: bool | None = None
    ) -> list[str]:
        """The same of one class, or of the pool without labels."""
        images = self.manifest(domain, substructure, split)
        fitted = self.config.network_input.fitted if fitted is None else fitted
        return images + (self.fit_files(domain, substructure, split) if fitted else [])

    def all_manifests(self) -> list[str]:
        """Every dataset of the configuration."""
        return [file for domain in self.config.domains for file in self.manifests(domain, *SPLITS)]

    def simulation_params(self, wildcards: Any) -> dict[str, Any]:
        """Everything that the images of a store depend on, except their number."""
        simulation = self.config.simulation
        return {
            **self._of_store(wildcards),
            "engine": simulation.engine,
            "precision": simulation.precision,
        }

    def title(self, domain: str) -> str:
        """What images of a domain show, as a title has it."""
        label = self.config.labels[domain]
        if domain in self.imported:
            return label
        return f"{self.config.domain(domain).population.description}, {label}"

    def import_params(self, wildcards: Any) -> dict[str, Any]:
        """Everything that the stored images of files depend on, but for the files."""
        counts = {split: self.config.simulation.count(split) for split in SPLITS}
        return {**self._of_store(wildcards), "counts": counts}

    def _of_store(self, wildcards: Any) -> dict[str, Any]:
        return {
            "domain": dump(self.config.domain(wildcards.domain)),
            "substructure": wildcards.substructure,
            "split": wildcards.split,
            "seed": self.config.seed,
            "images_per_block": self.config.simulation.images_per_block,
        }

    def files_of(self, wildcards: Any) -> list[str]:
        """Where the images of a class lie: a table, an array with its labels, or a folder.

        A folder is new where a file was added or taken away.
        """
        files = self.config.domain(wildcards.domain).files
        if files is None:
            return []
        if files.folder is None:
            places = (files.table, files.array, files.labels_table)
            return [place for place in places if place is not None]
        called: dict[str, str] = {**files.classes}
        substructure, root = str(wildcards.substructure), Path(files.folder)
        name = called.get(substructure, substructure)
        of_split = root / wildcards.split / name
        return [str(of_split if of_split.is_dir() else root / name)]

    def block_range(self, wildcards: Any) -> dict[str, int]:
        """Images of a block: only the last one changes when a dataset grows."""
        size = self.config.simulation.images_per_block
        start = int(wildcards.block) * size
        stop = min(start + size, self.config.simulation.count(wildcards.split))
        return {"start": start, "stop": stop}

    def symmetry(self, domain: str) -> str:
        """Exact symmetry of a domain's population."""
        return self.config.domain(domain).population.symmetry

    def test_symmetry(self, domain: str) -> str:
        """That over which predictions are averaged."""
        averaged = self.config.classifier.test_time_augmentation
        return self.symmetry(domain) if averaged else "none"

    def judged_by(self, domain: str) -> dict[str, Any]:
        """What it takes to tell whether an image is of a domain."""
        return {
            "domain": dump(self.config.domain(domain)),
            "fit": dump(self.config.fit),
            "seed": self.config.seed,
        }

    def img_size(self, domain: str) -> int:
        """Pixels per axis that a network sees."""
        return self.config.network_input.img_size(self.config.domain(domain).num_pix)

    def pixel_scale(self, domain: str) -> float:
        """Arcsec per pixel."""
        return self.config.domain(domain).instrument.pixel_scale

    def audits(self, rows: Iterable[Mapping[str, Any]], *keys: str) -> list[str]:
        """Audits of the domains that rows of a table name: a result is flagged if its data failed.

        Args:
            rows: of the table.
            keys: of the rows that hold a domain.
        """
        named = self.simulated(sorted({row[key] for row in rows for key in keys}))
        return [filled(self.at.audit, domain=domain) for domain in named]
