"""``lensml verify``: whether a folder of results still holds what the jobs wrote."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from lensml.data.checksums import FOLDER, checksum_of_file, records
from lensml.data.manifest import ENDING, DamagedStoreError, manifest_path, store_of, verify


@dataclass
class Verdict:
    """What was found in a folder of results."""

    stores: int = 0
    images: int = 0
    files: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


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
    unknown = [p for p in _files(results) if p not in recorded]
    if unknown:
        verdict.notes.append(
            f"{len(unknown)} files have no record, {unknown[0]} the first: "
            "made by an unfinished job, or not by lensml"
        )
    return verdict


def _check_stores(results: Path, verdict: Verdict) -> None:
    stores = set(map(store_of, results.rglob(f"*{ENDING}")))
    unsealed = {p for p in results.rglob("*.zarr") if p.is_dir() and p not in stores}
    for store in sorted(unsealed):
        verdict.problems.append(f"{store}: unfinished, {manifest_path(store).name} is missing")
    for store in tqdm(sorted(stores), "datasets", unit="store", disable=None):
        try:
            manifest = verify(store)
        except (DamagedStoreError, OSError) as error:
            verdict.problems.append(str(error))
        else:
            verdict.images += int(manifest["n_images"])
        verdict.stores += 1


def _check_files(results: Path, verdict: Verdict) -> set[Path]:
    recorded: set[Path] = set()
    for path, record in tqdm(list(records(results)), "files", unit="job", disable=None):
        if record is None:
            verdict.problems.append(f"{path}: not a record of checksums")
            continue
        for name, (size, crc) in record["files"].items():
            file = results / name
            recorded.add(file)
            verdict.files += 1
            if problem := _problem(file, size, crc):
                verdict.problems.append(f"{file}: {problem} (made by {record['rule']})")
    return recorded


def _problem(file: Path, size: int, crc: str) -> str | None:
    try:
        found_size, found_crc = checksum_of_file(file)
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if found_size != size:
        return f"holds {found_size} bytes, should hold {size}"
    return None if found_crc == crc else "differs from what was written"


def _files(results: Path) -> Iterator[Path]:
    """Files that a record should name: all but stores, with their manifests, and the records."""
    for folder, below, names in os.walk(results):
        below[:] = sorted(d for d in below if d != FOLDER and not d.endswith(".zarr"))
        for name in sorted(names):
            if not name.endswith(ENDING) and name != ".snakemake_timestamp":
                yield Path(folder) / name


def report(results: Path) -> int:
    """Print what is wrong, a line each, and a summary; the exit status."""
    try:
        verdict = verify_results(results)
    except OSError as error:
        print(f"lensml verify: {error}", file=sys.stderr)
        return 1
    for line in verdict.problems:
        print(f"damaged: {line}")
    for line in verdict.notes:
        print(f"note: {line}")
    checked = f"{verdict.stores} datasets ({verdict.images} images) and {verdict.files} files"
    if verdict.problems:
        print(f"{checked} checked, {len(verdict.problems)} problems")
        return 1
    print(f"{checked} are as they were written")
    return 0
