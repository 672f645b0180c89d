"""Reused models give the images of new ones."""

from __future__ import annotations

import numpy as np
import pytest

from lensml.simulate.lenstronomy_bridge import ReusedModels, render_with_lenstronomy
from lensml.simulate.systems import draw_systems

CLASSES = ["no_sub", "cdm", "vortex"]


@pytest.mark.parametrize("substructure", CLASSES)
@pytest.mark.parametrize("name", ["model_ii", "euclid", "euclid_realistic"])
def test_reused_models_give_the_images_of_new_ones(domain, name, substructure):
    camera = domain(name, num_pix=16, supersampling_factor=2, refinement_factor=1)
    systems = draw_systems(camera, substructure, seed=2, split="val", start=0, stop=5)
    models = ReusedModels(systems, camera)
    expected = render_with_lenstronomy(systems, camera)
    for _ in range(2):  # the second time, everything has been used before
        np.testing.assert_array_equal(models.render(), expected)
