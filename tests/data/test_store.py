"""Datasets: what is written is what plain Zarr reads, to the byte."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pytest
from toy.datasets import PIX, ROWS, SEED, WHERE, N, content, plain

from lensml.data.manifest import read_manifest
from lensml.data.store import open_store
from lensml.data.store_writer import chunk_file
from lensml.schema.simulation import Domain
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


def simulated(camera: Domain, substructure: str) -> tuple[Systems, np.ndarray]:
    """The same systems and images by hand."""
    systems = draw_systems(camera, substructure, seed=SEED, split="train", start=0, stop=N)
    clean = render(systems, camera, engine="numba", precision="float32")
    return systems, add_noise(clean, systems, domain=camera.name, **WHERE)


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
    assert group["image"].attrs["units"] == "e-/s per pixel"
    for name, array in group["truth"].arrays():
        assert array.shape == (N,)
        assert array.dtype == (np.int64 if name in INTEGER_COLUMNS else np.float64)
        assert array.attrs["units"] == TRUTH_UNITS[name]
    units = perturber_units(camera, substructure)
    columns = dict(group["perturbers"].arrays())
    assert set(columns) == {"offset", *units}
    offset = columns.pop("offset")
    assert offset.dtype == np.int64
    assert offset.shape == (N + 1,)
    for name, array in columns.items():
        assert array.shape == (offset[N],)
        assert array.dtype == np.float64
        assert array.attrs["units"] == units[name]


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
