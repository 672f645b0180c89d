"""Mistakes in the section of observed lenses."""

from __future__ import annotations

import pytest
from toy.configuration import load_varied

from lensml.schema import ConfigError


@pytest.mark.parametrize(
    ("observed", "line"),
    [
        ("{lenses: {a: {image: a.fits, pixel_scale: -1.0}}}", "pixel_scale = -1.0"),
        ("{lenses: {a: {pixel_scale: 0.1}}}", "observed.lenses.a.image"),
        ("{lenses: {'': {image: a.fits}}}", "the name of a lens is a line"),
        ("{lenses: {a: {image: a.fits, psf: b.fits, psf_fwhm: 0.1}}}", "give psf or psf_fwhm"),
        ("{lenses: {a: {image: a.fits, center: [1.0]}}}", "observed.lenses.a.center"),
        ("{domain: hst}", "observed.domain = 'hst': is not listed under 'classifier.domains'"),
    ],
)
def test_a_mistake_in_the_configuration_is_one_line(tmp_path, observed, line):
    (tmp_path / "overlay.yaml").write_text(f"observed: {observed}")
    with pytest.raises(ConfigError) as caught:
        load_varied(tmp_path / "overlay.yaml")
    (found,) = caught.value.lines
    assert line in found
