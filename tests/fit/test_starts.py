"""The library of starts: of no image, the same always, and near what is looked for."""

from __future__ import annotations

import numpy as np
import pytest
from toy.fits import SEED, simulated

from lensml.fit.parameters import NAMES, parameters_of
from lensml.fit.starts import draw_reference, fit_reference, read_reference, scaled
from lensml.simulate.systems import draw_systems


@pytest.fixture(scope="module")
def camera(domain):
    return domain("euclid_l1", num_pix=32, supersampling_factor=2)


@pytest.fixture(scope="module")
def library(camera):
    return draw_reference(camera, n=300, seed=SEED)


@pytest.fixture(scope="module")
def images(camera):
    return simulated(camera, "no_sub", 40)


def test_no_lens_of_any_split_is_in_the_library(camera, library):
    for split in ("train", "val", "test"):
        systems = draw_systems(camera, "no_sub", seed=SEED, split=split, start=0, stop=300)
        shared = np.isin(library.parameters[:, 0], parameters_of(systems.truth)[:, 0])
        assert not shared.any()


def test_the_library_is_drawn_from_the_population(camera, library):
    systems = draw_systems(camera, "no_sub", seed=SEED, split="train", start=0, stop=300)
    drawn = parameters_of(systems.truth)
    error = np.hypot(drawn.std(0), library.parameters.std(0)) / np.sqrt(300)
    difference = np.abs(library.parameters.mean(0) - drawn.mean(0))
    assert (difference <= 4 * error).all()


def test_starts_are_nearer_to_the_truth_than_any_lens_of_the_population(library, images):
    systems, observed = images
    truth = parameters_of(systems.truth)
    starts = library.nearest(observed.image, observed.background_rms, 3)
    for name in ("theta_E", "source_center_x", "source_center_y"):
        k = NAMES.index(name)
        off = np.abs(starts[:, 0, k] - truth[:, k]).mean()
        assert off < 0.6 * np.abs(truth[:, k][:, None] - library.parameters[:, k]).mean(), name


def test_the_nearest_come_first_and_are_those_of_principal_components(library, images):
    _, observed = images
    seen = scaled(observed.image[7], observed.background_rms[7]).ravel().astype(float)
    point = library.components.astype(float) @ (seen - library.mean)
    distance = np.square(library.coordinates - point).sum(1)
    expected = library.parameters[np.argsort(distance)[:4]]
    found = library.nearest(observed.image[7:8], observed.background_rms[7:8], 4)[0]
    np.testing.assert_array_equal(found, expected)


def test_coordinates_are_projections_and_components_orthonormal(library):
    product = library.components @ library.components.T
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-5)
    spread = library.coordinates.std(0)
    assert (np.diff(spread) < 1e-3 * spread[0]).all()  # the strongest first


def test_neighbours_do_not_depend_on_the_images_beside(library, images):
    _, observed = images
    together = library.nearest(observed.image, observed.background_rms, 2)
    for i in (0, 17, 39):
        alone = library.nearest(observed.image[i : i + 1], observed.background_rms[i : i + 1], 2)
        np.testing.assert_array_equal(alone[0], together[i])


def test_no_more_lenses_are_given_than_there_are(camera, images):
    _, observed = images
    small = draw_reference(camera, n=2, seed=SEED)
    assert small.nearest(observed.image, observed.background_rms, 5).shape[:2] == (40, 2)


def test_a_library_is_read_as_it_was_written_and_the_same_bytes_always(tmp_path, camera, library):
    paths = [tmp_path / name for name in ("a.npz", "b.npz")]
    for path in paths:
        fit_reference(path, camera, n=300, seed=SEED)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    read = read_reference(paths[0])
    for name in ("parameters", "mean", "components", "coordinates"):
        np.testing.assert_array_equal(getattr(read, name), getattr(library, name))
    fit_reference(paths[1], camera, n=300, seed=SEED + 1)
    assert paths[0].read_bytes() != paths[1].read_bytes()


@pytest.mark.parametrize("damage", ["empty", "text", "truncated", "another archive"])
def test_a_file_that_is_no_library_is_named(tmp_path, camera, damage):
    path = tmp_path / "reference.npz"
    fit_reference(path, camera, n=5, seed=SEED)
    whole = path.read_bytes()
    if damage == "another archive":
        np.savez(path, mean=np.zeros(3))
    else:
        path.write_bytes({"empty": b"", "text": b"no", "truncated": whole[:-200]}[damage])
    with pytest.raises(
        ValueError, match=r"reference.npz: not a library of smooth lenses"
    ) as caught:
        read_reference(path)
    assert "\n" not in str(caught.value)


def test_observed_galaxies_have_no_library(domain):
    with pytest.raises(ValueError, match="model_iv"):
        draw_reference(domain("model_iv"), n=2, seed=0)
