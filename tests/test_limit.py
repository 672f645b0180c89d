"""The physical limit: linear algebra in closed form, derivatives, bounds that enclose."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lensml.evaluation.limit.bounds import (
    COLUMNS,
    measure_limit,
    pair_rows,
    simulate_lenses,
    tabulate_limit,
)
from lensml.evaluation.limit.fisher import (
    Noise,
    auc,
    bank_evidence,
    gaussian_evidence,
    oracle_auc,
    pooled_oracle_auc,
)
from lensml.figures import Style, plot_limit
from lensml.schema import ConfigError, load_config
from lensml.schema.limit import Limit
from lensml.schema.yaml_reader import deep_merge, read_yaml
from lensml.simulate.response import NUISANCE, images_of, jacobian, nudged, prior_width
from lensml.simulate.systems import draw_systems, redraw_substructure
from tests.conftest import CONFIG_DIR

CLASSES = ["no_sub", "cdm", "vortex"]
SMALL = Limit(
    domains="all",
    n_systems=6,
    n_bank_systems=3,
    n_templates=60,
    n_draws=40,
    supersampling_factor=2,
    f_sub=[0.01],
    magnitudes=[22.0, 24.0],
)


@pytest.fixture(scope="module")
def evaluation(default_config):
    return default_config.evaluation


@pytest.fixture(scope="module")
def realistic(domain):
    """Euclid with coarse pixels and massive halos alone, so that a test takes seconds."""
    population = {
        "cdm": {"f_sub": 0.02, "m_min": 1.0e8},
        "source": {"magnitude": 22.0},
    }
    return domain("euclid_realistic", num_pix=48, supersampling_factor=2, population=population)


@pytest.fixture(scope="module")
def smooth(realistic):
    return draw_systems(realistic, "no_sub", seed=3, split="test", start=0, stop=4)


@pytest.fixture(scope="module")
def derivatives(smooth, realistic):
    return jacobian(smooth, realistic)


def random_problem(rng, pixels=40, k=4):
    return rng.uniform(0.5, 2, pixels), rng.normal(size=(pixels, k)), rng.uniform(0.1, 3, k)


def test_detectability_of_a_linear_problem_is_the_closed_form():
    variance, J, width = random_problem(np.random.default_rng(0))
    signal = np.random.default_rng(1).normal(size=len(variance))
    noise = Noise.of(variance, J, width)
    covariance = np.diag(variance) + J @ np.diag(width**2) @ J.T
    expected = np.sqrt(signal @ np.linalg.solve(covariance, signal))
    np.testing.assert_allclose(noise.d_marginal(signal), expected, rtol=1e-10)
    np.testing.assert_allclose(noise.d_fixed(signal), np.sqrt(np.sum(signal**2 / variance)))
    # the formula as it is written in the literature
    information = J.T @ (J / variance[:, None]) + np.diag(width**-2.0)
    projected = J.T @ (signal / variance)
    squared = np.sum(signal**2 / variance) - projected @ np.linalg.solve(information, projected)
    np.testing.assert_allclose(noise.d_marginal(signal) ** 2, squared, rtol=1e-10)


def test_one_pixel_by_hand():
    # variance 1, derivative 2, prior 3: S = 1 + 36, so a signal of 1 has d'^2 = 1 / 37
    noise = Noise.of(np.array([1.0]), np.array([[2.0]]), np.array([3.0]))
    np.testing.assert_allclose(noise.d_marginal(np.array([1.0])) ** 2, 1 / 37)


@given(st.integers(0, 10_000))
def test_marginalising_never_raises_detectability(seed):
    rng = np.random.default_rng(seed)
    variance, J, width = random_problem(rng)
    signal = rng.normal(size=(5, len(variance))) * 10 ** rng.uniform(-3, 3)
    noise = Noise.of(variance, J, width)
    assert np.all(noise.d_marginal(signal) <= noise.d_fixed(signal) * (1 + 1e-12))
    wider = Noise.of(variance, J, 10 * width)
    assert np.all(wider.d_marginal(signal) <= noise.d_marginal(signal) * (1 + 1e-9))


def test_whitened_noise_is_white():
    rng = np.random.default_rng(2)
    variance, J, width = random_problem(rng, pixels=12)
    noise = Noise.of(variance, J, width)
    n = 40_000
    data = np.sqrt(variance) * rng.standard_normal((n, 12)) + noise.nuisance(n, rng)
    found = np.cov(noise.whiten(data).T)
    # a covariance of n samples has standard errors of sqrt(2 / n) or less
    np.testing.assert_allclose(found, np.eye(12), atol=5 * np.sqrt(2 / n))


def test_pooled_auc_is_that_of_an_observer_who_ranks_every_system():
    d = np.array([0.2, 1.0, 4.0])
    every = np.ones((1, 3))
    rng = np.random.default_rng(5)
    repeats = 20_000
    spread = rng.standard_normal((2, repeats, 3)) * d
    found = auc(*((spread[k] + sign * d**2 / 2).ravel() for k, sign in enumerate((-1, 1))))
    pooled = pooled_oracle_auc(d, every)[0]
    assert abs(found - pooled) < 5 * 0.41 / np.sqrt(3 * repeats)
    assert pooled > oracle_auc(d).mean() + 0.05
    same = np.full(4, 1.3)
    np.testing.assert_allclose(pooled_oracle_auc(same, np.ones((1, 4)))[0], oracle_auc(1.3))


def test_evidence_of_one_template_is_the_known_signal():
    rng = np.random.default_rng(3)
    signal = rng.normal(size=30) * 0.3
    noise = rng.standard_normal((20_000, 30))
    score = [bank_evidence(x, signal[None]) for x in (noise, noise[::-1] + signal)]
    expected = float(oracle_auc(np.linalg.norm(signal)))
    assert abs(auc(*score) - expected) < 5 * 0.41 / np.sqrt(20_000)


def test_gaussian_evidence_is_the_ratio_of_two_densities():
    rng = np.random.default_rng(4)
    templates = rng.normal(size=(7, 5)) + 0.3
    data = rng.normal(size=(6, 5))
    covariance = np.eye(5) + np.cov(templates.T, bias=True)
    off = data - templates.mean(0)
    expected = np.square(data).sum(1) - np.sum(off * np.linalg.solve(covariance, off.T).T, axis=1)
    expected = (expected - np.linalg.slogdet(covariance)[1]) / 2
    np.testing.assert_allclose(gaussian_evidence(data, templates), expected, rtol=1e-9)


def test_derivative_by_flux_is_the_image(smooth, realistic, derivatives):
    image = images_of(smooth, realistic, precision="float64")
    column = derivatives[..., list(NUISANCE).index("flux")]
    np.testing.assert_allclose(column, image, rtol=1e-7, atol=1e-9 * image.max())


def test_derivatives_do_not_depend_on_the_step(smooth, realistic):
    # Without refinement: a cell that is refined on one side of a difference alone makes a jump
    # that does not shrink with the step (up to 9 % of a derivative's norm; d' does not notice).
    single = realistic.model_copy(update={"refinement_factor": 1})
    whole, half = (jacobian(smooth, single, step_scale=k) for k in (1.0, 0.5))
    scale = np.linalg.norm(whole, axis=1)
    difference = np.linalg.norm(half - whole, axis=1) / scale
    assert difference.max() < 0.03


def test_size_and_index_of_a_source_change_at_constant_flux(smooth, domain):
    # nothing but the source, seen whole: its flux is that of the image
    wide = domain("euclid_realistic", num_pix=160, supersampling_factor=2)
    off = dict.fromkeys(("theta_E", "gamma1", "gamma2"), np.zeros(len(smooth)))
    bare = type(smooth)(smooth.profile, {**smooth.truth, **off}, smooth.offset, smooth.perturbers)
    before = images_of(bare, wide, precision="float64").sum(1)
    for name, step in (("source_R_sersic", 0.05), ("source_n_sersic", 0.2)):
        after = images_of(nudged(bare, name, step), wide, precision="float64").sum(1)
        np.testing.assert_allclose(after, before, rtol=0.02)


def test_a_change_of_theta_E_alone_is_not_detectable(smooth, realistic, derivatives):
    image = images_of(smooth, realistic, precision="float64")
    step, width = 2e-3, prior_width(realistic)
    signal = images_of(nudged(smooth, "theta_E", step), realistic, precision="float64") - image
    for i in range(len(smooth)):
        rms, t = (smooth.truth[k][i] for k in ("background_rms", "exposure_time"))
        noise = Noise.of(rms**2 + image[i] / t, derivatives[i], width)
        known, free = noise.d_fixed(signal[i]), noise.d_marginal(signal[i])
        assert known > 1
        # what is left: second order, and the prior's own d' of step / 0.2 arcsec
        assert free < 0.05 * known


def test_redrawn_substructure_leaves_lens_and_source(realistic):
    where = {"seed": 3, "split": "test"}
    smooth = draw_systems(realistic, "no_sub", **where, start=2, stop=3)
    many = redraw_substructure(realistic, "cdm", **where, index=2, n_draws=5)
    for name in ("theta_E", "e1", "source_amp", "source_center_x", "gamma1", "system_id"):
        assert np.all(many.truth[name] == smooth.truth[name][0])
    assert len(np.unique(many.truth["m_sub_total"])) == 5
    own = draw_systems(realistic, "cdm", **where, start=2, stop=3)
    assert own.truth["m_sub_total"][0] not in many.truth["m_sub_total"]


def test_redrawn_lenses_make_room_for_their_own_mass_alone(domain):
    many = redraw_substructure(domain("euclid"), "cdm", seed=3, split="test", index=0, n_draws=30)
    assert len(np.unique(many.truth["theta_E_total"])) == 1
    # a leak from draw to draw would make theta_E fall steadily
    assert not np.all(np.diff(many.truth["theta_E"]) <= 0)


def test_no_mass_is_chance_and_mass_helps(domain, realistic, evaluation):
    found = []
    spec = SMALL.model_copy(update={"n_templates": 2, "n_draws": 2, "n_bank_systems": 2})
    for f_sub in (1e-7, 0.005, 0.02, 0.08):
        changed = domain(
            "euclid_realistic",
            num_pix=48,
            supersampling_factor=2,
            population={
                "cdm": {"f_sub": f_sub, "m_min": 1.0e8},
                "source": {"magnitude": 23.0},
            },
        )
        lenses = simulate_lenses(changed, classes=CLASSES[:2], spec=spec, seed=3)
        rows = pair_rows(lenses, 1.0, classes=CLASSES[:2], evaluation=evaluation, seed=0)
        found.append(rows[0]["auc_oracle"])
    assert abs(found[0] - 0.5) < 0.005
    assert np.all(np.diff(found) > 0.01)


def test_lower_bound_is_below_the_upper_one(realistic, evaluation):
    lenses = simulate_lenses(realistic, classes=CLASSES, spec=SMALL, seed=3)
    for flux in (1.0, 0.2):
        for row in pair_rows(lenses, flux, classes=CLASSES, evaluation=evaluation, seed=0):
            # 160 images on either side: the classifier's AUC has an error of 0.03 per system
            error = 0.41 / np.sqrt(SMALL.n_draws * SMALL.n_bank_systems)
            assert row["auc_bank"] < row["auc_oracle"] + 3 * error
            assert row["auc_bank"] > 0.45
            assert row["auc_oracle"] <= row["auc_fixed"]
            assert row["ci_low"] <= row["auc_oracle"] <= row["ci_high"]


def test_flux_may_be_scaled_after_rendering(domain, realistic, evaluation):
    """A grid's second magnitude is what rendering it anew would give."""
    spec = SMALL.model_copy(update={"n_templates": 4, "n_draws": 4, "n_bank_systems": 2})
    content = deep_merge(realistic.model_dump(exclude_none=True), {})
    faint = type(realistic).model_validate(
        deep_merge(content, {"population": {"source": {"magnitude": 24.0}}})
    )
    d = []
    for changed, flux in ((realistic, 10**-0.8), (faint, 1.0)):
        lenses = simulate_lenses(changed, classes=CLASSES, spec=spec, seed=3)
        rows = pair_rows(lenses, flux, classes=CLASSES, evaluation=evaluation, seed=0)
        d.append([row["d_macro"] for row in rows])
    np.testing.assert_allclose(d[0], d[1], rtol=1e-3)


