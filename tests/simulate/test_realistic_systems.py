"""Realistic lenses: priors and mass budgets against statistics."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lensml.data.store import open_store
from lensml.evaluation.audit.data import axis_ratio
from lensml.physics.cosmology import lens_distances
from lensml.physics.einstein_radius import effective_einstein_radius, perturber_pieces
from lensml.schema.population import Cosmology
from lensml.simulate.priors import draw
from lensml.simulate.render import render
from lensml.simulate.substructure import expected_mass, mean_total_mass, population_distances
from lensml.simulate.systems import Systems, draw_systems

COSMOLOGY = Cosmology(H0=70.0, Om0=0.3, Ob0=0.05)
CLASSES = ["no_sub", "cdm", "vortex"]
P_VALUE = 1e-4
N_RADII = 800  # systems whose Einstein radii are measured


@pytest.fixture(scope="module")
def distances():
    return lens_distances(COSMOLOGY, 0.5, 1.5)


@pytest.fixture(scope="module")
def many(domain):
    """4,000 systems of every class; rendering is not needed for statistics."""
    camera = domain("euclid_realistic")
    return {
        name: draw_systems(camera, name, seed=5, split="train", start=0, stop=4_000)
        for name in CLASSES
    }


def test_macro_model_source_and_light_are_shared_by_the_classes(many):
    own = {"kappa_sheet", "n_perturbers", "m_sub_total", "log10_axion_mass"}
    for name, column in many["no_sub"].truth.items():
        if name in own:
            continue
        for other in ("cdm", "vortex"):
            np.testing.assert_array_equal(column, many[other].truth[name], err_msg=name)


def test_the_mass_function_has_its_slope(many):
    """Maximum likelihood of a truncated power law, for which the mean of ln m is sufficient."""
    m = many["cdm"].perturbers["m200"]
    assert 1e7 <= m.min() < m.max() <= 1e10
    mean = np.log(m / 1e7).mean()
    span = np.log(1e3)

    def expected(slope: float) -> float:
        k = slope + 1
        return span / (1 - np.exp(-k * span)) - 1 / k

    slopes = np.linspace(-2.1, -1.7, 4001)
    found = slopes[np.argmin([abs(expected(s) - mean) for s in slopes])]
    assert found == pytest.approx(-1.9, abs=0.02)


def test_counts_are_poisson(many, domain):
    counts = np.diff(many["cdm"].offset)
    population = domain("euclid_realistic").population
    mean = expected_mass(population, 0.02) / mean_total_mass(population)
    assert abs(counts.mean() - mean) < 4 * np.sqrt(mean / len(counts))
    assert abs(counts.var() / mean - 1) < 4 * np.sqrt(2 / len(counts))


def test_positions_are_uniform_in_area(many):
    p = many["cdm"].perturbers
    some = slice(0, 200_000)
    r2 = (p["center_x"][some] ** 2 + p["center_y"][some] ** 2) / 2.5**2
    assert stats.kstest(r2, "uniform").pvalue > P_VALUE
    phi = np.arctan2(p["center_y"][some], p["center_x"][some])
    assert stats.kstest((phi / np.pi + 1) / 2, "uniform").pvalue > P_VALUE


def test_the_vortex_lies_anywhere_in_any_direction(many):
    p = many["vortex"].perturbers
    r2 = (p["center_x"] ** 2 + p["center_y"] ** 2) / 2.5**2
    assert stats.kstest(r2, "uniform").pvalue > P_VALUE
    assert stats.kstest(p["angle"] / np.pi, "uniform").pvalue > P_VALUE


def test_the_mass_budgets_of_cdm_and_vortex_are_equal_and_are_f_sub(many, domain):
    distances = population_distances(domain("euclid_realistic").population)
    total = {c: many[c].truth["m_sub_total"] for c in ("cdm", "vortex")}
    error = np.hypot(*(stats.sem(t) for t in total.values()))
    assert abs(total["cdm"].mean() - total["vortex"].mean()) < 3 * error
    for mass in total.values():
        f_sub = mass.mean() / (np.pi * 2.5**2 * distances.sigma_crit_angle) / 0.5
        assert f_sub == pytest.approx(0.02, rel=0.02)


def test_the_sheet_takes_away_what_substructure_brings(many):
    for name, kappa in (("no_sub", 0.0), ("cdm", -0.01), ("vortex", -0.01)):
        np.testing.assert_allclose(many[name].truth["kappa_sheet"], kappa)


def test_tides_leave_less_of_cdm_inside_the_einstein_radius_than_the_sheet_takes(many):
    """As the docstring of ``sheet`` says; the vortex brings what is taken."""
    radius, inside = {}, {}
    for name, systems in many.items():
        t = {k: column[:N_RADII] for k, column in systems.truth.items()}
        offset = systems.offset[: N_RADII + 1]
        perturbers = {k: column[: offset[-1]] for k, column in systems.perturbers.items()}
        center = {k: t[k] for k in ("center_x", "center_y")}
        lens = {"profile": systems.profile, "perturbers": perturbers, "offset": offset}
        radius[name] = effective_einstein_radius(t, q=axis_ratio(t), **lens)
        inside[name] = perturber_pieces(**lens, **center).inside(t["theta_E_total"])
    taken = 0.01 * many["cdm"].truth["theta_E_total"][:N_RADII] ** 2
    for name, share, shift in (("cdm", 0.86, -0.0015), ("vortex", 1.0, 0.0)):
        change = radius[name] - radius["no_sub"]
        error = stats.sem(inside[name]) / taken.mean()
        assert inside[name].sum() / taken.sum() == pytest.approx(share, abs=4 * error)
        assert change.mean() == pytest.approx(shift, abs=4 * stats.sem(change))
    assert radius["no_sub"].std() > 60 * 0.0015


def test_halos_are_truncated_as_published(many):
    p = many["cdm"].perturbers
    mean = p["mass"].sum() / p["m200"].sum()
    tau = np.median(p["r_trunc"] / p["Rs"])
    assert mean == pytest.approx(0.53, abs=0.05)
    assert tau == pytest.approx(4.3, abs=0.4)


def test_an_underdense_vortex_is_the_opposite_of_a_heavy_one(domain):
    sampling = {"num_pix": 24, "supersampling_factor": 2, "refinement_factor": 1}
    heavy = domain("euclid_realistic", **sampling)
    light = domain("euclid_realistic", **sampling, population={"vortex": {"sign": -1}})
    plus = draw_systems(heavy, "vortex", seed=1, split="val", start=0, stop=4)
    minus = draw_systems(light, "vortex", seed=1, split="val", start=0, stop=4)
    np.testing.assert_allclose(plus.perturbers["mass"], -minus.perturbers["mass"])
    np.testing.assert_allclose(plus.truth["kappa_sheet"], -minus.truth["kappa_sheet"])
    expected = render(minus, light, engine="lenstronomy", precision="float64")
    found = render(minus, light, engine="numba", precision="float64")
    assert np.abs(found - expected).max() < 1e-6 * expected.max()


def test_log_normal_priors_keep_their_bounds_and_their_median(domain):
    prior = domain("euclid_realistic").population.source.R_sersic
    rng = np.random.default_rng(0)
    values = np.array([draw(prior, rng) for _ in range(4000)])
    assert 0.08 <= values.min() < values.max() <= 0.5
    assert np.median(values) == pytest.approx(0.2, rel=0.03)


def test_the_enclosed_mass_cannot_be_compensated_for_extended_halos(domain):
    camera = domain(
        "euclid_realistic", population={"lens": {"mass_compensation": "enclosed"}}, num_pix=24
    )
    with pytest.raises(ValueError, match="not for tnfw"):
        draw_systems(camera, "cdm", seed=1, split="val", start=0, stop=1)


def test_noise_free_domains_store_the_image_itself(domain, simulate_store, tmp_path):
    camera = domain("model_ii_asis", num_pix=16)
    store = open_store(simulate_store(tmp_path, camera, "cdm", "test", n_images=4))
    systems: Systems = draw_systems(camera, "cdm", seed=1, split="test", start=0, stop=4)
    clean = render(systems, camera, engine="numba", precision="float32")
    np.testing.assert_array_equal(store.image[np.arange(4)], clean)
    assert store.attributes["noise_model"] == "none"
