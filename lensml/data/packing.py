"""Stores in object storage: chunks of images travel as they are, the rest packed in one file."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from lensml.data.files import write_atomic, write_bytes
from lensml.data.manifest import DamagedStoreError, read_manifest

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
        DamagedStoreError: a file that the manifest lists is missing.
    """
    store = Path(store)
    names = [n for n in read_manifest(store)["files"] if with_images or not n.startswith(CHUNKS)]

    def write(stream: BinaryIO) -> None:
        with zipfile.ZipFile(stream, "w") as archive:
            for name in sorted(names):
                try:
                    content = (store / name).read_bytes()
                except FileNotFoundError:
                    raise DamagedStoreError(f"{store / name}: missing") from None
                archive.writestr(zipfile.ZipInfo(name), content)

    write_atomic(packed_path(store), write)


def unpack(packed: str | Path) -> None:
    """Put the files of a packed store where they belong, beside it.

    Raises:
        DamagedStoreError: not a packed store, or one that names files outside of it.
    """
    store = packed_store(packed)
    try:
        with zipfile.ZipFile(packed) as archive:
            for name in archive.namelist():
                path = PurePosixPath(name)
                if path.is_absolute() or ".." in path.parts:
                    raise DamagedStoreError(f"{packed}: names a file outside of it, {name}")
                write_bytes(store / name, archive.read(name))
    except (zipfile.BadZipFile, NotImplementedError) as error:  # of a compression
        raise DamagedStoreError(f"{packed}: not a packed dataset ({error})") from None
