"""Targets of the regression."""

from __future__ import annotations

import numpy as np
import pytest
from toy.configuration import DOMAINS
from toy.stores import write_store

from lensml.data.targets import Target
from lensml.physics.cosmology import lens_distances
from lensml.simulate.systems import draw_systems


def test_the_mass_fraction_is_that_of_the_deflections(domain, tmp_path):
    # Of point masses: the sum of their theta_E^2 over that of the lens, whatever the cosmology.
    for changes in ({}, {"population": {"deflection_scale": 0.6}}):
        given = domain("euclid", **changes)
        population = given.population
        distances = lens_distances(
            population.cosmology, population.z_lens, population.z_source, population.distances
        )
        mass = float(distances.mass_of_theta_E(1.0)) / population.deflection_scale
        systems = draw_systems(given, "cdm", seed=3, split="train", start=0, stop=6)
        path = tmp_path / str(len(changes)) / "train.zarr"
        write_store(path, np.zeros((6, 4, 4)), truth=systems.truth)
        strength = np.square(systems.perturbers["theta_E"])
        sums = np.add.reduceat(strength, systems.offset[:-1])
        expected = np.log10(sums / np.square(systems.truth["theta_E_total"]))
        np.testing.assert_allclose(Target("cdm", mass).values(path), expected, rtol=1e-5)


def test_mass_and_einstein_radius_are_each_others_inverse(default_config):
    distances = lens_distances(default_config.domain("euclid").population.cosmology, 0.5, 1.0)
    radius = distances.theta_E_of_mass(3e11)
    assert float(distances.mass_of_theta_E(radius)) == pytest.approx(3e11)


@pytest.mark.parametrize("name", DOMAINS)
def test_targets_vary_in_every_shipped_domain(default_config, name):
    domain = default_config.domain(name)
    mass = draw_systems(domain, "cdm", seed=1, split="train", start=0, stop=12).truth
    axion = draw_systems(domain, "vortex", seed=1, split="train", start=0, stop=12).truth
    for values in (np.log10(mass["m_sub_total"]), axion["log10_axion_mass"]):
        assert np.all(np.isfinite(values))
        assert values.std() > 0.02


def test_images_without_substructure_have_no_target(tmp_path):
    truth = {"m_sub_total": np.array([1e9, 0.0, 2e9]), "theta_E_total": np.ones(3)}
    path = write_store(tmp_path / "train.zarr", np.zeros((3, 4, 4)), truth=truth)
    with pytest.raises(ValueError, match="1 of 3 images have no log10_mass_fraction"):
        Target("cdm", 1e11).values(path)
