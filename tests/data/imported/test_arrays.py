"""One file that holds every image: npz, HDF5, Zarr; no more of it is read than is asked for."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import zarr
from toy.arrays import write_arrays

from lensml.data.imported.arrays import column_in, rows_of
from lensml.data.imported.reading import array_of, count

IMAGES = np.arange(5 * 36, dtype=np.float32).reshape(5, 6, 6)
KINDS = ("a.npz", "a.h5", "a.zarr", "a.zarr2")


@pytest.mark.parametrize("name", KINDS)
def test_images_and_what_stands_beside_them_are_read(tmp_path, name):
    path = write_arrays(tmp_path / name, images=IMAGES, label=[2, 0, 1, 0, 2], exposure_time=50.0)
    found = array_of(path)
    assert count(path) == 5
    np.testing.assert_array_equal(rows_of(found, np.array([3, 0, 3]), path), IMAGES[[3, 0, 3]])
    label, time = column_in(path, "label"), column_in(path, "exposure_time")
    assert label is not None
    assert label.tolist() == [2, 0, 1, 0, 2]
    assert time is not None
    assert float(time) == 50.0
    assert column_in(path, "gone") is None


@pytest.mark.parametrize("name", KINDS)
def test_of_many_arrays_one_is_named(tmp_path, name):
    path = write_arrays(tmp_path / name, vis=IMAGES, nir=2 * IMAGES)
    with pytest.raises(
        ValueError, match=r"holds (nir, vis|vis, nir); that of the images is to be"
    ):
        array_of(path)
    np.testing.assert_array_equal(array_of(path, "nir")[1], 2 * IMAGES[1])
    np.testing.assert_array_equal(array_of(path, beside=["nir"])[1], IMAGES[1])
    with pytest.raises(ValueError, match=r"and no array 'u'"):
        array_of(path, "u")


def test_an_array_in_a_group_below_is_named_with_it(tmp_path):
    path = write_arrays(tmp_path / "a.h5", **{"train/x": IMAGES, "train/y": np.arange(5)})
    np.testing.assert_array_equal(array_of(path, "train/x")[2], IMAGES[2])
    with pytest.raises(ValueError, match="holds no array"):
        array_of(path)


def test_a_zarr_array_needs_no_name(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=IMAGES)
    assert array_of(tmp_path / "a.zarr").shape == IMAGES.shape


def test_hdf5_is_not_read_before_rows_are_asked_for(tmp_path):
    found = array_of(write_arrays(tmp_path / "a.h5", image=IMAGES))
    assert not isinstance(found, np.ndarray)
    assert found.shape == IMAGES.shape


def truncated(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-100])
    return path


def not_json(path: Path) -> Path:
    (path / "zarr.json").write_text("{")
    return path


@pytest.mark.parametrize(
    ("name", "damage"), [("a.npz", truncated), ("a.h5", truncated), ("a.zarr", not_json)]
)
def test_a_damaged_file_is_one_line_that_names_it(tmp_path, name, damage):
    path = damage(write_arrays(tmp_path / name, image=IMAGES))
    with pytest.raises(ValueError, match="cannot be read") as caught:
        array_of(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_damaged_chunk_is_named_where_it_is_read(tmp_path):
    path = write_arrays(tmp_path / "a.zarr", image=IMAGES)
    (path / "image/c/1/0/0").write_bytes(b"no chunk")
    found = array_of(path)
    with pytest.raises(ValueError, match=r"a\.zarr: cannot be read"):
        rows_of(found, np.arange(5), path)


def test_without_h5py_it_is_said_what_to_install(tmp_path, monkeypatch):
    path = write_arrays(tmp_path / "a.h5", image=IMAGES)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ValueError, match=r"a\.h5: .*needs h5py: pip install h5py"):
        array_of(path)


@pytest.mark.parametrize("name", KINDS)
def test_what_is_no_stack_of_images_is_refused(tmp_path, name):
    path = write_arrays(tmp_path / name, image=np.zeros((2, 3, 4, 5)))
    with pytest.raises(ValueError, match=r"shape \(2, 3, 4, 5\); allowed are numbers of shape"):
        array_of(path)