def test_tables_and_figure(domain, evaluation, tmp_path):
    spec = SMALL.model_copy(
        update={"n_templates": 4, "n_draws": 4, "n_bank_systems": 2, "n_systems": 3}
    )
    small = {"num_pix": 24, "supersampling_factor": 1}
    given = {"classes": CLASSES, "spec": spec, "evaluation": evaluation, "seed": 1}
    for name in ("euclid", "hst_realistic"):
        measure_limit(domain(name, **small), str(tmp_path / f"{name}.csv"), **given)
    varied, grid = (pd.read_csv(tmp_path / f"{n}.csv") for n in ("euclid", "hst_realistic"))
    assert list(grid.columns) == COLUMNS
    assert len(varied) == 3  # a row per pair of classes
    assert len(grid) == 3 + 3 * len(spec.f_sub) * len(spec.magnitudes)
    outputs = [str(tmp_path / f"limit.{ending}") for ending in ("csv", "md", "tex")]
    sources = [str(tmp_path / f"{n}.csv") for n in ("euclid", "hst_realistic")]
    tabulate_limit(sources, outputs, confidence=0.95)
    assert len(pd.read_csv(outputs[0])) == len(varied) + len(grid)
    assert "no_sub / vortex" in (tmp_path / "limit.md").read_text()
    style = Style(dpi=60, font_size=9.0, width=7.1, color_map="magma")
    columns = ["reference", "label", "f_sub", "magnitude", "ci_low", "ci_high"]
    reached = grid.dropna()[columns].assign(model="vit", roc_auc=grid["auc_oracle"] - 0.05)
    reached.to_csv(tmp_path / "networks.csv", index=False)
    where = {"title": "", "style": style, "output": [tmp_path / "limit.png"]}
    plot_limit(tmp_path / "hst_realistic.csv", **where, networks=tmp_path / "networks.csv")
    assert (tmp_path / "limit.png").stat().st_size > 5000
    with pytest.raises(ValueError, match="expected a grid"):
        plot_limit(tmp_path / "euclid.csv", **where)


