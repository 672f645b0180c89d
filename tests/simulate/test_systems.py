"""Systems of the default run follow the population and are shared by nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from scipy import stats
from toy.systems import N, subset, truncated_normal

from lensml.physics.cosmology import de_broglie_wavelength, lens_distances
from lensml.schema.simulation import SPLITS
from lensml.simulate.substructure import LINE_UNITS, POINT_UNITS
from lensml.simulate.systems import INTEGER_COLUMNS, TRUTH_UNITS, draw_systems, perturber_units

CLASSES = ["no_sub", "cdm", "vortex"]
SEED = 11
# Statistical tests run on fixed seeds. A right sampler fails one seed in 10,000.
P_VALUE = 1e-4
LIMITS: Mapping[str, tuple[Any, float, float]] = {
    # The population's own numbers, written out a second time.
    "theta_E_total": (truncated_normal(1.3, 0.1, 1.0, 1.6), 1.0, 1.6),
    "ellipticity": (stats.foldnorm(2, scale=0.05), 0.0, 0.4),  # 0.4 cuts 1e-9 of it
    "shear": (stats.foldnorm(2.5, scale=0.02), 0.0, 1.0),
    "center_x": (stats.norm(0, 0.02), -1.0, 1.0),
    "center_y": (stats.norm(0, 0.02), -1.0, 1.0),
    "source_magnitude": (stats.uniform(21.5, 1.5), 21.5, 23.0),
    "source_R_sersic": (stats.uniform(0.15, 0.2), 0.15, 0.35),
    "source_n_sersic": (stats.uniform(0.7, 1.3), 0.7, 2.0),
    "source_q": (stats.uniform(0.5, 0.5), 0.5, 1.0),
    "source_area": (stats.uniform(0, 1), 0.0, 1.0),
}


def derived(truth: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The quantities that priors are written in."""
    source_e = np.hypot(truth["source_e1"], truth["source_e2"])
    return {
        **truth,
        "ellipticity": np.hypot(truth["e1"], truth["e2"]),
        "shear": np.hypot(truth["gamma1"], truth["gamma2"]),
        "source_q": (1 - source_e) / (1 + source_e),
        "source_area": (truth["source_center_x"] ** 2 + truth["source_center_y"] ** 2) / 0.35**2,
    }


@pytest.mark.parametrize("name", list(LIMITS))
def test_systems_follow_the_priors_of_the_population(varied, name):
    law, low, high = LIMITS[name]
    values = derived(varied["no_sub"].truth)[name]
    rounding = 1e-12
    assert values.min() >= low - rounding
    assert values.max() <= high + rounding
    assert stats.kstest(values, law.cdf).pvalue > P_VALUE


@pytest.mark.parametrize("prefix", ["", "source_"])
def test_orientations_are_uniform(varied, prefix):
    truth = varied["no_sub"].truth
    turn = np.arctan2(truth[f"{prefix}e2"], truth[f"{prefix}e1"]) / (2 * np.pi) + 0.5
    assert stats.kstest(turn, stats.uniform.cdf).pvalue > P_VALUE


def test_cdm_has_the_published_substructure(varied):
    systems = varied["cdm"]
    counts = systems.truth["n_perturbers"]
    np.testing.assert_array_equal(counts, np.diff(systems.offset))
    # Poisson: mean and variance 25, with standard errors 5 / sqrt(N) and 25 sqrt(2 / N).
    assert abs(counts.mean() - 25) < 4 * 5 / np.sqrt(N)
    assert abs(counts.var() - 25) < 4 * 25 * np.sqrt(2 / N)
    p = systems.perturbers
    cdf = stats.kstest(p["mass"], lambda m: (m**0.1 - 1e6**0.1) / (1e10**0.1 - 1e6**0.1))
    assert cdf.pvalue > P_VALUE
    area = (p["center_x"] ** 2 + p["center_y"] ** 2) / 4  # uniform in a disc of 2 arcsec
    assert stats.kstest(area, stats.uniform.cdf).pvalue > P_VALUE
    # Mean total 25 x 1.5e9 Msun. The masses scatter by 1.4 times their mean (beta = -0.9 between
    # the bounds), so the total by 1.73 / 5 of itself: 4 standard errors are 5 %.
    assert systems.truth["m_sub_total"].mean() == pytest.approx(25 * 1.5103e9, rel=0.05)


def test_vortex_is_one_line_as_long_as_its_de_broglie_wavelength(varied, domain):
    systems, p = varied["vortex"], varied["vortex"].perturbers
    euclid = domain("euclid")
    assert systems.profile == "LINE_MASS"
    np.testing.assert_array_equal(systems.offset, np.arange(N + 1))
    np.testing.assert_array_equal(p["mass"], 3.0e10)
    distances = lens_distances(euclid.population.cosmology, 0.5, 1.0)
    # 3e10 Msun is 0.28830 arcsec, to 5e-6.
    np.testing.assert_allclose(p["theta_E"], 0.28830, atol=5e-6)
    log_mass = systems.truth["log10_axion_mass"]
    assert stats.kstest(log_mass, stats.uniform(-24, 1).cdf).pvalue > P_VALUE
    sigma_v = distances.sigma_v_of_theta_E(systems.truth["theta_E_total"])
    expected = [
        de_broglie_wavelength(m, v) / distances.kpc_per_arcsec
        for m, v in zip(log_mass, sigma_v, strict=True)
    ]
    np.testing.assert_allclose(p["length"], expected, rtol=1e-12)
    np.testing.assert_allclose(p["core"], 0.05 * p["length"], rtol=1e-12)
    area = (p["center_x"] ** 2 + p["center_y"] ** 2) / 1.5**2
    assert stats.kstest(area, stats.uniform.cdf).pvalue > P_VALUE
    assert stats.kstest(p["angle"] / np.pi, stats.uniform.cdf).pvalue > P_VALUE


