"""Images from files, whatever they lie in; what cannot be read says why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from astropy.io import fits
from toy.arrays import write_arrays

from lensml.evaluation.prediction.files import Batch, count, read_batches, sources_of

IMAGE = np.arange(36.0).reshape(6, 6)
SCALE = 0.1


def read(*images: str | Path, size: int = 64) -> list[Batch]:
    return list(read_batches(sources_of(images), size=size, pixel_scale=SCALE))


def write_fits(path: Path, array: np.ndarray, **header: float | str) -> Path:
    fits.PrimaryHDU(array, header=fits.Header(header)).writeto(path)
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    """Files of every kind, one of them below."""
    np.save(tmp_path / "one.npy", IMAGE)
    np.save(tmp_path / "three.npy", np.stack([IMAGE, 2 * IMAGE, 3 * IMAGE]))
    times = np.array([10.0, 20.0])
    np.savez(
        tmp_path / "two.npz", image=np.stack([IMAGE] * 2), background_rms=0.5, exposure_time=times
    )
    (tmp_path / "below").mkdir()
    write_fits(tmp_path / "below" / "sky.fits", IMAGE.astype(">f4"))
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def test_a_folder_is_read_in_the_order_of_its_names(folder):
    found = read(folder)
    names = [name.removeprefix(f"{folder}/") for batch in found for name in batch.names]
    three = [f"three.npy[{i}]" for i in range(3)]
    assert names == ["below/sky.fits", "one.npy", *three, "two.npz[0]", "two.npz[1]"]
    assert not any(batch.problem for batch in found)
    np.testing.assert_array_equal(found[2].images[2], 3 * IMAGE.astype(np.float32))
    assert all(batch.images.dtype == np.float32 for batch in found)
    assert found[-1].background_rms.tolist() == [0.5, 0.5]
    assert found[-1].exposure_time.tolist() == [10, 20]
    assert np.isnan(found[0].background_rms).all()


def test_batches_are_no_larger_than_asked(folder):
    sizes = [len(batch) for batch in read(folder / "three.npy", size=2)]
    assert sizes == [2, 1]
    assert count(sources_of([folder / "three.npy", folder / "one.npy"])) == 4


def test_a_pattern_is_what_it_matches(folder):
    names = [batch.names[0] for batch in read(f"{folder}/*.npy")]
    assert names == [f"{folder}/one.npy", f"{folder}/three.npy[0]"]
    with pytest.raises(FileNotFoundError, match="matches no file"):
        sources_of([f"{folder}/*.jpg"])


def test_a_folder_without_images_says_what_is_allowed(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no image; allowed are \.npy"):
        sources_of([tmp_path])


def test_a_list_names_images_and_what_is_known_of_them(folder):
    np.save(folder / "noise.npy", 0.5 * np.ones((6, 6)))
    lines = ["image,background_rms,exposure_time,noise_map"]
    lines += ["one.npy,0.3,100,noise.npy", "below/sky.fits,,,"]
    (folder / "list.csv").write_text("\n".join(lines))
    first, second = read(folder / "list.csv")
    assert first.background_rms.tolist() == [0.3]
    assert first.exposure_time.tolist() == [100]
    assert first.noise_map is not None
    assert first.noise_map.shape == (1, 6, 6)
    assert np.isnan(second.background_rms).all()
    assert second.noise_map is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("file\na.npy\n", "has a column 'image'"),
        ("image,background_rms\na.npy,faint\n", "line 2: could not convert string to float"),
        ("image\n", "a row for each"),
    ],
)
def test_a_list_that_is_none_is_refused(tmp_path, text, problem):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(ValueError, match=problem):
        sources_of([tmp_path / "list.csv"])


def test_what_cannot_be_read_is_a_batch_with_its_reason(tmp_path):
    np.save(tmp_path / "object.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "cube.npy", np.zeros((2, 3, 4, 5)))
    (tmp_path / "text.fits").write_text("no image")
    np.savez(tmp_path / "odd.npz", a=IMAGE, b=IMAGE)
    (tmp_path / "cut.npz").write_bytes(b"PK")
    sky = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CDELT1": -5e-5, "CDELT2": 5e-5}
    write_fits(tmp_path / "other_pixels.fits", IMAGE, **sky)
    (tmp_path / "picture.png").write_bytes(b"")
    np.save(tmp_path / "good.npy", IMAGE)
    reasons = {
        "object.npy": "holds Python objects, none of which is an image",
        "cube.npy": r"holds float64 of shape (2, 3, 4, 5); allowed are numbers of shape (H, W)",
        "text.fits": "cannot be read",
        "odd.npz": "holds a, b; that of the images is to be called 'image'",
        "cut.npz": "",
        "other_pixels.fits": "its header says 0.18 arcsec per pixel",
        "gone.npy": "there is no such file",
        "picture.png": "allowed are .npy, .npz, .h5, .hdf5, .fits",
    }
    found = read(*(tmp_path / name for name in [*reasons, "good.npy"]))
    assert [len(batch) for batch in found] == [1] * 9
    for batch, (name, reason) in zip(found, reasons.items(), strict=False):
        assert batch.names == [str(tmp_path / name)]
        assert batch.problem
        assert reason in batch.problem
    assert not found[-1].problem


def test_a_noise_map_has_the_image_s_shape(tmp_path):
    np.savez(tmp_path / "a.npz", image=IMAGE, noise_map=IMAGE[:5])
    (batch,) = read(tmp_path / "a.npz")
    assert "noise map has shape (5, 6)" in batch.problem


STACK = np.stack([IMAGE, 2 * IMAGE, 3 * IMAGE])


@pytest.mark.parametrize("name", ["a.h5", "a.zarr", "a.zarr2", "a.npz"])
def test_one_file_of_many_images_is_read_with_what_stands_beside(tmp_path, name):
    known = {"background_rms": [0.1, 0.2, 0.3], "exposure_time": 9.0, "noise_map": STACK / 7}
    path = write_arrays(tmp_path / name, images=STACK, label=[0, 1, 2], **known)
    first, second = read(path, size=2)
    assert [*first.names, *second.names] == [f"{path}[{i}]" for i in range(3)]
    np.testing.assert_array_equal(first.images, STACK[:2].astype(np.float32))
    assert second.background_rms.tolist() == [0.3]
    assert first.exposure_time.tolist() == [9, 9]
    assert second.noise_map is not None
    np.testing.assert_allclose(second.noise_map[0], STACK[2] / 7)
    assert count(sources_of([path])) == (1 if name == "a.npz" else 3)


def test_the_array_of_the_images_can_be_named(tmp_path):
    path = write_arrays(tmp_path / "a.h5", vis=STACK, nir=2 * STACK)
    (batch,) = read_batches(sources_of([path], "nir"), size=9, pixel_scale=SCALE)
    np.testing.assert_array_equal(batch.images, (2 * STACK).astype(np.float32))
    (wrong,) = read(path)
    assert "holds nir, vis; that of the images is to be called 'image'" in wrong.problem


def test_zarr_lies_in_folders_as_files_do(tmp_path):
    write_arrays(tmp_path / "a.zarr", image=STACK, label=[0, 1, 2])
    zarr.create_array(tmp_path / "b.zarr", data=IMAGE)
    write_arrays(tmp_path / "c.h5", image=IMAGE)
    names = [name for batch in read(tmp_path) for name in batch.names]
    expected = [*(f"a.zarr[{i}]" for i in range(3)), "b.zarr", "c.h5"]
    assert [name.removeprefix(f"{tmp_path}/") for name in names] == expected


def test_a_damaged_file_of_many_is_a_row_with_its_reason(tmp_path):
    for name in ("a.h5", "a.npz"):
        path = write_arrays(tmp_path / name, image=STACK)
        path.write_bytes(path.read_bytes()[:-100])
    zarr_path = write_arrays(tmp_path / "a.zarr", image=STACK)
    (zarr_path / "image/c/0/0/0").write_bytes(b"no chunk")
    for name in ("a.h5", "a.npz", "a.zarr"):
        (batch,) = read(tmp_path / name)
        assert batch.names == [str(tmp_path / name)]
        assert batch.problem
        assert "\n" not in batch.problem
