"""Datasets: what is written is what plain Zarr reads, to the byte, and damage is found."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lensml.data.files import write_bytes
from lensml.data.manifest import DamagedStoreError, manifest_path, read_manifest, verify
from lensml.data.store import ChunkedImages, open_store
from lensml.data.store_writer import chunk_file, encode_chunk, seal_store, write_block
from lensml.schema.simulation import Domain
from lensml.simulate.dataset import pool_unlabelled, seal_dataset, simulate_block
from lensml.simulate.noise import add_noise
from lensml.simulate.render import render
from lensml.simulate.systems import (
    INTEGER_COLUMNS,
    TRUTH_UNITS,
    Systems,
    draw_systems,
    perturber_units,
)

CLASSES = ["no_sub", "cdm", "vortex"]
N, ROWS, PIX = 10, 4, 8  # images, images per block, pixels: two full blocks and half of a third
SEED = 1
WHERE = {"seed": SEED, "split": "train", "start": 0}


@pytest.fixture(scope="module")
def camera(domain) -> Domain:
    return domain("euclid", num_pix=PIX, supersampling_factor=1)


@pytest.fixture(scope="module")
def stores(tmp_path_factory, camera, simulate_store) -> dict[str, Path]:
    """A sealed store of every class, which no test may change."""
    folder = tmp_path_factory.mktemp("stores")
    return {
        c: simulate_store(folder, camera, c, n_images=N, images_per_block=ROWS, seed=SEED)
        for c in CLASSES
    }


@pytest.fixture
def store(tmp_path, camera, simulate_store) -> Path:
    """A store to damage."""
    return simulate_store(tmp_path, camera, "cdm", n_images=N, images_per_block=ROWS, seed=SEED)


def simulated(camera: Domain, substructure: str) -> tuple[Systems, np.ndarray]:
    """The same systems and images by hand."""
    systems = draw_systems(camera, substructure, seed=SEED, split="train", start=0, stop=N)
    clean = render(systems, camera, engine="numba", precision="float32")
    return systems, add_noise(clean, systems, domain=camera.name, **WHERE)


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def plain(store: Path) -> Any:
    """The store as zarr alone opens it."""
    return zarr.open_group(store, mode="r")


def metadata(store: Path, name: str) -> dict[str, Any]:
    return json.loads((store / name / "zarr.json").read_text(encoding="utf-8"))


# --------------------------------------------------------------------------------- reading it back


@pytest.mark.parametrize("substructure", CLASSES)
def test_plain_zarr_reads_the_images_and_the_truth_that_were_simulated(
    stores, camera, substructure
):
    systems, images = simulated(camera, substructure)
    group = plain(stores[substructure])
    np.testing.assert_array_equal(np.asarray(group["image"][...]), images)
    assert {name for name, _ in group["truth"].arrays()} == set(TRUTH_UNITS)
    for name, column in systems.truth.items():
        np.testing.assert_array_equal(np.asarray(group[f"truth/{name}"][...]), column)
    np.testing.assert_array_equal(np.asarray(group["perturbers/offset"][...]), systems.offset)
    for name, column in systems.perturbers.items():
        np.testing.assert_array_equal(np.asarray(group[f"perturbers/{name}"][...]), column)


@pytest.mark.parametrize("substructure", CLASSES)
def test_opening_a_store_gives_the_same_as_plain_zarr(stores, camera, substructure):
    systems, images = simulated(camera, substructure)
    opened = open_store(stores[substructure])
    assert len(opened) == N
    assert opened.image.shape == images.shape
    np.testing.assert_array_equal(opened.image.load(), images)
    assert list(opened.truth) == sorted(TRUTH_UNITS)  # not in the order of a folder
    for name, column in systems.truth.items():
        np.testing.assert_array_equal(opened.truth[name], column)
    np.testing.assert_array_equal(opened.perturber_offset, systems.offset)
    assert set(opened.perturbers) == set(systems.perturbers)
    for name, column in systems.perturbers.items():
        np.testing.assert_array_equal(opened.perturbers[name], column)


@pytest.mark.parametrize("substructure", CLASSES)
def test_arrays_have_the_documented_types_and_units(stores, camera, substructure):
    group = plain(stores[substructure])
    assert group["image"].dtype == np.float32
    assert group["image"].attrs["unit"] == "e-/s per pixel"
    for name, array in group["truth"].arrays():
        assert array.shape == (N,)
        assert array.dtype == (np.int64 if name in INTEGER_COLUMNS else np.float64)
        assert array.attrs["unit"] == TRUTH_UNITS[name]
    units = perturber_units(camera, substructure)
    columns = dict(group["perturbers"].arrays())
    assert set(columns) == {"offset", *units}
    offset = columns.pop("offset")
    assert offset.dtype == np.int64
    assert offset.shape == (N + 1,)
    for name, array in columns.items():
        assert array.shape == (offset[N],)
        assert array.dtype == np.float64
        assert array.attrs["unit"] == units[name]


@pytest.mark.parametrize("substructure", CLASSES)
def test_attributes_say_how_the_store_was_made_and_nothing_of_when_or_where(
    stores, camera, substructure
):
    attributes = dict(plain(stores[substructure]).attrs)
    assert set(attributes) == {
        *("schema_version", "lensml_version", "domain", "substructure", "split", "seed"),
        *("config", "instrument", "noise_model", "perturber_profile", "units"),
    }
    assert attributes["domain"] == "euclid"
    assert attributes["substructure"] == substructure
    assert attributes["split"] == "train"
    assert attributes["seed"] == SEED
    assert Domain.model_validate(attributes["config"]["domain"]) == camera
    line = substructure == "vortex"
    assert attributes["perturber_profile"] == ("LINE_MASS" if line else "POINT_MASS")
    assert attributes["units"]["truth"] == TRUTH_UNITS
    assert str(stores[substructure].parents[2]) not in json.dumps(attributes)


# -------------------------------------------------------------------------------------- the layout


def test_image_chunks_are_plain_float32_with_a_checksum(stores):
    found = metadata(stores["cdm"], "image")
    assert found["zarr_format"] == 3
    assert found["shape"] == [N, PIX, PIX]
    assert found["data_type"] == "float32"
    assert found["fill_value"] == "NaN"
    assert found["chunk_grid"]["configuration"]["chunk_shape"] == [ROWS, PIX, PIX]
    assert [codec["name"] for codec in found["codecs"]] == ["bytes", "crc32c"]
    assert found["codecs"][0]["configuration"]["endian"] == "little"


def test_every_array_is_checksummed_uncompressed_and_marks_what_is_missing(stores):
    for file in stores["vortex"].rglob("zarr.json"):
        found = json.loads(file.read_text(encoding="utf-8"))
        if found["node_type"] == "array":
            assert [codec["name"] for codec in found["codecs"]] == ["bytes", "crc32c"]
            assert found["fill_value"] == ("NaN" if "float" in found["data_type"] else 0)


def test_a_chunk_file_is_its_images_and_their_crc32c(stores, camera):
    _, images = simulated(camera, "cdm")
    for block, start in enumerate(range(0, N, ROWS)):
        raw = chunk_file(stores["cdm"], block).read_bytes()
        body, crc = raw[:-4], raw[-4:]
        assert int.from_bytes(crc, "little") == google_crc32c.value(body)
        found = np.frombuffer(body, "<f4").reshape(ROWS, PIX, PIX)
        stop = min(start + ROWS, N)
        np.testing.assert_array_equal(found[: stop - start], images[start:stop])
        # The last block is half full: the rest of its chunk is the fill value.
        assert np.isnan(found[stop - start :]).all()


@pytest.mark.parametrize("substructure", CLASSES)
def test_offsets_point_at_the_perturbers_of_each_image(stores, substructure):
    opened = open_store(stores[substructure])
    offset, mass = opened.perturber_offset, opened.perturbers["mass"]
    assert offset[0] == 0
    assert offset[-1] == len(mass)
    np.testing.assert_array_equal(np.diff(offset), opened.truth["n_perturbers"])
    for i in range(N):
        total = mass[offset[i] : offset[i + 1]].sum()
        assert total == pytest.approx(opened.truth["m_sub_total"][i], rel=1e-12)


def test_the_manifest_lists_every_file_with_size_and_checksum(stores):
    manifest = read_manifest(stores["cdm"])
    files = content(stores["cdm"])
    assert set(manifest["files"]) == set(files)
    for name, raw in files.items():
        assert manifest["files"][name] == [len(raw), hashlib.sha256(raw).hexdigest()]
    assert manifest["n_images"] == N
    assert manifest["images_per_chunk"] == ROWS
    assert manifest["image_shape"] == [PIX, PIX]


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


# ------------------------------------------------------------------------------------------ damage


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


# ----------------------------------------------------------------------------- pool without labels


@pytest.fixture(scope="module")
def pool(tmp_path_factory, stores) -> Path:
    path = tmp_path_factory.mktemp("pool") / "train.zarr"
    pool_unlabelled(path, list(stores.values()), seed=SEED)
    return path


def test_a_pool_holds_the_images_of_every_class_each_once(stores, pool):
    found = open_store(pool).image.load()
    expected = np.concatenate([open_store(s).image.load() for s in stores.values()])
    assert found.shape == expected.shape
    assert sorted(i.tobytes() for i in found) == sorted(i.tobytes() for i in expected)


def test_a_pool_keeps_each_background_with_its_image(tmp_path, domain, simulate_store):
    # A camera whose exposure varies, and with it the background.
    exposure = {"dist": "uniform", "low": 100.0, "high": 1000.0}
    camera = domain(
        "euclid", num_pix=PIX, supersampling_factor=1, instrument={"exposure_time": exposure}
    )
    labelled = [simulate_store(tmp_path, camera, c, n_images=6) for c in CLASSES]
    path = tmp_path / "pool" / "train.zarr"
    pool_unlabelled(path, labelled, seed=SEED)
    rms = {}
    for source in map(open_store, labelled):
        images = source.image.load()
        rms |= {
            image.tobytes(): value
            for image, value in zip(images, source.truth["background_rms"], strict=True)
        }
    assert len(set(rms.values())) == 6  # classes share the exposure at equal index
    opened = open_store(path)
    for image, value in zip(opened.image.load(), opened.truth["background_rms"], strict=True):
        assert rms[image.tobytes()] == value


def test_a_pool_knows_no_class_and_no_system(pool):
    opened = open_store(pool)
    assert set(opened.truth) == {"background_rms"}
    assert opened.perturbers == {}
    assert len(opened.perturber_offset) == 0
    attributes = set(opened.attributes)
    assert attributes == {"schema_version", "lensml_version", "domain", "split", "seed", "units"}
    assert "substructure" not in attributes
    on_disk = b"".join(raw for name, raw in content(pool).items() if name.endswith("zarr.json"))
    for secret in (b"system_id", b"theta_E", b"m_sub_total", *(c.encode() for c in CLASSES)):
        assert secret not in on_disk


def test_a_pool_is_shuffled_so_that_its_order_tells_no_class(stores, pool):
    label = {
        image.tobytes(): k
        for k, s in enumerate(stores.values())
        for image in open_store(s).image.load()
    }
    labels = [label[image.tobytes()] for image in open_store(pool).image.load()]
    assert labels != sorted(labels)
    # In the order of the classes there are 2 changes; random orders have 20 +- 2.4 (29 pairs, of
    # which 20/29 differ): fewer than 10 has a probability below 1e-4.
    assert np.count_nonzero(np.diff(labels)) >= 10


def test_the_order_of_a_pool_follows_its_seed(tmp_path, stores, pool):
    again, other = tmp_path / "again" / "train.zarr", tmp_path / "other" / "train.zarr"
    pool_unlabelled(again, list(stores.values()), seed=SEED)
    pool_unlabelled(other, list(stores.values()), seed=SEED + 1)
    assert content(again) == content(pool)
    assert not np.array_equal(open_store(other).image.load(), open_store(pool).image.load())


# ---------------------------------------------------------------------------------- chunked images


@pytest.fixture(scope="module")
def chunked() -> tuple[ChunkedImages, np.ndarray]:
    images = np.random.default_rng(0).normal(size=(N, 3, 3)).astype(np.float32)
    chunks = [images[i : i + ROWS] for i in range(0, N, ROWS)]
    return ChunkedImages(chunks, ROWS, N), images


@given(index=st.lists(st.integers(0, N - 1), max_size=30))
def test_chunked_images_index_like_one_array(chunked, index):
    images, expected = chunked
    index = np.array(index, dtype=np.int64)
    np.testing.assert_array_equal(images[index], expected[index])
    assert images[index].dtype == np.float32


def test_chunked_images_have_a_length_and_load_whole(chunked):
    images, expected = chunked
    assert len(images) == N
    assert images.shape == expected.shape
    np.testing.assert_array_equal(images.load(), expected)


@pytest.mark.parametrize("index", [[-1], [N], [0, N + 5], [3, -N]])
def test_an_image_outside_the_store_is_an_index_error(chunked, index):
    with pytest.raises(IndexError, match="image index outside 0 to 9"):
        chunked[0][np.array(index)]


@pytest.mark.parametrize("index", [[0.5], [1.0], [[0, 1]]])
def test_an_index_that_is_no_list_of_whole_numbers_is_refused(chunked, index):
    with pytest.raises((IndexError, TypeError, ValueError)):
        chunked[0][np.array(index)]


def test_a_boolean_mask_selects_its_images_or_is_refused(chunked):
    images, expected = chunked
    mask = np.arange(N) % 3 == 0
    try:
        found = images[mask]
    except (IndexError, TypeError):
        return
    np.testing.assert_array_equal(found, expected[mask])
