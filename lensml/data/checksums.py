"""What every finished job recorded of its files: damage done to them later is found and named.

A job leaves ``results/.checksums/<its first output>.json`` with size and SHA-256 of each of its
outputs. Datasets are not recorded there but for their manifests, which record what they hold.

A cryptographic hash, because a CRC is none: chunks of a store end in their own crc32c, and the
crc32c of anything that ends in its own is one constant. SHA-256 is also the fastest of hashlib's
on processors with instructions for it (twice blake2b).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from lensml.data.files import json_bytes, write_bytes

FOLDER = ".checksums"
HASH = "sha256"
CRC_DIGITS = 8  # of the crc32c that older records hold


class NotAsWrittenError(ValueError):
    """A record is not what was written: says what is wrong with it."""


class OlderRecordError(NotAsWrittenError):
    """A record by an older lensml, with checksums that vouch for nothing."""


def checksum_of_file(path: str | Path) -> tuple[int, str]:
    """Size in bytes and SHA-256, as 64 hexadecimal digits, of a file."""
    with Path(path).open("rb") as stream:
        digest = hashlib.file_digest(stream, HASH).hexdigest()
        return stream.tell(), digest


def checksum_of_bytes(content: bytes) -> tuple[int, str]:
    """As :func:`checksum_of_file`, of what a file would hold."""
    return len(content), hashlib.new(HASH, content).hexdigest()


def write_sealed(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write JSON atomically with a hash of itself, so that :func:`read_sealed` sees any change."""
    whole = {**content, "hash": HASH}
    write_bytes(path, json_bytes({**whole, "seal": _digest(whole)}))


def read_sealed(path: str | Path) -> dict[str, Any]:
    """JSON as it was written by :func:`write_sealed`.

    Raises:
        OSError: it cannot be read.
        OlderRecordError: it has no hash of itself.
        NotAsWrittenError: it is no JSON object, or differs from what was written.
    """
    raw = Path(path).read_bytes()
    try:
        content = json.loads(raw)
        # Texts that mean the same (another escape, a lost line break) are not what was written.
        same = isinstance(content, dict) and raw == json_bytes(content)
    except ValueError as error:
        raise NotAsWrittenError(f"is no JSON: {error}") from None
    if not isinstance(content, dict):
        raise NotAsWrittenError("is no JSON object")
    if _older(content):
        raise OlderRecordError("holds checksums of an older lensml, which vouch for nothing")
    seal = content.pop("seal", None)
    if not same or content.get("hash") != HASH or seal != _digest(content):
        raise NotAsWrittenError("differs from what was written")
    return content


def _older(content: Mapping[str, Any]) -> bool:
    """Whether this is a record of crc32c checksums."""
    if {"hash", "seal"} & content.keys() or not isinstance(content.get("files"), dict):
        return False
    entries = content["files"].values()
    return bool(entries) and all(
        isinstance(entry, list) and len(entry) == 2 and len(str(entry[1])) == CRC_DIGITS
        for entry in entries
    )


def _digest(content: Mapping[str, Any]) -> str:
    return checksum_of_bytes(json_bytes(content))[1]


def record_path(results: str | Path, first_output: str) -> Path:
    """Where a job's record lies.

    Args:
        results: folder of the results.
        first_output: of the job, below ``results``.
    """
    return Path(results) / FOLDER / f"{first_output}.json"


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
        write_sealed(record_path(results, next(iter(files))), {"rule": rule, "files": files})


def _in_store(path: Path) -> bool:
    return any(part.endswith(".zarr") for part in path.parts)


@dataclass(frozen=True)
class Record:
    """What a job recorded.

    Attributes:
        path: of the record.
        rule: that ran; empty if the record is damaged.
        files: name below the results -> size, hash; empty if the record is damaged.
        problem: what is wrong with the record, or empty.
    """

    path: Path
    rule: str
    files: Mapping[str, tuple[int, str]]
    problem: str = ""


def records(results: str | Path) -> Iterator[Record]:
    """Every record of a folder of results, damaged ones with what is wrong with them."""
    for path in sorted((Path(results) / FOLDER).rglob("*.json")):
        try:
            yield _record(path, Path(results))
        except OSError as error:
            yield Record(path, "", {}, f"cannot be read: {error.strerror}")
        except OlderRecordError as error:
            remedy = "run the job again, with --forcerun, to have its files recorded"
            yield Record(path, "", {}, f"{error}; {remedy}")
        except NotAsWrittenError as error:
            yield Record(path, "", {}, f"not a record of checksums, {error}")


def _record(path: Path, results: Path) -> Record:
    content = read_sealed(path)
    try:
        rule = str(content["rule"])
        files = {name: (int(size), str(hash_)) for name, (size, hash_) in content["files"].items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise NotAsWrittenError("it lacks what a record holds") from None
    if not all(map(_inside, files)):
        raise NotAsWrittenError("it names a file outside of the results")
    if path not in {record_path(results, name) for name in files}:
        raise NotAsWrittenError(
            f"it is of another job, which wrote {next(iter(files), 'nothing')}"
        )
    return Record(path, rule, files)


def _inside(name: str) -> bool:
    parts = PurePosixPath(name)
    return not parts.is_absolute() and ".." not in parts.parts
