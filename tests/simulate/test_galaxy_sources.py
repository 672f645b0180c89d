"""Observed galaxies as sources."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lensml.schema.simulation import SPLITS
from lensml.simulate.galaxy_sources import load_galaxies
from lensml.simulate.render import render
from lensml.simulate.systems import draw_systems


def test_no_galaxy_is_in_two_splits(domain):
    camera = domain("model_iv", num_pix=16)
    used = {
        split: set(
            draw_systems(camera, "cdm", seed=1, split=split, start=0, stop=400).truth[
                "source_galaxy"
            ]
        )
        for split in SPLITS
    }
    assert [len(used[s]) for s in SPLITS] == [70, 15, 15]
    assert len(set.union(*used.values())) == 100


def test_galaxies_are_as_large_and_as_bright_as_was_drawn(domain):
    camera = domain("model_iv", num_pix=64, supersampling_factor=9)
    systems = draw_systems(camera, "no_sub", seed=1, split="train", start=0, stop=20)
    galaxies = load_galaxies("cosmos_acs_f814w")
    t = systems.truth
    np.testing.assert_allclose(galaxies.image.sum((1, 2)), 1, rtol=1e-12)
    assert (galaxies.image >= 0).all()
    assert (galaxies.image[:, 0] == 0).all()
    radius = galaxies.half_light_radius[t["source_galaxy"]] * t["source_scale"]
    np.testing.assert_allclose(radius, t["source_R_sersic"])
    # Without a lens the image holds the flux of the drawn magnitude.
    unlensed = {name: np.zeros(20) for name in ("theta_E", "gamma1", "gamma2")}
    alone = replace(systems, truth={**t, **unlensed})
    images = render(alone, camera, engine="numba", precision="float64")
    flux = 10 ** (-0.4 * (t["source_magnitude"] - camera.instrument.magnitude_zero_point))
    np.testing.assert_allclose(images.sum((1, 2)), flux, rtol=5e-3)
