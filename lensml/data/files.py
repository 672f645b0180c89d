"""Writing files so that a reader sees the whole file or none of it."""

from __future__ import annotations

import glob
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO


def write_atomic(path: str | Path, write: Callable[[BinaryIO], object]) -> None:
    """Call ``write`` on a temporary file beside ``path``, then move it into place.

    Raises:
        OSError: the folder cannot be written or the disk is full; names ``path``, which is then
            untouched.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_beside(path, write)
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)  # a full disk does not say what there was no place for
        raise


def _write_beside(path: Path, write: Callable[[BinaryIO], object]) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o666 & ~_umask())  # mkstemp makes files that only the owner can read
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def clear_leftovers(path: str | Path) -> None:
    """Remove what a killed writer left of ``path``: its temporary files, which nobody reads."""
    path = Path(path)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        left.unlink(missing_ok=True)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write bytes atomically."""
    write_atomic(path, lambda stream: stream.write(content))


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """Sorted, indented JSON: equal content, equal bytes."""
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False)
    return (text + "\n").encode()


def write_json(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write sorted, indented JSON atomically."""
    write_bytes(path, json_bytes(content))


def write_csv(path: str | Path, table: Any, *, float_format: str = "%.9g") -> None:
    """Write a pandas table atomically, without its index."""
    write_bytes(path, table.to_csv(index=False, float_format=float_format).encode())
