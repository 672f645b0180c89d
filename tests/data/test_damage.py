"""Damage of a store is found and named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy.datasets import PIX, ROWS, N, content, plain

from lensml.data.manifest import DamagedStoreError, manifest_path, verify
from lensml.data.store import open_store
from lensml.data.store_writer import chunk_file, seal_store


def flip(raw: bytes) -> bytes:
    middle = len(raw) // 2
    return raw[:middle] + bytes([raw[middle] ^ 0x10]) + raw[middle + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "flipped bit": flip,
    "truncated": lambda raw: raw[:-1],
    "emptied": lambda raw: b"",
    "zeroed": lambda raw: bytes(len(raw)),
    "longer": lambda raw: raw + b"\0",
}


@pytest.mark.parametrize("damage", list(DAMAGE))
@pytest.mark.parametrize(
    ("block", "images"), [(0, "images 0 to 3"), (1, "images 4 to 7"), (2, "images 8 to 9")]
)
def test_a_damaged_chunk_is_found_and_named_with_its_images(store, damage, block, images):
    file = chunk_file(store, block)
    file.write_bytes(DAMAGE[damage](file.read_bytes()))
    with pytest.raises(DamagedStoreError) as caught:
        open_store(store)
    assert str(file) in str(caught.value)
    assert f"({images})" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_deleted_chunk_is_found_and_named_with_its_images(store):
    file = chunk_file(store, 1)
    file.unlink()
    with pytest.raises(DamagedStoreError, match=r"image/c/1/0/0 \(images 4 to 7\): missing"):
        open_store(store)


@pytest.mark.parametrize(
    "name", ["zarr.json", "image/zarr.json", "truth/theta_E/c/0", "perturbers/offset/c/0"]
)
@pytest.mark.parametrize("damage", ["flipped bit", "truncated", "zeroed"])
def test_damage_outside_the_images_is_found_and_named(store, name, damage):
    file = store / name
    file.write_bytes(DAMAGE[damage](file.read_bytes()))
    with pytest.raises(DamagedStoreError, match=name):
        open_store(store)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choice=st.data())
def test_any_flipped_bit_is_found(store, choice):
    name = choice.draw(st.sampled_from(sorted(content(store))))
    raw = bytearray((store / name).read_bytes())
    bit = choice.draw(st.integers(0, 8 * len(raw) - 1))
    damaged = bytearray(raw)
    damaged[bit // 8] ^= 1 << bit % 8
    (store / name).write_bytes(damaged)
    try:
        with pytest.raises(DamagedStoreError, match="checksum differs"):
            verify(store)
    finally:
        (store / name).write_bytes(raw)
    verify(store)


def test_plain_zarr_finds_a_flipped_bit_by_itself(store):
    """Whoever reads the images without lensml is warned by the checksum inside each chunk."""
    file = chunk_file(store, 0)
    file.write_bytes(flip(file.read_bytes()))
    array = plain(store)["image"]
    with pytest.raises(ValueError, match="checksum"):
        array[0]


def test_a_store_without_a_manifest_is_unfinished(store):
    manifest_path(store).unlink()
    with pytest.raises(DamagedStoreError, match=r"train\.manifest\.json: missing"):
        open_store(store)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": {}}'])
def test_a_broken_manifest_is_named(store, text):
    manifest_path(store).write_text(text)
    with pytest.raises(DamagedStoreError, match=r"train\.manifest\.json: not a dataset manifest"):
        open_store(store)


def test_a_store_of_another_layout_is_refused(store):
    parts = [store.with_name("train.parts") / f"{b}.npz" for b in range(3)]
    attributes = dict(plain(store).attrs) | {"schema_version": 99}
    seal_store(
        store,
        parts,
        n_images=N,
        images_per_chunk=ROWS,
        image_shape=(PIX, PIX),
        attributes=attributes,
    )
    with pytest.raises(DamagedStoreError, match=r"layout version 99, this lensml reads 1"):
        open_store(store)
