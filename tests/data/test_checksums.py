"""Checksums that vouch for content: what was exchanged is told, and old ones are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from toy.stores import blobs, noise, write_store

from lensml.data.checksums import (
    NotAsWrittenError,
    OlderRecordError,
    checksum_of_file,
    read_sealed,
    write_sealed,
)
from lensml.data.files import write_json
from lensml.data.manifest import DamagedStoreError, manifest_path, verify
from lensml.data.packing import pack, packed_path, unpack
from lensml.data.store import open_store


@pytest.fixture
def stores(tmp_path: Path) -> dict[str, Path]:
    """Datasets of two classes where the workflow puts them."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "datasets" / "toy"
    for name, images in (("no_sub", noise(32, rng)), ("cdm", blobs(32, rng))):
        truth = {column: rng.normal(size=32) for column in ("e1", "theta_E")}
        write_store(folder / name / "train.zarr", images, truth=truth, substructure=name)
    return {name: folder / name / "train.zarr" for name in ("no_sub", "cdm")}


def exchange(a: Path, b: Path) -> None:
    aside = a.with_name("aside")
    a.rename(aside)
    b.rename(a)
    aside.rename(b)


def chunk(store: Path, number: int) -> Path:
    return store / "image" / "c" / str(number) / "0" / "0"


def test_every_chunk_has_a_hash_of_its_own(stores):
    hashes = {checksum_of_file(chunk(s, c))[1] for s in stores.values() for c in range(2)}
    assert len(hashes) == 4


def named_when_opened(store: Path, *names: Path | str) -> None:
    with pytest.raises(DamagedStoreError) as caught:
        open_store(store)
    for name in names:
        assert str(name) in str(caught.value)


def test_exchanged_chunks_of_a_store_are_named(stores):
    exchange(chunk(stores["cdm"], 0), chunk(stores["cdm"], 1))
    named_when_opened(stores["cdm"], chunk(stores["cdm"], 0), "images 0 to 15")


def test_exchanged_chunks_of_two_stores_are_named(stores):
    exchange(chunk(stores["cdm"], 1), chunk(stores["no_sub"], 1))
    for store in stores.values():
        named_when_opened(store, chunk(store, 1), "images 16 to 31")


def test_images_of_another_class_copied_over_are_named(stores):
    shutil.rmtree(stores["no_sub"] / "image")
    shutil.copytree(stores["cdm"] / "image", stores["no_sub"] / "image")
    named_when_opened(stores["no_sub"], chunk(stores["no_sub"], 0))


def test_exchanged_columns_are_named(stores):
    truth = stores["cdm"] / "truth"
    exchange(truth / "e1", truth / "theta_E")
    named_when_opened(stores["cdm"], truth / "e1")


def test_a_column_copied_over_another_is_named(stores):
    truth = stores["cdm"] / "truth"
    shutil.copy(truth / "e1" / "c" / "0", truth / "theta_E" / "c" / "0")
    named_when_opened(stores["cdm"], truth / "theta_E" / "c" / "0")


def test_a_column_that_nobody_wrote_is_named(stores):
    truth = stores["cdm"] / "truth"
    shutil.copytree(truth / "e1", truth / "e3")
    named_when_opened(stores["cdm"], truth / "e3", "is not in the manifest")


def test_exchanged_stores_are_named(stores):
    exchange(stores["no_sub"], stores["cdm"])
    for store in stores.values():
        named_when_opened(store, store)


def test_stores_exchanged_with_their_manifests_are_named(stores):
    """Each agrees with its manifest, and bears the name of the other's class."""
    exchange(stores["no_sub"], stores["cdm"])
    exchange(manifest_path(stores["no_sub"]), manifest_path(stores["cdm"]))
    verify(stores["no_sub"])
    named_when_opened(stores["no_sub"], stores["no_sub"], "substructure 'cdm'")
    named_when_opened(stores["cdm"], stores["cdm"], "substructure 'no_sub'")


def test_a_store_is_at_home_wherever_nothing_says_otherwise(stores, tmp_path):
    elsewhere = tmp_path / "copy"
    shutil.copytree(stores["cdm"].parent, elsewhere)
    assert len(open_store(elsewhere / "train.zarr")) == 32


@pytest.mark.parametrize("key", ["n_images", "images_per_chunk"])
def test_a_number_changed_in_a_manifest_is_seen(stores, key):
    path = manifest_path(stores["cdm"])
    manifest = json.loads(path.read_text())
    path.write_text(path.read_text().replace(f'"{key}": {manifest[key]}', f'"{key}": 8'))
    named_when_opened(stores["cdm"], path, "differs from what was written")


def test_a_manifest_of_an_older_version_says_what_to_do(stores):
    path = manifest_path(stores["cdm"])
    manifest = json.loads(path.read_text())
    del manifest["hash"], manifest["seal"]
    files = {name: [size, "48674bc7"] for name, (size, _) in manifest["files"].items()}
    write_json(path, {**manifest, "files": files})
    named_when_opened(
        stores["cdm"],
        f"{path}: holds checksums of an older lensml, which vouch for nothing; delete it and "
        "train.zarr beside it to have the dataset made again",
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.replace(b"7", b"8", 1),
        lambda raw: raw[:-1],
        lambda raw: raw + b" ",
        lambda raw: raw.replace(b"\\u03bb", b"\\u03BB"),  # means the same
        lambda raw: raw.replace(b'"seal"', b'"sea1"'),
        lambda raw: b"[" + raw + b"]",
        lambda raw: b"",
    ],
)
def test_sealed_json_is_read_only_as_it_was_written(tmp_path, change: Callable[[bytes], bytes]):
    path = tmp_path / "a.json"
    write_sealed(path, {"name": "λ", "number": 17})
    assert read_sealed(path)["number"] == 17
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(NotAsWrittenError) as caught:
        read_sealed(path)
    assert not isinstance(caught.value, OlderRecordError)


# Packed for object storage


def test_a_file_that_is_not_the_manifest_s_is_not_packed(stores):
    truth = stores["cdm"] / "truth"
    exchange(truth / "e1", truth / "theta_E")
    with pytest.raises(DamagedStoreError, match=r"truth/e1/\S+: is not the file that train\.man"):
        pack(stores["cdm"], with_images=False)
    assert not packed_path(stores["cdm"]).exists()


def test_a_packed_store_of_another_class_is_not_unpacked(stores):
    for store in stores.values():
        pack(store, with_images=True)
        shutil.rmtree(store)
    exchange(packed_path(stores["no_sub"]), packed_path(stores["cdm"]))
    with pytest.raises(DamagedStoreError, match=r"no_sub\S+ is not the file that train\.manifest"):
        unpack(packed_path(stores["no_sub"]))