def test_no_sub_has_no_substructure(varied):
    truth = varied["no_sub"].truth
    assert not varied["no_sub"].offset.any()
    assert not truth["n_perturbers"].any()
    assert not truth["m_sub_total"].any()
    np.testing.assert_array_equal(truth["theta_E"], truth["theta_E_total"])


def test_classes_share_lens_source_and_exposure_at_equal_index(varied):
    own = {"theta_E", "n_perturbers", "m_sub_total", "log10_axion_mass"}
    for name in set(TRUTH_UNITS) - own:
        for substructure in CLASSES[1:]:
            np.testing.assert_array_equal(
                varied[substructure].truth[name], varied["no_sub"].truth[name]
            )


def test_no_system_is_shared_by_splits_domains_or_seeds(domain):
    ids = [
        draw_systems(domain(name), "no_sub", seed=seed, split=split, start=0, stop=60).truth[
            "system_id"
        ]
        for name in ("euclid", "hst")
        for split in SPLITS
        for seed in (1, 2)
    ]
    together = np.concatenate(ids)
    assert len(np.unique(together)) == len(together) == 2 * 3 * 2 * 60
    assert (together >= 0).all()


def test_splits_and_domains_draw_other_lenses_not_other_names(domain):
    columns = [
        draw_systems(domain(name), "no_sub", seed=1, split=split, start=0, stop=60).truth[
            "source_R_sersic"
        ]
        for name in ("euclid", "hst")
        for split in SPLITS
    ]
    assert len(np.unique(np.concatenate(columns))) == 6 * 60


@pytest.mark.parametrize("substructure", CLASSES)
def test_a_system_does_not_depend_on_the_range_it_is_drawn_in(domain, varied, substructure):
    alone = draw_systems(domain("euclid"), substructure, seed=SEED, split="train", start=5, stop=6)
    expected = subset(varied[substructure], 5)
    for name, column in alone.truth.items():
        np.testing.assert_array_equal(column, expected.truth[name])
    for name, column in alone.perturbers.items():
        np.testing.assert_array_equal(column, expected.perturbers[name])


@pytest.mark.parametrize("substructure", CLASSES)
@pytest.mark.parametrize("domain_name", ["euclid", "model_ii"])
def test_truth_is_complete_and_has_units(domain, domain_name, substructure):
    camera = domain(domain_name)
    systems = draw_systems(camera, substructure, seed=1, split="val", start=0, stop=3)
    assert list(systems.truth) == list(TRUTH_UNITS)
    units = perturber_units(camera, substructure)
    line = substructure == "vortex" and domain_name == "euclid"
    assert units == (LINE_UNITS if line else POINT_UNITS)
    assert list(systems.perturbers) == list(units)
    for name, column in systems.truth.items():
        assert column.shape == (3,)
        assert column.dtype == (np.int64 if name in INTEGER_COLUMNS else np.float64)
        absent = (name.startswith("lens_light") and name != "lens_light_amp") or name == "f_sub"
        absent |= name == "source_scale"
        absent |= name == "log10_axion_mass" and substructure != "vortex"
        assert np.isfinite(column).all() != absent
    assert all(len(column) == systems.offset[-1] for column in systems.perturbers.values())


@pytest.mark.parametrize("substructure", CLASSES)
def test_what_a_lens_is_depends_on_no_camera_and_no_sampling(domain, substructure):
    """The core of a vortex was as wide as the rays of a camera were apart."""
    draws = [
        draw_systems(camera, substructure, seed=1, split="val", start=0, stop=40)
        for camera in (
            domain("euclid_realistic"),
            domain("euclid_realistic", supersampling_factor=1),
            domain("euclid_realistic", instrument={"pixel_scale": 0.2}),
        )
    ]
    for other in draws[1:]:
        for name, column in draws[0].perturbers.items():
            np.testing.assert_array_equal(column, other.perturbers[name], err_msg=name)


def test_the_core_of_a_vortex_is_that_of_its_length_in_space(domain):
    camera = domain("euclid_realistic")
    systems = draw_systems(camera, "vortex", seed=1, split="val", start=0, stop=2000)
    p, population = systems.perturbers, camera.population
    distances = lens_distances(population.cosmology, 0.5, 1.5)
    sigma_v = distances.sigma_v_of_theta_E(systems.truth["theta_E_total"])
    log_mass = systems.truth["log10_axion_mass"]
    in_space = [
        de_broglie_wavelength(m, v) / distances.kpc_per_arcsec
        for m, v in zip(log_mass, sigma_v, strict=True)
    ]
    np.testing.assert_allclose(p["core"], 0.05 * np.array(in_space), rtol=1e-12)
    # cos i is uniform: the share that is seen of the length is the root of 1 - cos^2 i
    seen = p["length"] / in_space
    assert stats.kstest(np.sqrt(1 - seen**2), "uniform").pvalue > P_VALUE
    assert np.quantile(p["core"], 0.1) < 0.01  # below the spacing of the rays of any camera
