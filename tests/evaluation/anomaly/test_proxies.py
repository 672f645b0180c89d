"""Proxies: smooth lenses of which a patch is displaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy.configuration import load_varied

from lensml.data.store import Store, open_store
from lensml.evaluation.anomaly.proxies import displaced, make_proxies
from lensml.schema.anomaly import Proxies
from lensml.simulate.dataset import seal_dataset, simulate_block
from lensml.simulate.stored import rendered_again

SCALE = 0.1  # arcsec


def spot(size: int = 31, sigma: float = 2.0) -> np.ndarray:
    axis = np.arange(size) - size // 2
    return np.exp(-(axis[:, None] ** 2 + axis**2) / (2 * sigma**2))


def spec(**changes: object) -> Proxies:
    known = {"n_images": 6, "displacement": [0.1, 0.1 + 1e-9], "width": [5.0, 5.0 + 1e-9]}
    return Proxies.model_validate({**known, **changes})


@pytest.fixture(scope="module")
def lenses(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("lenses")
    setting: dict[str, Any] = {
        "domain": load_varied().domain("euclid"),
        "substructure": "no_sub",
        "split": "val",
        "seed": 3,
        "images_per_block": 5,
        "engine": "numba",
        "precision": "float32",
    }
    store, parts = folder / "val.zarr", []
    for block, (start, stop) in enumerate([(0, 5), (5, 8)]):
        parts.append(folder / f"{block}.npz")
        simulate_block(
            store / "image" / "c" / str(block) / "0" / "0",
            parts[-1],
            start=start,
            stop=stop,
            **setting,
        )
    seal_dataset(store, parts, n_images=8, **setting)
    return str(store)


def images_in(store: Store) -> np.ndarray:
    return store.image[np.arange(len(store))]


def test_a_wide_displacement_moves_the_image_by_its_length():
    image = spot()
    for seed in range(5):
        moved = displaced(image, SCALE, spec(), np.random.default_rng(seed))
        y, x = np.indices(image.shape)
        shift = [(c * moved).sum() / moved.sum() - 15 for c in (y, x)]
        # 0.1 arcsec are a pixel; the bump of 50 pixels is flat over the spot to a percent.
        assert np.hypot(*shift) == pytest.approx(1, abs=0.05)


def test_a_narrow_displacement_leaves_what_is_far_as_it_is():
    image = spot(size=61, sigma=8.0)
    narrow = spec(width=[0.1, 0.1 + 1e-9], displacement=[0.05, 0.05 + 1e-9])
    changed = displaced(image, SCALE, narrow, np.random.default_rng(1)) - image
    center = np.unravel_index(np.abs(changed).argmax(), image.shape)
    y, x = np.indices(image.shape)
    far = np.hypot(y - center[0], x - center[1]) > 8
    assert np.abs(changed[far]).max() < 1e-3 * np.abs(changed).max()


def test_displacements_begin_where_there_is_light():
    image = np.zeros((40, 40))
    image[5:10, 30:35] = spot(5)
    changed = [
        np.abs(displaced(image, SCALE, spec(), np.random.default_rng(seed)) - image)
        for seed in range(5)
    ]
    assert all(c[5:10, 30:35].max() > 0.01 for c in changed)


def test_proxies_are_their_originals_but_for_the_patch(lenses, tmp_path):
    proxies = tmp_path / "proxies.zarr"
    make_proxies(lenses, proxies, spec(displacement=[1e-6, 2e-6]), seed=0)
    original, distorted = open_store(lenses), open_store(proxies)
    assert len(distorted) == 6
    for name, column in distorted.truth.items():
        np.testing.assert_array_equal(column, original.truth[name][:6])
    clean, variance = rendered_again(original, 6)
    z = (images_in(distorted) - clean) / np.sqrt(variance)
    own = (images_in(original)[:6] - clean) / np.sqrt(variance)
    n = z.size
    # Nothing is displaced: what is left is noise of the camera's variance, and another draw of it.
    assert z.mean() == pytest.approx(0, abs=4 / np.sqrt(n))
    assert z.var() == pytest.approx(1, abs=4 * np.sqrt(2 / n))
    assert np.corrcoef(z.ravel(), own.ravel())[0, 1] == pytest.approx(0, abs=4 / np.sqrt(n))


def test_displaced_light_has_the_photon_noise_of_where_it_is(lenses, tmp_path):
    proxies = tmp_path / "proxies.zarr"
    strong = spec(displacement=[1.0, 1.0 + 1e-9], width=[0.5, 0.5 + 1e-9])
    make_proxies(lenses, proxies, strong, seed=0)
    clean, _ = rendered_again(open_store(lenses), 6)
    rms = open_store(lenses).truth["background_rms"][:6, None, None]
    change = np.abs(images_in(open_store(proxies)) - clean) / rms
    assert (change.reshape(6, -1).max(1) > 10).all()


def test_the_same_seed_gives_the_same_proxies(lenses, tmp_path):
    images = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        make_proxies(lenses, tmp_path / f"{name}.zarr", spec(), seed=seed)
        images.append(images_in(open_store(tmp_path / f"{name}.zarr")))
    assert np.array_equal(images[0], images[1])
    assert not np.array_equal(images[0], images[2])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"displacement": [0.3, 0.03]}, "must be below the second"),
        ({"width": [0.0, 1.0]}, "greater than 0"),
        ({"width": [0.1]}, "at least 2 items"),
        ({"n_images": 1}, "greater than or equal to 2"),
    ],
)
def test_impossible_proxies_are_refused(change, reason):
    with pytest.raises(ValueError, match=reason):
        spec(**change)


def test_fewer_images_than_asked_for_are_all_taken(lenses, tmp_path: Path):
    make_proxies(lenses, tmp_path / "p.zarr", spec(n_images=400), seed=0)
    assert len(open_store(tmp_path / "p.zarr")) == 8
