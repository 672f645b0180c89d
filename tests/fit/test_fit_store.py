"""Stores of fits: complete, the same bytes always, readable by others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import zarr
from toy.datasets import content
from toy.fits import SEED, fit_spec
from zarr.core.metadata import ArrayV3Metadata

from lensml.data.fits import FITS, MAPS, OUTCOMES, POTENTIAL_MAPS, open_fits
from lensml.data.manifest import DamagedStoreError, manifest_path
from lensml.data.store import open_store
from lensml.data.store_writer import chunk_file, encode_chunk, seal_store, write_block
from lensml.fit.observed import EXPOSURE, SUBTRACTED, observed
from lensml.fit.parameters import NAMES
from lensml.fit.smooth import SmoothFitter
from lensml.fit.starts import fit_reference, read_reference
from lensml.fit.statistics import STATISTICS
from lensml.fit.store import fit_block, seal_fit
from lensml.simulate.systems import TRUTH_UNITS

N, ROWS = 7, 3
SPEC = fit_spec(n_reference=40, potential={"n_modes": 4, "slope": 4.0, "amplitude": 2e-6})


@dataclass
class Blocks:
    """Fits of a store, block by block, in any order."""

    images: Path
    reference: Path
    store: Path
    rows: int = ROWS
    spec = SPEC

    @property
    def parts(self) -> list[Path]:
        count = -(-N // self.rows)
        return [self.store.with_name("test.parts") / f"{block}.npz" for block in range(count)]

    def fit(self, block: int) -> None:
        start = block * self.rows
        fit_block(
            self.images,
            self.reference,
            self.store,
            self.parts[block],
            spec=self.spec,
            start=start,
            stop=min(start + self.rows, N),
        )

    def seal(self) -> None:
        seal_fit(self.images, self.store, self.parts, spec=self.spec)

    def all(self, *order: int) -> Path:
        for block in order or range(len(self.parts)):
            self.fit(block)
        self.seal()
        return self.store


@pytest.fixture(scope="module")
def camera(domain):
    return domain("euclid_l1", num_pix=40, supersampling_factor=2, refinement_factor=2)


@pytest.fixture(scope="module")
def images(camera, simulate_store, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("images") / "datasets"
    return simulate_store(folder, camera, "cdm", "test", n_images=N, images_per_block=ROWS)


@pytest.fixture(scope="module")
def reference(camera, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("reference") / "reference.npz"
    fit_reference(path, camera, n=SPEC.n_reference, seed=SEED)
    return path


def place(folder: Path, camera) -> Path:
    return folder / FITS / camera.name / "cdm" / "test.zarr"


@pytest.fixture(scope="module")
def fits(images, reference, camera, tmp_path_factory) -> Path:
    """A sealed store that no test changes."""
    return Blocks(images, reference, place(tmp_path_factory.mktemp("fits"), camera)).all()


@pytest.fixture
def blocks(images, reference, camera, tmp_path) -> Blocks:
    return Blocks(images, reference, place(tmp_path, camera))


def test_rows_are_the_fits_of_the_images(fits, images, reference, camera):
    opened, source = open_fits(fits), open_store(images)
    expected = list(
        SmoothFitter(camera, SPEC).fit(observed(source, 0, N), read_reference(reference))
    )
    assert len(opened) == N
    for i, f in enumerate(expected):
        assert f.explained is not None
        row = np.array([i])
        for name in MAPS:
            whole = getattr(f.explained if name in POTENTIAL_MAPS else f, name)
            np.testing.assert_array_equal(opened.maps[name][row][0], whole)
        assert opened.columns["chi2"][i] == f.chi2
        assert opened.columns["evaluations"][i] == f.evaluations
        assert OUTCOMES[opened.columns["outcome"][i]] == f.outcome
        assert opened.columns["converged"][i] == (f.outcome == "fitted")
        assert opened.columns["z"][i] == f.explained.z
        assert opened.columns["evidence"][i] == f.explained.evidence
        for k, name in enumerate(NAMES):
            assert opened.parameters[name][i] == f.parameters[k]
            np.testing.assert_array_equal(opened.errors[name][i], f.errors[k])
        for k, name in enumerate(STATISTICS):
            assert opened.statistics[name][i] == f.statistics[k]
    assert sum(opened.counts().values()) == N


@pytest.mark.parametrize("order", [[2, 0, 1], [1, 2, 0, 1]])
def test_bytes_do_not_depend_on_the_order_of_the_blocks(blocks, fits, order):
    assert content(blocks.all(*order)) == content(fits)
    assert manifest_path(blocks.store).read_bytes() == manifest_path(fits).read_bytes()


def test_sealing_again_changes_nothing(blocks, fits):
    blocks.all()
    blocks.seal()
    assert content(blocks.store) == content(fits)


@pytest.mark.parametrize("rows", [1, 4, 64])
def test_fits_do_not_depend_on_the_size_of_the_blocks(
    tmp_path, camera, simulate_store, reference, fits, rows
):
    images = simulate_store(
        tmp_path / "datasets", camera, "cdm", "test", n_images=N, images_per_block=rows
    )
    blocks = Blocks(images, reference, place(tmp_path, camera), rows=rows)
    found, expected = open_fits(blocks.all()), open_fits(fits)
    for name in MAPS:
        np.testing.assert_array_equal(found.maps[name].load(), expected.maps[name].load())
    for kind in ("columns", "parameters", "errors", "statistics"):
        for name, column in getattr(expected, kind).items():
            np.testing.assert_array_equal(getattr(found, kind)[name], column)


def test_nothing_of_an_images_own_truth_reaches_its_fit(blocks, images, fits, tmp_path):
    """A copy of the images whose truth is NaN, but for what an observer knows."""
    source = open_store(images)
    hidden = tmp_path / "datasets" / source.attributes["domain"] / "cdm" / "test.zarr"
    known = {*EXPOSURE, *SUBTRACTED}
    assert known < set(TRUTH_UNITS)
    parts = []
    for block, start in enumerate(range(0, N, ROWS)):
        rows = np.arange(start, min(start + ROWS, N))
        parts.append(tmp_path / f"{block}.npz")
        truth = {
            name: column[rows] if name in known else np.full(len(rows), np.nan)
            for name, column in source.truth.items()
        }
        write_block(
            chunk_file(hidden, block),
            parts[-1],
            images=source.image[rows],
            images_per_chunk=ROWS,
            truth=truth,
            offset=np.zeros(len(rows) + 1, np.int64),
            perturbers={},
        )
    seal_store(
        hidden,
        parts,
        n_images=N,
        images_per_chunk=ROWS,
        image_shape=source.image.shape[1:],
        attributes=source.attributes,
    )
    assert np.isnan(open_store(hidden).truth["theta_E"]).all()
    blocks.images = hidden
    assert content(blocks.all()) == content(fits)


def test_without_a_potential_there_are_no_maps_of_it(blocks):
    blocks.all()  # with one: what is left of it goes
    blocks.spec = SPEC.model_copy(update={"potential": None})
    opened = open_fits(blocks.all())
    assert set(opened.maps) == {"residual", "model"}
    assert {"z", "evidence"}.isdisjoint(opened.columns)
    assert not (blocks.store / "kappa").exists()


def test_arrays_name_their_dimensions_for_xarray(fits):
    group = zarr.open_group(fits, mode="r")

    def array(name):
        found = group[name]
        assert isinstance(found, zarr.Array)
        return found

    def dimensions(name):
        metadata = array(name).metadata
        assert isinstance(metadata, ArrayV3Metadata)
        return metadata.dimension_names

    for name in MAPS:
        assert dimensions(name) == ("lens", "y", "x")
        assert group[name].attrs["long_name"]
    names = ["chi2", "outcome", "parameters/theta_E", "errors/gamma", "statistics/kurtosis"]
    for name in names:
        assert dimensions(name) == ("lens",)
    meanings = group["outcome"].attrs["flag_meanings"]
    assert str(meanings).split() == list(OUTCOMES)
    assert group["parameters/theta_E"].attrs["units"] == "arcsec"
    np.testing.assert_array_equal(array("residual")[...], open_fits(fits).maps["residual"].load())


def test_a_store_says_what_was_fitted_and_how(fits, images):
    attributes, source = open_fits(fits).attributes, open_store(images).attributes
    for name in ("domain", "substructure", "split", "seed"):
        assert attributes[name] == source[name]
    assert attributes["config"]["fit"] == SPEC.model_dump()
    assert attributes["config"]["domain"] == source["config"]["domain"]


def test_a_fit_of_a_damaged_block_is_refused_and_others_are_fitted(
    tmp_path, camera, simulate_store, reference
):
    images = simulate_store(
        tmp_path / "datasets", camera, "cdm", "test", n_images=N, images_per_block=ROWS
    )
    file = chunk_file(images, 1)
    raw = file.read_bytes()
    file.write_bytes(raw[:100] + bytes([raw[100] ^ 1]) + raw[101:])
    blocks = Blocks(images, reference, place(tmp_path, camera))
    blocks.fit(0)
    with pytest.raises(DamagedStoreError, match=r"image/c/1/0/0 \(images 3 to 5\): checksum"):
        blocks.fit(1)
    assert not blocks.parts[1].exists()


@pytest.mark.parametrize("name", ["residual/c/1/0/0", "kappa_std/zarr.json", "chi2/c/0"])
def test_damage_is_found_and_named(blocks, name):
    file = blocks.all() / name
    raw = file.read_bytes()
    file.write_bytes(raw[:10] + bytes([raw[10] ^ 1]) + raw[11:])
    with pytest.raises(DamagedStoreError, match=name) as caught:
        open_fits(blocks.store)
    assert "\n" not in str(caught.value)


def test_a_block_that_is_no_whole_chunk_is_refused(blocks):
    with pytest.raises(ValueError, match="block starts at image 2, not at a multiple of 3"):
        fit_block(
            blocks.images,
            blocks.reference,
            blocks.store,
            blocks.parts[0],
            spec=SPEC,
            start=2,
            stop=5,
        )


def test_a_missing_block_is_no_store(blocks):
    for block in range(3):
        blocks.fit(block)
    chunk_file(blocks.store, 1, "kappa").unlink()
    with pytest.raises(DamagedStoreError, match=r"kappa/c/1/0/0: holds 0 bytes"):
        blocks.seal()
    blocks.fit(1)
    parts = blocks.parts
    with pytest.raises(DamagedStoreError, match="blocks hold"):
        seal_fit(blocks.images, blocks.store, [parts[0], parts[2], parts[1]], spec=SPEC)
    with pytest.raises(DamagedStoreError, match="never completed"):
        open_fits(blocks.store)


def test_a_store_under_another_name_or_of_another_layout_is_refused(blocks, images):
    store = blocks.all()
    moved = store.parents[1] / "no_sub"
    store.parent.rename(moved)
    with pytest.raises(DamagedStoreError, match="holds substructure 'cdm', which does not belong"):
        open_fits(moved / "test.zarr")
    with pytest.raises(DamagedStoreError, match="not a lensml store of fits"):
        open_fits(images)


KILLED = """
import sys
from pathlib import Path
from lensml.fit.store import fit_block
from lensml.schema.fit import Fit
images, reference, store, part, spec = sys.argv[1:]
print("ready", flush=True)
while True:
    fit_block(images, reference, store, part, spec=Fit.model_validate_json(spec), start=3, stop=6)
    print("written", flush=True)
