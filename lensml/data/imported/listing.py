"""Which images a class and split of a domain of files consists of."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np

from lensml.data.imported.reading import ENDINGS, count
from lensml.schema.files import ImageFiles
from lensml.schema.simulation import SPLITS

KNOWN = ("background_rms", "exposure_time")  # of an image, in columns of a table


@dataclass(frozen=True)
class Entry:
    """An image.

    Attributes:
        path: of its file.
        index: place in it where it holds several; -1 where it is the only one.
        group: lens that it shows; images of one stay in one split.
        background_rms: in the file's unit per pixel; None to be measured.
        exposure_time: s; None where it is not known.
    """

    path: Path
    index: int
    group: str
    background_rms: float | None = None
    exposure_time: float | None = None

    @property
    def system_id(self) -> int:
        """Number of the lens, 63 bits: that over which intervals are taken."""
        digest = hashlib.sha256(self.group.encode()).digest()
        return int.from_bytes(digest[:8], "big") >> 1


def entries_of(
    files: ImageFiles,
    substructure: str,
    split: str,
    counts: Mapping[str, int],
    *,
    seed: int,
) -> list[Entry]:
    """The images of a class and split, as many as are asked for.

    Splits are those that folders or the table give; else groups are drawn into them at random.

    Args:
        files: where images lie.
        substructure: class.
        split: 'train', 'val' or 'test'.
        counts: images of every split.
        seed: of the draw.

    Raises:
        FileNotFoundError: a folder is missing.
        ValueError: there are too few images; says how many there are.
    """
    called: dict[str, str] = {**files.classes}
    name = called.get(substructure, substructure)
    given = _in_table(files.table, name) if files.table else _in_folders(files.folder, name)
    where = f"{files.table or files.folder}: class '{name}'"
    if split in given:
        found, wanted = given[split], {split: counts[split]}
    elif any(s in given for s in SPLITS):
        raise ValueError(f"{where} has {_told(given)}, and no split '{split}'")
    else:
        found, wanted = given[""], dict(counts)
    entries = _drawn(found, wanted, split, seed=[seed, crc32(name.encode())])
    if len(entries) < counts[split]:
        raise ValueError(
            f"{where} has {_told(given)}; asked for are {counts[split]} for '{split}'"
            f" (simulation.n_{split})" + ("" if split in given else f" of {sum(counts.values())}")
        )
    return entries[: counts[split]]


def _told(given: Mapping[str, Sequence[Entry]]) -> str:
    texts = [f"{len(e)} images" + (f" for '{s}'" if s else "") for s, e in given.items()]
    return ", ".join(texts)


def _drawn(
    entries: Sequence[Entry], counts: Mapping[str, int], split: str, *, seed: Sequence[int]
) -> list[Entry]:
    """Entries of a split: groups in a random order fill one split after the other."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.group, []).append(entry)
    names = sorted(groups)
    order = iter(np.random.default_rng(seed).permutation(len(names)))
    found: list[Entry] = []
    for each in [s for s in SPLITS if s in counts]:
        found = []
        while len(found) < counts[each]:
            k = next(order, None)
            if k is None:
                return found if each == split else []
            found += groups[names[k]]
        if each == split:
            break
    return found


def _in_folders(folder: str | None, name: str) -> dict[str, list[Entry]]:
    """Split -> images of a class; the split '' where folders do not say."""
    root = Path(folder or "")
    split_folders = {s: root / s / name for s in SPLITS if (root / s / name).is_dir()}
    folders = split_folders or {"": root / name}
    if not split_folders and not folders[""].is_dir():
        raise FileNotFoundError(
            f"{root}: has neither a folder '{name}' nor 'train/{name}'; the classes' folders are "
            "named in files.classes"
        )
    return {split: _entries(path) for split, path in folders.items()}


def _entries(folder: Path) -> list[Entry]:
    paths = sorted(p for p in folder.rglob("*") if p.name.lower().endswith(ENDINGS))
    found = []
    for path in paths:
        n = count(path)
        indices = [-1] if n == 1 else range(n)
        found += [Entry(path, i, str(path if i < 0 else f"{path}[{i}]")) for i in indices]
    return found


def _in_table(table: str, name: str) -> dict[str, list[Entry]]:
    path = Path(table)
    with path.open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    if not rows or not {"image", "class"} <= set(rows[0]):
        raise ValueError(f"{path}: has columns 'image' and 'class', and a row for each image")
    found: dict[str, list[Entry]] = {}
    for number, row in enumerate(rows, start=2):
        split = (row.get("split") or "").strip()
        if split and split not in SPLITS:
            allowed = ", ".join(SPLITS)
            raise ValueError(f"{path}, line {number}: split is '{split}'; allowed are {allowed}")
        if row["class"] == name:
            found.setdefault(split, []).append(_entry(row, path, number))
    if not found:
        classes = ", ".join(sorted({row["class"] for row in rows}))
        raise ValueError(f"{path}: has no image of class '{name}', but of {classes}")
    return found


def _entry(row: Mapping[str, str], table: Path, number: int) -> Entry:
    image, _, index = row["image"].partition("[")
    try:
        place = int(index.rstrip("]")) if index else -1
        known = [
            float(row[key]) if row.get(key) else None
            for key in ("background_rms", "exposure_time")
        ]
    except ValueError as error:
        raise ValueError(f"{table}, line {number}: {error}") from None
    group = row.get("group") or row["image"]
    return Entry(table.parent / image, place, group, *known)
