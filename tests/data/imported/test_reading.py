"""Images from files of every kind; a pickle makes arrays and numbers, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from lensml.data.imported.reading import array_of, count

IMAGE = np.arange(36.0).reshape(6, 6)


def objects(path: Path, *content: object) -> Path:
    """A file as the published sets have them: an array of Python objects."""
    array = np.empty(len(content), dtype=object)
    array[:] = content
    np.save(path, array, allow_pickle=True)
    return path


@pytest.mark.parametrize("mass", [1e-23, np.float64(1e-23), np.float32(1e-23), 7])
def test_an_image_with_its_mass_is_read_as_the_published_sets_have_it(tmp_path, mass):
    path = objects(tmp_path / "axion.npy", IMAGE, mass)
    np.testing.assert_array_equal(array_of(path), IMAGE)
    assert count(path) == 1


class Hostile:
    """Would leave a file behind where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.path}",)


def test_a_hostile_pickle_runs_nothing(tmp_path):
    trace = tmp_path / "trace"
    path = objects(tmp_path / "a.npy", Hostile(trace), IMAGE)
    with pytest.raises(ValueError, match=r"asks for .*system, which an image has no need of"):
        array_of(path)
    assert not trace.exists()
    np.load(path, allow_pickle=True)  # the thing it guards against is real
    assert trace.exists()


@pytest.mark.parametrize("name", ["eval", "getattr", "__import__"])
def test_builtins_are_no_images(tmp_path, name):
    class Builtin:
        def __reduce__(self) -> tuple:
            import builtins

            return getattr(builtins, name), ("1",)

    path = objects(tmp_path / "a.npy", Builtin(), IMAGE)
    with pytest.raises(ValueError, match="not read"):
        array_of(path)


def test_objects_without_an_image_are_refused(tmp_path):
    path = objects(tmp_path / "a.npy", 1.0, 2.0)
    with pytest.raises(ValueError, match="none of which is an image"):
        array_of(path)


def test_a_pickle_that_is_cut_off_is_refused(tmp_path):
    path = objects(tmp_path / "a.npy", IMAGE, 1.0)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match="cannot be read"):
        array_of(path)


def test_every_kind_of_file_is_read(tmp_path):
    np.save(tmp_path / "a.npy", np.stack([IMAGE] * 3))
    np.savez(tmp_path / "b.npz", image=IMAGE, other=np.zeros(3))
    fits.PrimaryHDU(IMAGE.astype(">f4")).writeto(tmp_path / "c.fits")
    Image.fromarray(IMAGE.astype(np.uint8)).save(tmp_path / "d.png")
    for name, n in {"a.npy": 3, "b.npz": 1, "c.fits": 1, "d.png": 1}.items():
        found = array_of(tmp_path / name)
        assert count(tmp_path / name) == n
        np.testing.assert_array_equal(found[0] if n > 1 else found, IMAGE)


def test_what_is_no_image_is_refused(tmp_path):
    Image.new("RGB", (6, 6)).save(tmp_path / "a.png")
    np.save(tmp_path / "b.npy", np.array(["text"]))
    np.save(tmp_path / "c.npy", np.zeros(5))
    reasons = {"a.png": "allowed are grey images", "b.npy": "holds <U4", "c.npy": "shape"}
    for name, reason in reasons.items():
        with pytest.raises(ValueError, match=reason):
            array_of(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="no such file"):
        array_of(tmp_path / "gone.npy")
    with pytest.raises(ValueError, match="allowed are"):
        array_of(Path(__file__))
