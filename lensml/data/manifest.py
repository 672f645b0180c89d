"""Manifest of a sealed store: a missing, changed or exchanged file is found before training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lensml.data.checksums import (
    NotAsWrittenError,
    OlderRecordError,
    checksum_of_file,
    read_sealed,
    write_sealed,
)

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
    """Record size and SHA-256 of every file of a store, and a summary of its content."""
    store = Path(store)
    entries = {}
    for file in sorted(files):
        entries[file.relative_to(store).as_posix()] = list(checksum_of_file(file))
    write_sealed(manifest_path(store), {**summary, "files": entries})


def read_manifest(store: str | Path) -> dict[str, Any]:
    """The manifest of a store.

    Raises:
        DamagedStoreError: there is none, it is not a manifest, was changed, or is of an older
            lensml.
    """
    path = manifest_path(store)
    try:
        manifest = read_sealed(path)
        _ = manifest["files"].items(), manifest["n_images"], manifest["images_per_chunk"]
    except FileNotFoundError:
        raise DamagedStoreError(f"{path}: missing; the dataset was never completed") from None
    except OlderRecordError as error:
        remedy = f"delete it and {Path(store).name} beside it to have the dataset made again"
        raise DamagedStoreError(f"{path}: {error}; {remedy}") from None
    except (OSError, NotAsWrittenError, KeyError, TypeError, AttributeError) as error:
        raise DamagedStoreError(f"{path}: not a dataset manifest ({error})") from None
    return manifest


def verify(store: str | Path) -> dict[str, Any]:
    """Check every file of a store against its manifest.

    Returns:
        The manifest.

    Raises:
        DamagedStoreError: names the file and, for images, which of them it holds.
    """
    manifest = read_manifest(store)
    for problem in damages(store, manifest):
        raise DamagedStoreError(f"{problem}; {_remedy(Path(store))}")
    return manifest


def verify_files(store: str | Path, names: Iterable[str]) -> dict[str, Any]:
    """Check some files of a store against its manifest: what a job that reads no others needs.

    Args:
        store: path of the Zarr group.
        names: below it; of a folder everything in it.

    Returns:
        The manifest.

    Raises:
        DamagedStoreError: names the file, or a name that the manifest does not hold.
    """
    manifest = read_manifest(store)
    for name in names:
        held = [file for file in manifest["files"] if file == name or file.startswith(f"{name}/")]
        if not held:
            raise DamagedStoreError(f"{Path(store) / name}: is not in the manifest")
        for file in held:
            problem = _damage(Path(store), file, manifest)
            if problem:
                raise DamagedStoreError(f"{problem}; {_remedy(Path(store))}")
    return manifest


def damages(store: str | Path, manifest: Mapping[str, Any]) -> Iterator[str]:
    """What differs between a store and its manifest, a line per file."""
    store = Path(store)
    for name in manifest["files"]:
        problem = _damage(store, name, manifest)
        if problem:
            yield problem
    known = manifest["files"]
    for path in sorted(store.rglob("*")):
        # What begins with a dot is Snakemake's, or of a writer that was killed; zarr reads none.
        if path.relative_to(store).as_posix() not in known and path.name[0] != "." and _file(path):
            yield f"{path}: is not in the manifest"


def _damage(store: Path, name: str, manifest: Mapping[str, Any]) -> str | None:
    """What is wrong with a file of a store, or None."""
    size, digest = manifest["files"][name]
    where = f"{store / name}{_images_in(name, manifest)}"
    try:
        found_size, found = checksum_of_file(store / name)
    except FileNotFoundError:
        return f"{where}: missing"
    except OSError as error:
        return f"{where}: cannot be read ({error.strerror})"
    if found_size != size:
        return f"{where}: holds {found_size} bytes, should hold {size}"
    return None if found == digest else f"{where}: checksum differs from the manifest's"


def _file(path: Path) -> bool:
    return path.is_symlink() or path.is_file()


def _remedy(store: Path) -> str:
    return f"delete it, and {manifest_path(store).name} beside the store, to have it made again"


def _images_in(name: str, manifest: Mapping[str, Any]) -> str:
    parts = name.split("/")
    if len(parts) != 5 or parts[1] != "c":  # no chunk of an array of images
        return ""
    rows = manifest["images_per_chunk"]
    first = int(parts[2]) * rows
    return f" (images {first} to {min(first + rows, manifest['n_images']) - 1})"
