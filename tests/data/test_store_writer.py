"""Writing: the same bytes always, or a refusal and nothing written."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy.datasets import PIX, ROWS, SEED, N, content, plain

from lensml.data.files import write_bytes
from lensml.data.manifest import DamagedStoreError, manifest_path, read_manifest
from lensml.data.store import open_store
from lensml.data.store_writer import chunk_file, encode_chunk, seal_store, write_block
from lensml.schema.simulation import Domain
from lensml.simulate.dataset import seal_dataset, simulate_block

# --------------------------------------------------------------------------- the same bytes always


class Blocks:
    """A dataset whose blocks are written one by one, in any order."""

    def __init__(self, folder: Path, camera: Domain, n_images: int, rows: int = ROWS) -> None:
        self.store, self.n_images, self.rows = folder / "train.zarr", n_images, rows
        self.given: dict[str, Any] = {
            "domain": camera,
            "substructure": "cdm",
            "split": "train",
            "seed": SEED,
            "images_per_block": rows,
            "engine": "numba",
            "precision": "float32",
        }
        self.count = -(-n_images // rows)
        self.parts = [folder / "train.parts" / f"{block}.npz" for block in range(self.count)]

    def simulate(self, block: int) -> None:
        start = block * self.rows
        stop = min(start + self.rows, self.n_images)
        chunk = chunk_file(self.store, block)
        simulate_block(chunk, self.parts[block], start=start, stop=stop, **self.given)

    def seal(self) -> None:
        seal_dataset(self.store, self.parts, n_images=self.n_images, **self.given)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0, 1]])
def test_bytes_do_not_depend_on_the_order_of_the_blocks(tmp_path, stores, camera, order):
    blocks = Blocks(tmp_path, camera, N)
    for block in order:
        blocks.simulate(block)
    blocks.seal()
    assert content(blocks.store) == content(stores["cdm"])
    expected = manifest_path(stores["cdm"]).read_bytes()
    assert manifest_path(blocks.store).read_bytes() == expected


def test_sealing_again_changes_nothing(store):
    before = content(store.parent)
    parts = [store.with_name("train.parts") / f"{b}.npz" for b in range(3)]
    attributes = dict(plain(store).attrs)
    seal_store(
        store,
        parts,
        n_images=N,
        images_per_chunk=ROWS,
        image_shape=(PIX, PIX),
        attributes=attributes,
    )
    assert content(store.parent) == before


@pytest.mark.parametrize("rows", [1, 3, 5, 10, 64])
def test_images_do_not_depend_on_the_size_of_the_blocks(tmp_path, stores, camera, rows):
    blocks = Blocks(tmp_path, camera, N, rows)
    for block in range(blocks.count):
        blocks.simulate(block)
    blocks.seal()
    found, expected = open_store(blocks.store), open_store(stores["cdm"])
    np.testing.assert_array_equal(found.image.load(), expected.image.load())
    for name, column in expected.truth.items():
        np.testing.assert_array_equal(found.truth[name], column)
    np.testing.assert_array_equal(found.perturber_offset, expected.perturber_offset)
    np.testing.assert_array_equal(found.perturbers["mass"], expected.perturbers["mass"])


def test_a_growing_dataset_keeps_its_full_chunks(tmp_path, camera):
    small = Blocks(tmp_path, camera, N)
    for block in range(small.count):
        small.simulate(block)
    small.seal()
    old = {b: chunk_file(small.store, b).read_bytes() for b in range(3)}
    images = open_store(small.store).image.load()

    large = Blocks(tmp_path, camera, 17)
    for block in range(2, large.count):  # the half block again, and the new ones
        large.simulate(block)
    large.seal()
    for block in (0, 1):
        assert chunk_file(large.store, block).read_bytes() == old[block]
    assert chunk_file(large.store, 2).read_bytes() != old[2]
    opened = open_store(large.store)
    assert len(opened) == len(opened.truth["theta_E"]) == 17
    np.testing.assert_array_equal(opened.image.load()[:N], images)

    fresh = Blocks(tmp_path / "fresh", camera, 17)
    for block in range(fresh.count):
        fresh.simulate(block)
    fresh.seal()
    assert content(large.store) == content(fresh.store)


def test_a_shrinking_dataset_drops_the_chunks_it_no_longer_has(tmp_path, camera):
    large = Blocks(tmp_path, camera, 12)
    for block in range(large.count):
        large.simulate(block)
    large.seal()
    small = Blocks(tmp_path, camera, ROWS)
    small.seal()
    assert not chunk_file(small.store, 1).exists()
    assert not chunk_file(small.store, 2).exists()
    opened = open_store(small.store)
    assert len(opened) == len(opened.truth["theta_E"]) == ROWS
    assert opened.perturber_offset[-1] == len(opened.perturbers["mass"])

    fresh = Blocks(tmp_path / "fresh", camera, ROWS)
    fresh.simulate(0)
    fresh.seal()
    assert content(small.store) == content(fresh.store)


def test_the_rest_of_a_killed_writer_is_no_part_of_a_store(tmp_path, stores, camera):
    blocks = Blocks(tmp_path, camera, N)
    for block in range(blocks.count):
        blocks.simulate(block)
    (chunk_file(blocks.store, 0).parent / ".0.k3j2.tmp").write_bytes(b"half a chunk")
    blocks.seal()
    assert read_manifest(blocks.store) == read_manifest(stores["cdm"])


# ------------------------------------------------------------------------------- refusals to write


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_image_that_is_not_finite_is_refused_and_nothing_is_written(tmp_path, bad):
    images = np.ones((3, PIX, PIX), np.float32)
    images[1, 2, 3] = bad
    chunk, part = tmp_path / "chunk", tmp_path / "part.npz"
    with pytest.raises(ValueError, match="image 1 of the block is not finite"):
        write_block(
            chunk,
            part,
            images=images,
            images_per_chunk=ROWS,
            truth={"system_id": np.arange(3)},
            offset=None,
            perturbers={},
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("n", [0, ROWS + 1])
def test_a_block_of_the_wrong_size_is_refused(n):
    with pytest.raises(ValueError, match=f"a chunk holds 1 to 4 images, got {n}"):
        encode_chunk(np.ones((n, PIX, PIX), np.float32), ROWS)


@pytest.mark.parametrize("start", [1, 3, 5])
def test_a_block_that_is_not_a_whole_chunk_is_refused(tmp_path, camera, start):
    blocks = Blocks(tmp_path, camera, N)
    with pytest.raises(ValueError, match=f"starts at image {start}, not at a multiple of 4"):
        simulate_block(
            tmp_path / "chunk",
            tmp_path / "part.npz",
            start=start,
            stop=start + ROWS,
            **blocks.given,
        )
    assert list(tmp_path.iterdir()) == []


def test_a_block_longer_than_a_chunk_is_refused(tmp_path, camera):
    blocks = Blocks(tmp_path, camera, N)
    with pytest.raises(ValueError, match="a chunk holds 1 to 4 images, got 5"):
        simulate_block(tmp_path / "c", tmp_path / "p.npz", start=0, stop=5, **blocks.given)


def test_sealing_without_one_of_the_chunks_is_refused(tmp_path, camera):
    blocks = Blocks(tmp_path, camera, N)
    for block in range(blocks.count):
        blocks.simulate(block)
    chunk_file(blocks.store, 1).unlink()
    with pytest.raises(DamagedStoreError, match=r"image/c/1/0/0: holds 0 bytes, should hold 1028"):
        blocks.seal()
    assert not manifest_path(blocks.store).exists()


def test_sealing_blocks_that_do_not_add_up_is_refused(tmp_path, camera):
    blocks = Blocks(tmp_path, camera, N)
    for block in range(blocks.count):
        blocks.simulate(block)
    blocks.n_images = N - 1  # as many blocks, but the last one holds an image too many
    with pytest.raises(
        DamagedStoreError, match=r"hold \[4, 4, 2\] images, should hold \[4, 4, 1\]"
    ):
        blocks.seal()


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    target = tmp_path / "file"
    write_bytes(target, b"old")

    def full_disk(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("lensml.data.files.os.fsync", full_disk)
    with pytest.raises(OSError, match=f"No space left on device: '{target}'"):
        write_bytes(target, b"new")
    assert content(tmp_path) == {"file": b"old"}
