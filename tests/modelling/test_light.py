"""Light of the lens galaxy, and where arcs are."""

import numpy as np
from toy.modelled import SHAPE, arcs_of, empty_field, lens_field, light_of, with_image

from lensml.modelling.arcs import find_rings
from lensml.modelling.field import Blur
from lensml.modelling.light import changes_of_light, fit_light, gaussians


def test_a_galaxy_without_arcs_is_fitted_to_its_noise():
    field = with_image(empty_field(), light_of(empty_field()))
    light = fit_light(field, Blur(field.psf, field.n))
    np.testing.assert_allclose(light.center, SHAPE[:2], atol=0.005)
    left = ((field.image - light.image) / field.noise)[field.radius < 2]
    assert 0.9 < (left**2).mean() < 1.1
    assert light.clipped.mean() < 0.1


def test_arcs_are_clipped_and_their_radius_is_found():
    field = lens_field()
    light = fit_light(field, Blur(field.psf, field.n))
    arcs = arcs_of(field)
    assert light.clipped[arcs > 0.5 * arcs.max()].mean() > 0.8
    rings = find_rings(field, light)
    assert abs(rings.radii[0] - 1.0) < 0.2
    assert rings.inner < 0.5 < 1.2 < rings.outer


def test_changes_of_the_light_are_its_derivatives():
    field = lens_field()
    blur = Blur(field.psf, field.n)
    light = fit_light(field, blur)
    columns = changes_of_light(field, blur, light)
    moved = light.shape + np.array([0.01, 0, 0, 0, 0, 0])
    images = [gaussians(field, s, light.sigmas, light.kept) for s in (light.shape, moved)]
    change = np.tensordot(light.amplitudes, blur(images[1] - images[0]), 1)
    k = len(light.kept)
    along_x = columns[:k].sum(0) * 0.01 / (0.4 * field.pixel_scale)
    assert np.abs(along_x - change).max() < 0.05 * np.abs(change).max()
