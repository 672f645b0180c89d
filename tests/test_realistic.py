"""Realistic lenses: profiles against lenstronomy and closed forms, priors against statistics."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from astropy import cosmology
from lenstronomy.Cosmo.lens_cosmo import LensCosmo
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.LensModel.Profiles.tnfw import TNFW
from lenstronomy.LightModel.light_model import LightModel
from scipy import stats

from lensml.data.store import open_store
from lensml.physics import halos, profiles
from lensml.physics.cosmology import lens_distances
from lensml.schema.simulation import SPLITS, Cosmology
from lensml.simulate.axes import ray_axis
from lensml.simulate.galaxy_sources import load_galaxies
from lensml.simulate.halo_kernel import enclosed_table, halo_deflection
from lensml.simulate.noise import add_noise
from lensml.simulate.priors import draw
from lensml.simulate.render import render, render_lens_light, with_lens_light
from lensml.simulate.substructure import expected_mass, mean_total_mass, population_distances
from lensml.simulate.systems import Systems, draw_systems
from tests.conftest import DOMAINS

COSMOLOGY = Cosmology(H0=70.0, Om0=0.3, Ob0=0.05)
CLASSES = ["no_sub", "cdm", "vortex"]
P_VALUE = 1e-4
TOLERANCE = {"float32": 1e-4, "float64": 1e-6}
REALISTIC = ["euclid_realistic", "hst_realistic", "roman_realistic", "euclid_l3", "lsst_realistic"]
REALISTIC += ["model_iv"]


@pytest.fixture(scope="module")
def distances():
    return lens_distances(COSMOLOGY, 0.5, 1.5)


@pytest.fixture(scope="module")
def many(domain):
    """10,000 systems of every class; rendering is not needed for statistics."""
    camera = domain("euclid_realistic")
    return {
        name: draw_systems(camera, name, seed=5, split="train", start=0, stop=10_000)
        for name in CLASSES
    }


# ---------------------------------------------------------------------- kernel against lenstronomy


@pytest.mark.parametrize("substructure", CLASSES)
@pytest.mark.parametrize("name", REALISTIC)
def test_realistic_images_agree_with_lenstronomy(domain, name, substructure, record_property):
    camera = domain(name, num_pix=24, supersampling_factor=2, refinement_factor=1)
    systems = draw_systems(camera, substructure, seed=4, split="val", start=0, stop=8)
    expected = render(systems, camera, engine="lenstronomy", precision="float64")
    peak = expected.max(axis=(1, 2))
    for precision, tolerance in TOLERANCE.items():
        found = render(systems, camera, engine="numba", precision=precision)
        error = (np.abs(found - expected).max(axis=(1, 2)) / peak).max()
        record_property(f"max error / peak, {precision}", f"{error:.1e}")
        assert error < tolerance


def test_steep_and_shallow_power_laws_agree_with_lenstronomy(domain):
    camera = domain("euclid_l3", num_pix=24, supersampling_factor=3, refinement_factor=1)
    systems = draw_systems(camera, "no_sub", seed=4, split="val", start=0, stop=40)
    truth = dict(systems.truth)
    truth["gamma"] = np.linspace(1.5, 2.6, 40)
    truth["a3_a"], truth["a4_a"] = np.linspace(-0.05, 0.05, 40), np.linspace(0.05, -0.05, 40)
    truth["e1"], truth["e2"] = np.linspace(0, 0.3, 40), np.linspace(0.2, 0, 40)
    systems = replace(systems, truth=truth)
    expected = render(systems, camera, engine="lenstronomy", precision="float64")
    for precision, tolerance in TOLERANCE.items():
        found = render(systems, camera, engine="numba", precision=precision)
        error = np.abs(found - expected).max(axis=(1, 2)) / expected.max(axis=(1, 2))
        assert error.max() < tolerance


def test_the_table_of_halos_keeps_the_closed_form():
    rng = np.random.default_rng(0)
    tau = 10 ** rng.uniform(-0.5, 2.5, 300)
    x = 10 ** rng.uniform(-2.5, 3, 300)
    table, found, expected = enclosed_table(), [], []
    for t, r in zip(tau, x, strict=True):
        halo = np.array([[1.0, 1.0, 1.0, t]])  # theta_N = Rs = 1
        for into, use in ((found, table), (expected, np.empty((0, 0), np.float32))):
            kind = np.float32 if use.size else np.float64
            ax, ay = np.empty((2, 2), kind), np.empty((2, 2), kind)
            row = np.empty(use.shape[1], np.float32)
            halo_deflection(ax, ay, np.array([0.0, r]), np.zeros((1, 2)), halo, use, row)
            into.append(ax[0, 1])
    np.testing.assert_allclose(found, expected, rtol=7e-5)  # 6.6e-5 for a ray at 1e-3 Rs
    np.testing.assert_allclose(expected, halos.tnfw_enclosed(x, tau) / x, rtol=1e-9)


@pytest.mark.parametrize("name", sorted(set(DOMAINS) - {"model_ii_asis"}))
@pytest.mark.parametrize("substructure", CLASSES)
def test_shipped_sampling_is_within_one_percent_of_the_converged_image(domain, name, substructure):
    camera = domain(name)
    n = 12 if camera.num_pix < 100 else 4
    systems = draw_systems(camera, substructure, seed=11, split="val", start=0, stop=n)
    fine = camera.model_copy(update={"supersampling_factor": 15, "refinement_factor": 8})
    expected = render(systems, fine, engine="numba", precision="float32")
    found = render(systems, camera, engine="numba", precision="float32")
    error = np.abs(found - expected).max((1, 2)) / expected.max((1, 2))
    assert error.max() < 0.01


def test_refinement_finds_the_cusp_that_single_rays_miss(domain):
    camera = domain("euclid_realistic", refinement_factor=1)
    systems = draw_systems(camera, "no_sub", seed=11, split="val", start=0, stop=12)
    # Unlensed, steep and small: the sum over a pixel is that of many rays.
    truth = dict(systems.truth)
    for name in ("theta_E", "gamma1", "gamma2", "a3_a", "a4_a"):
        truth[name] = np.zeros(12)
    truth |= {"source_n_sersic": np.full(12, 4.0), "source_R_sersic": np.full(12, 0.1)}
    steep = Systems(systems.profile, truth, systems.offset, systems.perturbers)

    def image(ss: int, factor: int) -> np.ndarray:
        changed = {"supersampling_factor": ss, "refinement_factor": factor}
        camera_then = camera.model_copy(update=changed)
        return render(steep, camera_then, engine="numba", precision="float64")

    expected = image(45, 1)
    peak = expected.max((1, 2))
    single, refined = (np.abs(image(5, k) - expected).max((1, 2)) / peak for k in (1, 9))
    assert np.median(single) > 0.02
    assert refined.max() < 0.005


def test_light_of_the_lens_agrees_with_lenstronomy(domain):
    camera = domain("euclid_realistic")
    systems = draw_systems(camera, "no_sub", seed=1, split="val", start=0, stop=5)
    light = render_lens_light(systems, camera, precision="float64")
    assert light is not None
    # What is left of the flux of the profile inside the frame, by a fine sum without a PSF.
    fine = camera.model_copy(update={"supersampling_factor": 21})
    axis = ray_axis(fine)
    x, y = np.meshgrid(axis, axis)
    for i in range(5):
        t = {k: float(v[i]) for k, v in systems.truth.items()}
        names = ("amp", "R_sersic", "n_sersic", "e1", "e2")
        kwargs = {name: t[f"lens_light_{name}"] for name in names}
        kwargs |= {"center_x": t["center_x"], "center_y": t["center_y"]}
        flux = LightModel(["SERSIC_ELLIPSE"]).surface_brightness(x, y, [kwargs]).sum()
        flux *= (axis[1] - axis[0]) ** 2
        assert light[i].sum() == pytest.approx(flux, rel=5e-3)


def test_subtracted_light_leaves_its_noise(domain):
    camera = domain("euclid_realistic", num_pix=24)
    systems = draw_systems(camera, "no_sub", seed=1, split="val", start=0, stop=400)
    arcs = render(systems, camera, engine="numba", precision="float32")
    clean, subtracted = with_lens_light(arcs, systems, camera, precision="float32")
    assert subtracted is not None
    light = render_lens_light(systems, camera, precision="float32")
    residual = systems.truth["lens_light_residual"][:, None, None]
    np.testing.assert_allclose(clean, arcs + residual * light, rtol=2e-4, atol=1e-5)
    noisy = add_noise(
        clean, systems, seed=1, domain="x", split="val", start=0, subtracted=subtracted
    )
    t = systems.truth
    total = clean + subtracted
    variance = (
        t["background_rms"][:, None, None] ** 2
        + np.maximum(total, 0) / t["exposure_time"][:, None, None]
    )
    z2 = ((noisy - clean) ** 2 / variance).ravel()
    assert abs(z2.mean() - 1) < 4 * np.sqrt(2 / z2.size)


# ------------------------------------------------------------------------------------ closed forms


def test_critical_surface_density_and_radii_are_those_of_the_literature(distances):
    assert lens_distances(COSMOLOGY, 0.5, 1.0).sigma_crit_angle == pytest.approx(
        1.1489e11, rel=2e-4
    )
    assert distances.sigma_crit_angle == pytest.approx(8.674e10, rel=3e-4)
    for z_source, theta_E in ((1.0, 0.772), (1.5, 1.022), (2.0, 1.145)):
        found = lens_distances(COSMOLOGY, 0.5, z_source).theta_E_of_sigma_v(250.0)
        assert float(found) == pytest.approx(theta_E, abs=6e-4)


@pytest.mark.filterwarnings("ignore:Use ``angular_diameter_distance")
def test_halos_have_lenstronomys_angles(distances):
    flat: Any = cosmology.FlatLambdaCDM
    cosmo = LensCosmo(0.5, 1.5, cosmo=flat(H0=70.0, Om0=0.3, Ob0=0.05))
    for m200, c in ((1e7, 18.6), (1e9, 12.4), (1e10, 10.1)):
        found = halos.tnfw_angles(
            np.array([m200]),
            np.array([c]),
            np.array([1.0]),
            cosmology=COSMOLOGY,
            distances=distances,
        )
        Rs, alpha_Rs = cosmo.nfw_physical2angle(m200, c)
        assert found["Rs"][0] == pytest.approx(Rs, rel=1e-3)
        assert found["alpha_Rs"][0] == pytest.approx(alpha_Rs, rel=1e-3)


def test_concentrations_are_those_of_dutton_and_maccio():
    found = halos.concentration_dutton_maccio(10.0 ** np.arange(7, 11), COSMOLOGY, 0.5)
    np.testing.assert_allclose(found, [18.6, 15.2, 12.4, 10.1], atol=0.06)


@pytest.mark.parametrize(("tau", "m200", "share"), [(5, 1e8, 0.5683), (10, 1e9, 0.9307)])
def test_total_mass_of_a_truncated_halo_is_that_of_its_deflection_far_away(tau, m200, share):
    x = np.array([1e5])
    far = halos.tnfw_enclosed(x, float(tau))
    assert far[0] == pytest.approx(halos.tnfw_total_mass_factor(np.array(float(tau))), rel=1e-4)
    f_x, _ = TNFW().derivatives(
        x, np.zeros(1), Rs=1.0, alpha_Rs=1 + np.log(0.5), r_trunc=float(tau)
    )
    assert f_x[0] * x[0] == pytest.approx(far[0], rel=1e-6)
    median = halos.concentration_dutton_maccio(np.array([m200]), COSMOLOGY, 0.5)
    total = far[0] / halos.nfw_mass_factor(median)[0]
    assert total == pytest.approx(share, rel=0.02)


@pytest.mark.parametrize(
    ("model", "deflection", "kwargs"),
    [
        (
            "EPL",
            profiles.epl_deflection,
            {"theta_E": 1.2, "gamma": 2.2, "e1": 0.1, "e2": -0.2},
        ),
        ("TNFW", halos.tnfw_deflection, {"Rs": 0.1, "alpha_Rs": 0.01, "r_trunc": 0.4}),
        ("MULTIPOLE", profiles.multipole_deflection, {"m": 3, "a_m": 0.03, "phi_m": 0.4}),
        ("MULTIPOLE", profiles.multipole_deflection, {"m": 4, "a_m": -0.02, "phi_m": 1.0}),
    ],
)
def test_reference_deflections_are_lenstronomys(model, deflection, kwargs):
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-3, 3, (2, 500))
    kwargs = {**kwargs, "center_x": 0.1, "center_y": -0.05}
    np.testing.assert_allclose(
        deflection(x, y, **kwargs), LensModel([model]).alpha(x, y, [kwargs]), atol=1e-10
    )


def test_a_disc_sheet_is_the_gradient_of_its_potential_and_has_its_convergence():
    disc = {"kappa": -0.02, "radius": 1.5}
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-3, 3, (2, 400))
    x, y = (v[np.abs(np.hypot(x, y) - 1.5) > 0.01] for v in (x, y))
    h = 1e-5
    f_x, f_y = profiles.disc_sheet_deflection(x, y, **disc)
    psi = profiles.disc_sheet_potential
    np.testing.assert_allclose(
        (psi(x + h, y, **disc) - psi(x - h, y, **disc)) / (2 * h), f_x, atol=1e-8
    )
    h_xx, h_xy, h_yy = profiles.disc_sheet_hessian(x, y, **disc)
    inside = np.hypot(x, y) < 1.5
    np.testing.assert_allclose((h_xx + h_yy) / 2, np.where(inside, -0.02, 0), atol=1e-12)
    finite = (
        profiles.disc_sheet_deflection(x, y + h, **disc)[0]
        - profiles.disc_sheet_deflection(x, y - h, **disc)[0]
    ) / (2 * h)
    np.testing.assert_allclose(finite, h_xy, atol=1e-8)
    assert np.isfinite(f_y).all()


# -------------------------------------------------------------------------------------- statistics


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


# ---------------------------------------------------------------------------------- galaxy sources


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
