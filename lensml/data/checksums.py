"""What every finished job recorded of its files: damage done to them later is found and named.

A job leaves ``results/.checksums/<its first output>.json`` with size and crc32c of each of its
outputs. Datasets are not recorded there: they have their own manifests.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import google_crc32c

from lensml.data.files import write_json

FOLDER = ".checksums"
PIECE = 2**22


def checksum_of_file(path: str | Path) -> tuple[int, str]:
    """Size in bytes and crc32c, as eight hexadecimal digits, of a file."""
    crc, size = google_crc32c.Checksum(), 0
    with Path(path).open("rb") as stream:
        while piece := stream.read(PIECE):
            crc.update(piece)
            size += len(piece)
    return size, crc.digest().hex()


def record_outputs(results: str | Path, outputs: Iterable[str | Path], rule: str) -> None:
    """Record what a job wrote.

    Args:
        results: folder of the results; what lies elsewhere, or in a store, is left out.
        outputs: files that the job wrote.
        rule: that made them.
    """
    results = Path(results)
    files = {}
    for path in map(Path, outputs):
        if path.is_relative_to(results) and path.is_file() and not _in_store(path):
            files[path.relative_to(results).as_posix()] = list(checksum_of_file(path))
    if files:
        write_json(results / FOLDER / f"{next(iter(files))}.json", {"rule": rule, "files": files})


def _in_store(path: Path) -> bool:
    return any(part.endswith(".zarr") for part in path.parts)


def records(results: str | Path) -> Iterator[tuple[Path, dict[str, Any] | None]]:
    """Every record below a folder of results, None where one cannot be read."""
    for path in sorted((Path(results) / FOLDER).rglob("*.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            _ = record["rule"], [(int(size), str(crc)) for size, crc in record["files"].values()]
            yield path, record if all(map(_inside, record["files"])) else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            yield path, None


def _inside(name: str) -> bool:
    parts = PurePosixPath(name)
    return not parts.is_absolute() and ".." not in parts.parts
