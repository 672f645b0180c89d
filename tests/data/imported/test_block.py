"""Images of files as blocks of stores: fluxes, noise, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toy.arrays import write_arrays

from lensml.data.imported import import_block
from lensml.data.store import open_store
from lensml.data.store_writer import chunk_file
from lensml.schema.simulation import Domain
from lensml.simulate.dataset import seal_dataset

COUNTS = {"train": 4, "val": 1, "test": 1}
EXPOSURE = {"background_rms": 0.25, "exposure_time": 500.0}


@pytest.fixture
def noise(tmp_path) -> np.ndarray:
    """Six images of noise of rms 3, each in a file."""
    images = np.random.default_rng(0).normal(0, 3, (6, 64, 64))
    (tmp_path / "data" / "cdm").mkdir(parents=True)
    for i, image in enumerate(images):
        np.save(tmp_path / "data" / "cdm" / f"{i}.npy", image)
    return images


def of_files(domain, folder: Path, **changes) -> Domain:
    return domain("euclid", files={"folder": str(folder / "data"), **changes})


def imported(domain: Domain, folder: Path, split: str = "train", rows: int = 3) -> Path:
    store, parts, n = folder / "datasets/euclid/cdm" / f"{split}.zarr", [], COUNTS[split]
    for block, start in enumerate(range(0, n, rows)):
        parts.append(folder / f"{split}{block}.npz")
        import_block(
            chunk_file(store, block),
            parts[-1],
            domain=domain,
            substructure="cdm",
            split=split,
            counts=COUNTS,
            exposure=EXPOSURE,
            seed=1,
            start=start,
            stop=min(start + rows, n),
            images_per_block=rows,
        )
    sizes = {"n_images": n, "images_per_block": rows, "engine": "numba", "precision": "float32"}
    seal_dataset(store, parts, domain=domain, substructure="cdm", split=split, seed=1, **sizes)
    return store


def test_images_noise_and_exposure_are_what_the_files_hold(domain, tmp_path, noise):
    store = open_store(imported(of_files(domain, tmp_path, flux_scale=2.0), tmp_path))
    assert len(store) == 4
    found = store.image[np.arange(4)]
    assert all((np.abs(found[i] - 2 * noise) < 1e-5).all((1, 2)).any() for i in range(4))
    np.testing.assert_allclose(store.truth["background_rms"], 6, rtol=0.15)
    assert (store.truth["exposure_time"] == 500).all()
    assert set(store.truth) == {"system_id", "background_rms", "exposure_time"}
    assert store.attributes["config"]["domain"]["files"]["flux_scale"] == 2.0


@pytest.mark.parametrize("name", ["all.npz", "all.h5", "all.zarr"])
def test_an_array_of_all_images_is_a_store_as_their_files_are(domain, tmp_path, noise, name):
    labels = [0, 1] * 6
    images = np.repeat(noise, 2, axis=0) * np.array(labels)[:, None, None]
    path = write_arrays(tmp_path / name, x=images, y=labels, background_rms=np.arange(12.0))
    files = {"array": str(path), "images": "x", "labels": "y", "classes": {"cdm": "1"}}
    store = open_store(imported(domain("euclid", files=files), tmp_path))
    rms = np.asarray(store.truth["background_rms"])
    assert len(set(rms)) == 4
    expected = noise[((rms - 1) / 2).astype(int)]
    np.testing.assert_allclose(store.image[np.arange(4)], expected, rtol=1e-6)


def test_images_of_another_size_in_an_array_are_named(domain, tmp_path):
    path = write_arrays(tmp_path / "a.h5", image=np.zeros((9, 32, 64)), y=["cdm"] * 9)
    with pytest.raises(ValueError, match=r"a\.h5: an image of shape \(32, 64\), the domain's num"):
        imported(domain("euclid", files={"array": str(path), "labels": "y"}), tmp_path)
    images = np.ones((9, 64, 64))
    images[:, 3, 3] = np.nan
    path = write_arrays(tmp_path / "a.h5", image=images, y=["cdm"] * 9)
    with pytest.raises(ValueError, match=r"a\.h5\[\d\]: has pixels that are not finite"):
        imported(domain("euclid", files={"array": str(path), "labels": "y"}), tmp_path)


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        ("all.npy[6]", r"all\.npy: holds no image 6"),
        ("all.npy", r"all\.npy: holds 6 images; say which, as in all\.npy\[0\]"),
    ],
)
def test_a_place_that_a_file_does_not_have_is_named(domain, tmp_path, noise, image, problem):
    np.save(tmp_path / "all.npy", noise)
    rows = [f"all.npy[{i}],cdm" for i in range(5)] + [f"{image},cdm"]
    (tmp_path / "table.csv").write_text("\n".join(["image,class", *rows]))
    spec = domain("euclid", files={"table": str(tmp_path / "table.csv")})
    with pytest.raises(ValueError, match=problem):
        [imported(spec, tmp_path, split) for split in COUNTS]


def test_the_blocks_make_no_difference(domain, tmp_path, noise):
    spec = of_files(domain, tmp_path)
    first, second = (imported(spec, tmp_path / name, rows=n) for name, n in (("a", 3), ("b", 4)))
    images = [open_store(path).image[np.arange(4)] for path in (first, second)]
    np.testing.assert_array_equal(images[0], images[1])


def test_without_noise_the_cameras_own_is_the_unit(domain, tmp_path, noise):
    for i in range(6):
        np.save(tmp_path / "data" / "cdm" / f"{i}.npy", np.full((64, 64), 0.5))
    with pytest.raises(ValueError, match="its border has no noise; give background_rms"):
        imported(of_files(domain, tmp_path), tmp_path)
    spec = domain("euclid", instrument={"noise": "none"}, files={"folder": str(tmp_path / "data")})
    assert (open_store(imported(spec, tmp_path)).truth["background_rms"] == 0.25).all()


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        (np.zeros((32, 64)), r"shape \(32, 64\), the domain's num_pix is 64"),
        (np.full((64, 64), np.nan), "has pixels that are not finite"),
    ],
)
def test_an_image_that_cannot_be_used_is_named(domain, tmp_path, noise, image, problem):
    for i in range(6):
        np.save(tmp_path / "data" / "cdm" / f"{i}.npy", image)
    with pytest.raises(ValueError, match=problem) as caught:
        imported(of_files(domain, tmp_path), tmp_path)
    assert ".npy" in str(caught.value)
    assert not list(tmp_path.rglob("*.npz"))


def test_a_simulated_domain_says_nothing_of_files(domain):
    assert "files" not in domain("euclid").model_dump()
    assert "files" in domain("euclid", files={"folder": "a"}).model_dump()
