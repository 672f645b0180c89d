"""The camera that two of them can be brought to."""

from __future__ import annotations

import numpy as np
import pytest
from toy.cameras import camera

from lensml.data.harmonise import Camera, camera_of, common_camera
from lensml.data.harmonise.psf import variance_of


def test_the_camera_of_a_domain_is_that_of_its_instrument(domain):
    found = camera_of(domain("euclid_degraded"))
    assert found.pixel_scale == 0.101
    assert found.psf == ((0.75, 0.27), (0.25, 0.6))
    assert (found.zero_point, found.num_pix) == (25.72, 64)


def test_pixels_and_psf_are_the_larger_and_the_rest_is_the_sources():
    source, target = camera(zero_point=24.0, num_pix=60), camera(0.08, 0.08, zero_point=26.0)
    common = common_camera(source, target).camera
    assert common == source
    other = common_camera(target, source).camera
    assert (other.pixel_scale, other.zero_point, other.num_pix) == (0.101, 26.0, 64)
    assert other.psf == source.psf


def test_the_psf_makes_up_for_pixels_that_are_put_into_others():
    # The wider PSF has the smaller pixels: its images are resampled, at the cost of a pixel more.
    wide, coarse = camera(0.101, 0.16), camera(0.11, 0.106)
    common = common_camera(wide, coarse).camera
    total = variance_of(common.psf) + 0.11**2 / 12
    assert total == pytest.approx(variance_of(wide.psf) + 2 * 0.101**2 / 12)
    assert common.pixel_scale == 0.11


def test_what_both_saw_is_the_smaller_field():
    source, target = camera(0.1, num_pix=64), camera(0.08, num_pix=64)
    common = common_camera(source, target)
    inside = common.inside()
    assert common.field == pytest.approx(5.12)
    assert inside.sum() == 50  # whole pixels of 0.1 arcsec in 5.12, evenly about the centre
    np.testing.assert_array_equal(inside, inside[::-1])
    assert common_camera(source, source).inside().all()


def test_a_camera_survives_its_file():
    known = camera(0.07, 0.1)
    assert Camera.from_dict(known.as_dict()) == known
