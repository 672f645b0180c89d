"""The vector of parameters, and lenses as the simulator takes them."""

from __future__ import annotations

import numpy as np
import pytest
from toy.fits import SEED

from lensml.fit.parameters import (
    HIGH,
    LOW,
    MAX_STEP,
    NAMES,
    PARAMETERS,
    check_fittable,
    free_parameters,
    parameters_of,
    systems_of_parameters,
)
from lensml.simulate.render import render
from lensml.simulate.systems import draw_systems


@pytest.mark.parametrize("name", ["euclid", "euclid_l1", "euclid_l3"])
def test_lenses_survive_the_way_into_parameters_and_back(domain, name):
    camera = domain(name)
    systems = draw_systems(camera, "no_sub", seed=SEED, split="test", start=0, stop=4)
    again = systems_of_parameters(parameters_of(systems.truth))
    given, found = (
        render(s, camera, engine="numba", precision="float64") for s in (systems, again)
    )
    np.testing.assert_allclose(found, given, rtol=1e-9, atol=1e-9 * given.max())


def test_parameters_survive_the_way_into_lenses_and_back():
    rng = np.random.default_rng(0)
    x = LOW + rng.uniform(0.3, 0.7, (20, len(NAMES))) * (HIGH - LOW)
    np.testing.assert_allclose(parameters_of(systems_of_parameters(x).truth), x, atol=1e-12)


def free_names(camera, multipoles) -> set[str]:
    return {NAMES[k] for k in free_parameters(camera, multipoles)}


def test_the_slope_is_free_where_the_population_varies_it(domain):
    assert set(NAMES) - free_names(domain("euclid"), "fitted") == {"gamma"}
    assert set(NAMES) == free_names(domain("euclid_l1"), "fitted")


@pytest.mark.parametrize("multipoles", ["none", "projected"])
def test_multipoles_are_free_only_where_they_are_fitted(domain, multipoles):
    fixed = set(NAMES) - free_names(domain("euclid_l3"), multipoles)
    assert fixed == {"a3_cos", "a3_sin", "a4_cos", "a4_sin"}


def test_drawn_parameters_lie_within_their_bounds(domain):
    camera = domain("euclid_l3")
    systems = draw_systems(camera, "no_sub", seed=SEED, split="train", start=0, stop=500)
    x = parameters_of(systems.truth)
    assert ((x > LOW) & (x < HIGH)).all()  # none was moved to its bound


def test_steps_are_shorter_than_the_range_and_names_are_unique():
    assert (MAX_STEP > 0).all()
    assert (3 * MAX_STEP < HIGH - LOW).all()
    assert len(set(NAMES)) == len(PARAMETERS)


def test_observed_galaxies_cannot_be_fitted(domain):
    with pytest.raises(ValueError, match=r"model_iv: source.galaxies = cosmos_acs_f814w"):
        check_fittable(domain("model_iv"))
    check_fittable(domain("euclid"))
