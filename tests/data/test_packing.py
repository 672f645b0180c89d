"""Packed stores are whole again when they are unpacked."""

from __future__ import annotations

import shutil
import zipfile

import pytest

from lensml.data.manifest import DamagedStoreError
from lensml.data.packing import pack, packed_path, unpack
from lensml.data.store import open_store


@pytest.mark.parametrize("with_images", [True, False])
def test_a_packed_store_is_whole_again_when_it_is_unpacked(results, tmp_path, with_images):
    store = results / "datasets/euclid/cdm/train.zarr"
    pack(store, with_images=with_images)
    first = packed_path(store).read_bytes()
    pack(store, with_images=with_images)
    assert packed_path(store).read_bytes() == first
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if not with_images:
        shutil.copytree(store / "image/c", elsewhere / "train.zarr/image/c")
    for name in ("train.packed.zip", "train.manifest.json"):
        shutil.copy(store.parent / name, elsewhere)
    unpack(elsewhere / "train.packed.zip")
    assert len(open_store(elsewhere / "train.zarr")) == 10


def test_a_packed_store_cannot_write_outside(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.packed.zip", "w") as archive:
        archive.writestr("../outside", b"x")
    with pytest.raises(DamagedStoreError, match=r"\.\./outside"):
        unpack(tmp_path / "a.packed.zip")
    assert not (tmp_path / "outside").exists()


def test_a_file_that_is_no_packed_store_is_refused(tmp_path):
    (tmp_path / "a.packed.zip").write_bytes(b"no zip")
    with pytest.raises(DamagedStoreError, match="not a packed dataset"):
        unpack(tmp_path / "a.packed.zip")
