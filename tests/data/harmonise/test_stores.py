"""Stores in the common camera."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy.cameras import SHARP, camera
from toy.datasets import content
from toy.stores import EXPOSURE, RMS, write_store

from lensml.data.harmonise import Harmony, agree, camera_of, harmonise_store
from lensml.data.store import open_store
from lensml.data.store_writer import seal_store
from lensml.schema.simulation import Domain
from lensml.simulate.dataset import pool_unlabelled
from lensml.simulate.stored import domain_of, rendered_again

CLASSES = ["no_sub", "cdm", "vortex"]
N, ROWS = 10, 4


@pytest.fixture(scope="module")
def domains(domain) -> dict[str, Domain]:
    """Of one name, so that they see the same lenses."""
    return {"source": domain("model_ii"), "target": domain("model_ii", instrument=SHARP)}


@pytest.fixture(scope="module")
def stores(tmp_path_factory, domains, simulate_store) -> dict[str, dict[str, Path]]:
    """Labelled stores of every class on both sides."""
    folder = tmp_path_factory.mktemp("pair")
    sizes: dict[str, Any] = {"n_images": N, "images_per_block": ROWS}
    return {
        side: {c: simulate_store(folder / side, d, c, **sizes) for c in CLASSES}
        for side, d in domains.items()
    }


@pytest.fixture(scope="module")
def pool(tmp_path_factory, stores) -> Path:
    path = tmp_path_factory.mktemp("pool") / "train.zarr"
    pool_unlabelled(path, list(stores["target"].values()), seed=1)
    return path


@pytest.fixture(scope="module")
def harmony(domains, stores, pool) -> Harmony:
    source, target = (camera_of(d) for d in domains.values())
    return agree(source, target, list(stores["source"].values()), [pool])


@pytest.fixture(scope="module")
def made(tmp_path_factory, stores, pool, harmony) -> dict[str, dict[str, Path]]:
    """The same stores in the common camera, and the pool."""
    folder = tmp_path_factory.mktemp("made")
    found: dict[str, dict[str, Path]] = {}
    given: dict[str, dict[str, Path]] = {**stores, "target": {**stores["target"], "pool": pool}}
    for side, classes in given.items():
        found[side] = {c: folder / side / c / "train.zarr" for c in classes}
        for c, path in classes.items():
            harmonise_store(path, found[side][c], harmony, side=side, seed=5)  # type: ignore[arg-type]
    return found


def test_a_harmonised_store_is_an_ordinary_one_with_as_many_images(made, harmony):
    for classes in made.values():
        for path in classes.values():
            opened = open_store(path)
            assert opened.image.shape[1:] == (64, 64)
            assert len(opened) == (3 * N if path.parent.name == "pool" else N)
            for name in ("background_rms", "exposure_time"):
                expected = getattr(harmony.noise, name)
                np.testing.assert_allclose(opened.truth[name], expected)
            assert not path.with_name("train.parts").exists()


def test_truth_perturbers_and_labels_of_the_source_follow(stores, made):
    for c in CLASSES:
        before, after = open_store(stores["source"][c]), open_store(made["source"][c])
        assert after.attributes["substructure"] == c
        assert list(after.truth) == list(before.truth)
        for name in set(before.truth) - {"background_rms", "exposure_time"}:
            np.testing.assert_array_equal(after.truth[name], before.truth[name], name)
        np.testing.assert_array_equal(after.perturber_offset, before.perturber_offset)
        assert list(after.perturbers) == list(before.perturbers)
        for name in before.perturbers:
            np.testing.assert_array_equal(after.perturbers[name], before.perturbers[name], name)


def test_the_source_rendered_again_gives_the_harmonised_images_without_noise(made, harmony):
    opened = open_store(made["source"]["cdm"])
    instrument = domain_of(opened).instrument
    assert instrument.pixel_scale == harmony.common.camera.pixel_scale
    clean, variance = rendered_again(opened, N)
    mask = harmony.operator("source").mask
    z = ((opened.image.load() - clean) / np.sqrt(variance))[:, mask]
    assert z.std() == pytest.approx(1, abs=0.02)  # of 25,000 pixels
    assert abs(z.mean()) < 0.03


def test_the_same_lenses_on_both_sides_differ_by_noise_alone(made, harmony):
    a, b = (open_store(made[side]["cdm"]).image.load() for side in ("source", "target"))
    mask = harmony.operator("source").mask
    flux = np.maximum((a + b) / 2, 0)
    z = (a - b) / np.sqrt(2 * (harmony.noise.background + harmony.noise.photon * flux))
    assert z[:, mask].std() == pytest.approx(1, abs=0.03)
    assert np.abs(z[:, mask].mean(0)).max() < 5 / np.sqrt(N)


def test_of_the_target_an_observer_knows_no_more_than_before(made):
    opened = open_store(made["target"]["cdm"])
    identity = {"system_id", "source_galaxy"}  # over which intervals are
    assert set(opened.truth) == identity | {"background_rms", "exposure_time"}
    assert not len(opened.perturbers)
    assert "instrument" not in opened.attributes
    assert set(opened.attributes["config"]) == {"images_per_block"}
    unlabelled = open_store(made["target"]["pool"])
    assert set(unlabelled.truth) == {"background_rms", "exposure_time"}
    assert "substructure" not in unlabelled.attributes
    on_disk = b"".join(
        raw for name, raw in content(made["target"]["pool"]).items() if name.endswith("zarr.json")
    )
    for secret in (b"theta_E", b"system_id", b"source_galaxy", *(c.encode() for c in CLASSES)):
        assert secret not in on_disk


def test_classes_share_the_noise_that_is_added(stores, made, harmony):
    """Where nobody saw anything there is nothing else."""
    outside = ~harmony.operator("source").mask
    for side in ("source", "target"):
        images = [open_store(made[side][c]).image.load()[:, outside] for c in CLASSES]
        np.testing.assert_array_equal(images[0], images[1])
        np.testing.assert_array_equal(images[0], images[2])
    one, other = (
        open_store(made[side]["cdm"]).image.load()[:, outside].ravel()
        for side in ("source", "target")
    )
    assert abs(np.corrcoef(one, other)[0, 1]) < 4 / np.sqrt(len(one))


def test_bytes_do_not_depend_on_blocks(tmp_path, domains, simulate_store, made, harmony):
    whole = simulate_store(tmp_path, domains["source"], "cdm", n_images=N, images_per_block=N)
    harmonise_store(whole, tmp_path / "out" / "train.zarr", harmony, side="source", seed=5)
    found = open_store(tmp_path / "out" / "train.zarr").image.load()
    np.testing.assert_array_equal(found, open_store(made["source"]["cdm"]).image.load())


def test_the_same_seed_gives_the_same_bytes(tmp_path, stores, made, harmony):
    for name, seed in (("again", 5), ("other", 6)):
        path = tmp_path / name / "train.zarr"
        harmonise_store(stores["target"]["cdm"], path, harmony, side="target", seed=seed)
    known = content(made["target"]["cdm"])
    assert content(tmp_path / "again" / "train.zarr") == known
    assert content(tmp_path / "other" / "train.zarr") != known


SMALL = camera(0.101, 0.16, num_pix=16), camera(0.08, 0.1, num_pix=16)


def small_pair(folder: Path, **truth: np.ndarray) -> str:
    images = np.random.default_rng(0).normal(0, RMS, (9, 16, 16))
    return write_store(folder / "cdm" / "train.zarr", images, truth=truth, images_per_block=4)


def test_truth_of_the_target_is_not_read(tmp_path):
    """NaN in place of what no observer knows gives the same bytes."""
    known = small_pair(tmp_path / "known")
    hidden = small_pair(
        tmp_path / "hidden", theta_E=np.full(9, np.nan), theta_E_total=np.full(9, np.nan)
    )
    found = []
    for name, path in (("known", known), ("hidden", hidden)):
        out = tmp_path / name / "out" / "train.zarr"
        harmony = agree(*SMALL, [known], [path])
        harmonise_store(path, out, harmony, side="target", seed=0)
        found.append(content(out))
    assert found[0] == found[1]


def test_a_harmony_survives_its_file(tmp_path, harmony):
    harmony.write(tmp_path / "harmony.json")
    assert Harmony.read(tmp_path / "harmony.json") == harmony


def test_a_side_that_stays_as_it_is_is_known(tmp_path, harmony):
    store = small_pair(tmp_path)
    known, sharper = camera(num_pix=16), camera(0.101, 0.1, num_pix=16)
    agreed = agree(known, sharper, [store], [store])
    assert not agreed.changes("source")
    assert agreed.changes("target")
    harmonise_store(store, tmp_path / "out" / "train.zarr", agreed, side="source", seed=0)
    before, after = open_store(store), open_store(tmp_path / "out" / "train.zarr")
    np.testing.assert_array_equal(after.image.load(), before.image.load())
    np.testing.assert_allclose(after.truth["background_rms"], RMS)
    np.testing.assert_allclose(after.truth["exposure_time"], EXPOSURE)
    assert harmony.changes("source")  # its field is larger than the target's


def test_images_of_another_size_are_refused(tmp_path):
    store = small_pair(tmp_path)
    other = camera(num_pix=18)
    harmony = agree(other, other, [store], [store])
    with pytest.raises(ValueError, match="images of 16 pixels, the source's camera has 18"):
        harmonise_store(store, tmp_path / "o" / "train.zarr", harmony, side="source", seed=0)


def test_images_without_noise_are_refused(tmp_path):
    images = np.ones((4, 16, 16))
    store = write_store(tmp_path / "train.zarr", images, noise_model="none")
    with pytest.raises(ValueError, match="its images have no noise"):
        agree(*SMALL, [store], [store])


def test_a_pool_that_does_not_know_its_exposure_is_refused(tmp_path):
    store = small_pair(tmp_path)
    old = tmp_path / "old" / "train.zarr"
    chunk = old / "image" / "c" / "0" / "0" / "0"
    chunk.parent.mkdir(parents=True)
    chunk.write_bytes((Path(store) / "image" / "c" / "0" / "0" / "0").read_bytes())
    columns: dict[str, Any] = {"truth/background_rms": np.full(4, RMS)}
    np.savez(tmp_path / "part.npz", **columns)
    attributes = {
        **open_store(store).attributes,
        "units": {"truth": {"background_rms": ""}, "perturbers": {}},
    }
    seal_store(
        old,
        [tmp_path / "part.npz"],
        n_images=4,
        images_per_chunk=4,
        image_shape=(16, 16),
        attributes=attributes,
    )
    with pytest.raises(ValueError, match="does not hold exposure_time of its images"):
        agree(*SMALL, [store], [old])
