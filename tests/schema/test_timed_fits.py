"""The benchmark of fits refuses domains that cannot be compared, a line each."""

from __future__ import annotations

import pytest
from toy.configuration import load_varied

from lensml.schema import ConfigError


@pytest.mark.parametrize(
    ("domain", "problem"),
    [
        ("model_iv", "its sources are observed galaxies"),
        ("model_ii_asis", "its images have no noise"),
        ("euclid_degraded", "its PSF is a sum of Gaussians"),
        ("euclyd", "unknown domain; did you mean 'euclid'?"),
    ],
)
def test_a_domain_that_cannot_be_compared_is_one_line(tmp_path, domain, problem):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(f"benchmark: {{fits: {{domains: [{domain}]}}}}")
    with pytest.raises(ConfigError) as caught:
        load_varied(overlay)
    (line,) = caught.value.lines
    assert line.startswith(f"{overlay}: benchmark.fits.domains = '{domain}': {problem}")