"""


@pytest.mark.slow
def test_a_killed_block_leaves_nothing_half_written(blocks, fits):
    """Killed again and again at any moment: what lies there is whole, and fits to the rest."""
    command = [sys.executable, "-c", KILLED, blocks.images, blocks.reference, blocks.store]
    command += [blocks.parts[1], SPEC.model_dump_json()]
    rng = np.random.default_rng(0)
    expected = {name: (fits / name).read_bytes() for name in map("{}/c/1/0/0".format, MAPS)}
    for _ in range(6):
        with subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            assert process.stdout.readline() == "written\n"
            time.sleep(rng.uniform(0, 0.3))
            os.kill(process.pid, signal.SIGKILL)
        for name, raw in expected.items():
            assert (blocks.store / name).read_bytes() == raw
        with np.load(blocks.parts[1]) as part:
            assert len(part["chi2"]) == ROWS
    blocks.fit(0)
    blocks.fit(2)
    blocks.seal()  # with its part as the killed process left it
    assert content(blocks.store) == content(fits)


def test_what_is_written_is_finite(fits):
    """A network that reads a row of an image without a fit must not stumble."""
    opened = open_fits(fits)
    for images in opened.maps.values():
        encode_chunk(images.load(), ROWS * N)  # refuses what is not finite
