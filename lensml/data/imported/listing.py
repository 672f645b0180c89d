"""Which images a class and split of a domain of files consists of."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import numpy as np

from lensml.data.imported.columns import KNOWN, columns_of, labels_of
from lensml.data.imported.reading import ENDINGS, array_of, count
from lensml.schema.files import ImageFiles
from lensml.schema.simulation import SPLITS


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
    def name(self) -> str:
        """File, and the place in it where it holds several."""
        return str(self.path) if self.index < 0 else f"{self.path}[{self.index}]"

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

    Splits are those that folders or columns give; else groups are drawn into them at random.

    Args:
        files: where images lie.
        substructure: class.
        split: 'train', 'val' or 'test'.
        counts: images of every split.
        seed: of the draw.

    Raises:
        FileNotFoundError: a folder or file is missing.
        ValueError: there are too few images, and how many there are; a table or labels are wrong.
    """
    called: dict[str, str] = {**files.classes}
    name = called.get(substructure, substructure)
    given = _given(files, name)
    where = f"{files.table or files.array or files.folder}: class '{name}'"
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


def _given(files: ImageFiles, name: str) -> dict[str, list[Entry]]:
    """Split -> images of a class."""
    if files.folder:
        return _in_folders(files.folder, name)
    return _in_table(files.table, name) if files.table else _in_array(files, name)


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
    rows = _rows(path, {"image", "class"})
    return _of_class(path, rows, [_place(row, path, n) for n, row in rows.items()], name)


def _in_array(files: ImageFiles, name: str) -> dict[str, list[Entry]]:
    """Images of one file, with what a table or arrays beside them say."""
    path = Path(files.array or "")
    labels = files.labels or ""
    found = array_of(path, files.images, beside=[labels])
    if found.ndim != 3:
        raise ValueError(f"{path}: holds one image of shape {found.shape}; needed are (N, H, W)")
    n = found.shape[0]
    columns = columns_of(path, n)
    if files.labels_table:
        rows = _rows(Path(labels), {"class"})
        if len(rows) != n:
            raise ValueError(f"{labels}: has {len(rows)} rows, {path} {n} images")
    else:
        columns["class"] = labels_of(path, labels, n)
        rows = {i: {} for i in range(n)}
    merged = {
        number: {**{key: column[i] for key, column in columns.items()}, **row}
        for i, (number, row) in enumerate(rows.items())
    }
    places = [(path, i) for i in range(n)]
    return _of_class(Path(labels if files.labels_table else path), merged, places, name)


def _rows(path: Path, needed: set[str]) -> dict[int, dict[str, str]]:
    """Line of a CSV file -> its row."""
    with path.open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    if not rows or not needed <= set(rows[0]):
        columns = " and ".join(f"'{name}'" for name in sorted(needed, reverse=True))
        word = "column" if len(needed) == 1 else "columns"
        raise ValueError(f"{path}: has {word} {columns}, and a row for each image")
    return dict(enumerate(rows, start=2))


def _of_class(
    path: Path,
    rows: Mapping[int, Mapping[str, str]],
    places: Sequence[tuple[Path, int]],
    name: str,
) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    line = "line" if path.suffix.lower() == ".csv" else "image"
    for (number, row), place in zip(rows.items(), places, strict=True):
        where = f"{path}, {line} {number}"
        split = (row.get("split") or "").strip()
        if split and split not in SPLITS:
            raise ValueError(f"{where}: split is '{split}'; allowed are {', '.join(SPLITS)}")
        if row["class"] == name:
            found.setdefault(split, []).append(_entry(row, place, where))
    if not found:
        classes = ", ".join(sorted({row["class"] for row in rows.values()}))
        raise ValueError(
            f"{path}: has no image of class '{name}', but of {classes}; what a class is called "
            "there is said in files.classes"
        )
    return found


def _place(row: Mapping[str, str], table: Path, number: int) -> tuple[Path, int]:
    image, _, index = row["image"].partition("[")
    try:
        return table.parent / image, int(index.rstrip("]")) if index else -1
    except ValueError as error:
        raise ValueError(f"{table}, line {number}: {error}") from None


def _entry(row: Mapping[str, str], place: tuple[Path, int], where: str) -> Entry:
    try:
        rms, time = (float(row[key]) if row.get(key) else None for key in KNOWN)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    entry = Entry(*place, "", rms, time)
    return replace(entry, group=row.get("group") or row.get("image") or entry.name)
