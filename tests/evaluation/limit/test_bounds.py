"""Bounds on the AUC enclose what they should."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from toy.configuration import configured

from lensml.evaluation.limit.bounds import (
    COLUMNS,
    measure_limit,
    pair_rows,
    simulate_lenses,
    tabulate_limit,
)
from lensml.figures import Style, plot_limit
from lensml.schema import ConfigError
from lensml.schema.limit import Limit
from lensml.schema.yaml_reader import deep_merge
from lensml.simulate.systems import draw_systems, redraw_substructure

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
