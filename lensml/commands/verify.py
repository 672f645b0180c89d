"""``lensml verify``: whether a folder of results still holds what the jobs wrote."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from lensml.data.checksums import FOLDER, checksum_of_file, records
from lensml.data.manifest import (
    ENDING,
    DamagedStoreError,
    damages,
    manifest_path,
    read_manifest,
    store_of,
)

FEW = 20  # files that are named where none has a record: a home folder holds many


@dataclass
class Verdict:
    """What was found in a folder of results.

    Attributes:
        stores, images: checked against manifests.
        files: checked against records.
        records: of jobs.
        problems: what is not as it was written, a line each.
        unrecorded: files that no job's record names, so that nothing vouches for them.
    """

    stores: int = 0
    images: int = 0
    files: int = 0
    records: int = 0
    problems: list[str] = field(default_factory=list)
    unrecorded: list[Path] = field(default_factory=list)


def verify_results(results: str | Path) -> Verdict:
    """Check every store and every recorded file of a folder of results.

    Raises:
        NotADirectoryError: there is no such folder.
    """
    results = Path(results)
    if not results.is_dir():
        raise NotADirectoryError(f"{results}: no such folder")
    verdict = Verdict()
    _check_stores(results, verdict)
    recorded = _check_files(results, verdict)
    verdict.unrecorded = [path for path in _files(results) if path not in recorded]
    return verdict


def _check_stores(results: Path, verdict: Verdict) -> None:
    stores = set(map(store_of, results.rglob(f"*{ENDING}")))
    unsealed = {p for p in results.rglob("*.zarr") if p.is_dir() and p not in stores}
    for store in sorted(unsealed):
        verdict.problems.append(f"{store}: unfinished, {manifest_path(store).name} is missing")
    for store in tqdm(sorted(stores), "datasets", unit="store", disable=None):
        verdict.stores += 1
        try:
            manifest = read_manifest(store)
        except DamagedStoreError as error:
            verdict.problems.append(str(error))
        else:
            verdict.problems += damages(store, manifest)
            verdict.images += int(manifest["n_images"])


def _check_files(results: Path, verdict: Verdict) -> set[Path]:
    recorded: set[Path] = set()
    for record in tqdm(list(records(results)), "files", unit="job", disable=None):
        verdict.records += 1
        if record.problem:
            verdict.problems.append(f"{record.path}: {record.problem}")
        for name, (size, digest) in record.files.items():
            file = results / name
            recorded.add(file)
            verdict.files += 1
            if problem := _problem(file, size, digest):
                verdict.problems.append(f"{file}: {problem} (made by {record.rule})")
    return recorded


def _problem(file: Path, size: int, digest: str) -> str | None:
    try:
        found_size, found = checksum_of_file(file)
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if found_size != size:
        return f"holds {found_size} bytes, should hold {size}"
    return None if found == digest else "differs from what was written"


def _files(results: Path) -> Iterator[Path]:
    """Files that a record should name: all but those of stores, and the records."""
    for folder, below, names in os.walk(results):
        below[:] = sorted(d for d in below if d != FOLDER and not d.endswith(".zarr"))
        for name in sorted(names):
            if name != ".snakemake_timestamp":
                yield Path(folder) / name


def nothing_to_check_against(results: Path) -> str:
    """A line for a folder without records: where they are, if anywhere near."""
    line = (
        f"{results}: no job's records in {results / FOLDER}, so there is nothing to check against"
    )
    near = [p.parent for p in sorted(results.glob(f"**/{FOLDER}")) if p.is_dir()]
    near += [p for p in results.absolute().parents if (p / FOLDER).is_dir()]
    if near:
        return f"{line}; the records nearest to it: lensml verify {near[0]}"
    return f"{line}; a copy of results must take {FOLDER} with it"


def report(results: Path) -> int:
    """Print what is wrong, a line each, and a summary; the exit status."""
    try:
        verdict = verify_results(results)
    except OSError as error:
        print(f"lensml verify: {error}", file=sys.stderr)
        return 1
    for line in verdict.problems:
        print(f"damaged: {line}")
    named = verdict.unrecorded if verdict.records else verdict.unrecorded[:FEW]
    for path in named:
        print(f"no record: {path}")
    if not verdict.records:
        print(f"lensml verify: {nothing_to_check_against(results)}", file=sys.stderr)
    print(summary(verdict))
    return int(bool(verdict.problems or not verdict.records))


def summary(verdict: Verdict) -> str:
    """The last line of the report."""
    checked = f"{verdict.stores} datasets ({verdict.images} images) and {verdict.files} files"
    unknown = len(verdict.unrecorded)
    left = f"; {unknown} files without a record were not checked" if unknown else ""
    if verdict.problems:
        return f"{checked} checked, {len(verdict.problems)} problems{left}"
    if not verdict.records:
        return f"nothing is vouched for{left}"
    if unknown:
        left += ": made by an unfinished job, or not by lensml"
    return f"{checked} are as they were written{left}"
