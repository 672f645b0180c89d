"""Checksums of a sealed store: a missing chunk or a flipped bit is found before training."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lensml.data.checksums import checksum_of_file
from lensml.data.files import write_json

ENDING = ".manifest.json"


class DamagedStoreError(ValueError):
    """A store does not hold what its manifest says."""


def manifest_path(store: str | Path) -> Path:
    """``train.zarr`` has its manifest beside it: ``train.manifest.json``."""
    store = Path(store)
    return store.with_name(store.stem + ENDING)


def store_of(manifest: str | Path) -> Path:
    """The store that a manifest is of: the other way round."""
    manifest = Path(manifest)
    return manifest.with_name(manifest.name.removesuffix(ENDING) + ".zarr")


def write_manifest(store: str | Path, files: Iterable[Path], summary: Mapping[str, Any]) -> None:
    """Record size and checksum of every file of a store, and a summary of its content."""
    store = Path(store)
    entries = {}
    for file in sorted(files):
        entries[file.relative_to(store).as_posix()] = list(checksum_of_file(file))
    write_json(manifest_path(store), {**summary, "files": entries})


def read_manifest(store: str | Path) -> dict[str, Any]:
    """The manifest of a store.

    Raises:
        DamagedStoreError: there is none, or it is not a manifest.
    """
    path = manifest_path(store)
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        _ = manifest["files"].items(), manifest["n_images"], manifest["images_per_chunk"]
    except FileNotFoundError:
        raise DamagedStoreError(f"{path}: missing; the dataset was never completed") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedStoreError(f"{path}: not a dataset manifest ({error})") from None
    return manifest


def verify(store: str | Path) -> dict[str, Any]:
    """Check every file of a store against its manifest.

    Returns:
        The manifest.

    Raises:
        DamagedStoreError: names the file and, for images, which of them it holds.
    """
    store, manifest = Path(store), read_manifest(store)
    for name, (size, crc) in manifest["files"].items():
        where = f"{store / name}{_images_in(name, manifest)}"
        try:
            found_size, found_crc = checksum_of_file(store / name)
        except FileNotFoundError:
            raise DamagedStoreError(f"{where}: missing; {_remedy(store)}") from None
        if found_size != size:
            wrong = f"holds {found_size} bytes, should hold {size}"
            raise DamagedStoreError(f"{where}: {wrong}; {_remedy(store)}")
        if found_crc != crc:
            wrong = "checksum differs from the manifest's"
            raise DamagedStoreError(f"{where}: {wrong}; {_remedy(store)}")
    return manifest


def _remedy(store: Path) -> str:
    return f"delete it, and {manifest_path(store).name} beside the store, to have it made again"


def _images_in(name: str, manifest: Mapping[str, Any]) -> str:
    parts = name.split("/")
    if parts[:2] != ["image", "c"]:
        return ""
    rows = manifest["images_per_chunk"]
    first = int(parts[2]) * rows
    return f" (images {first} to {min(first + rows, manifest['n_images']) - 1})"
