"""Stores in object storage: chunks of images travel as they are, the rest packed in one file."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from lensml.data.checksums import checksum_of_bytes
from lensml.data.files import write_atomic, write_bytes
from lensml.data.manifest import DamagedStoreError, manifest_path, read_manifest

ENDING = ".packed.zip"
CHUNKS = "image/c/"


def packed_path(store: str | Path) -> Path:
    """``train.zarr`` is packed in ``train.packed.zip`` beside it."""
    store = Path(store)
    return store.with_name(store.stem + ENDING)


def packed_store(packed: str | Path) -> Path:
    """The store that is packed in a file: the other way round."""
    packed = Path(packed)
    return packed.with_name(packed.name.removesuffix(ENDING) + ".zarr")


def pack(store: str | Path, *, with_images: bool) -> None:
    """Pack the files of a sealed store; equal stores give equal bytes.

    Args:
        store: path of the Zarr group.
        with_images: pack the chunks of images, too.

    Raises:
        DamagedStoreError: a file that the manifest lists is missing, or is another one.
    """
    store = Path(store)
    files = read_manifest(store)["files"]
    names = [name for name in files if with_images or not name.startswith(CHUNKS)]

    def write(stream: BinaryIO) -> None:
        with zipfile.ZipFile(stream, "w") as archive:
            for name in sorted(names):
                try:
                    content = (store / name).read_bytes()
                except FileNotFoundError:
                    raise DamagedStoreError(f"{store / name}: missing") from None
                _check(store, name, content, files)
                archive.writestr(zipfile.ZipInfo(name), content)

    write_atomic(packed_path(store), write)


def _check(store: Path, name: str, content: bytes, files: Mapping[str, Any]) -> None:
    if list(checksum_of_bytes(content)) != files.get(name):
        listed = manifest_path(store).name
        raise DamagedStoreError(f"{store / name}: is not the file that {listed} lists")


def unpack(packed: str | Path) -> None:
    """Put the files of a packed store where they belong, beside it.

    Raises:
        DamagedStoreError: not a packed store, one that names files outside of it, or that holds
            others than the manifest beside it lists.
    """
    store = packed_store(packed)
    try:
        with zipfile.ZipFile(packed) as archive:
            names = archive.namelist()
            for name in names:
                path = PurePosixPath(name)
                if path.is_absolute() or ".." in path.parts:
                    raise DamagedStoreError(f"{packed}: names a file outside of it, {name}")
            files = read_manifest(store)["files"]
            for name in names:
                content = archive.read(name)
                _check(store, name, content, files)
                write_bytes(store / name, content)
    except (zipfile.BadZipFile, NotImplementedError) as error:  # of a compression
        raise DamagedStoreError(f"{packed}: not a packed dataset ({error})") from None