def test_images_without_noise_have_no_limit(domain, evaluation, tmp_path):
    with pytest.raises(ValueError, match=r"limit\.domains.*model_ii_asis.*no noise"):
        measure_limit(
            domain("model_ii_asis"),
            str(tmp_path / "x.csv"),
            classes=CLASSES,
            spec=SMALL,
            evaluation=evaluation,
            seed=1,
        )


def configured(changes):
    file = CONFIG_DIR / "config.yaml"
    return load_config(
        deep_merge(read_yaml(file), changes), catalogue_dir=CONFIG_DIR / "catalogue", files=[file]
    )


def test_domains_of_the_limit():
    assert configured({}).limit_domains == ["euclid", "hst"]
    assert configured({"limit": {"domains": ["hst"]}}).limit_domains == ["hst"]
    silent = configured({"domains": ["euclid", "hst", "model_ii_asis"]})
    assert silent.limit_domains == ["euclid", "hst"]
    with pytest.raises(ConfigError, match=r"limit\.domains = 'hts'.*did you mean 'hst'"):
        configured({"limit": {"domains": ["hts"]}})


@pytest.mark.parametrize("entry", ["populations", "domains"])
def test_an_overlay_can_take_the_light_of_the_lens_away(entry):
    light = {
        "populations": {"populations": {"realistic": {"lens_light": None}}},
        "domains": {"domains": {"euclid_realistic": {"population_changes": {"lens_light": None}}}},
    }
    changes = {"domains": ["euclid", "hst", "euclid_realistic"], "catalogue": light[entry]}
    population = configured(changes).domain("euclid_realistic").population
    assert population.lens_light is None
