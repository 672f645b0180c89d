"""The benchmark's rows, units and files on a tiny configuration; nothing depends on a clock."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lensml.evaluation.speed.rendering import COLUMNS, SHIPPED, TASKS, repeated, run_benchmark
from lensml.figures import Style, plot_benchmark
from lensml.schema.training import Benchmark
from lensml.simulate.systems import draw_systems

CLASSES = ["no_sub", "cdm", "vortex"]
SPEC = Benchmark(
    domains=["model_ii", "euclid_realistic"],
    supersampling_factors=[1],
    n_images=4,
    n_images_lenstronomy=2,
    n_images_loader=40,
    repeats=2,
)


@pytest.fixture(scope="module")
def written(domain, default_config, tmp_path_factory):
    """Table and record of one tiny run."""
    folder = tmp_path_factory.mktemp("benchmark")
    tables = [str(folder / f"benchmark.{ending}") for ending in ("csv", "md", "tex")]
    domains = [domain(name, num_pix=16, supersampling_factor=2) for name in SPEC.domains]
    run_benchmark(
        domains,
        CLASSES,
        SPEC,
        default_config.network_input,
        tables,
        str(folder / "run.json"),
        precision="float32",
        seed=3,
    )
    return folder


def test_the_table_has_a_row_per_case_task_and_engine(written):
    table: Any = pd.read_csv(written / "benchmark.csv")
    assert tuple(table.columns) == COLUMNS
    simulated = table[table["engine"] != "lensml"]
    keys = ["domain", "substructure", "supersampling_factor", "what", "engine"]
    assert not simulated.duplicated(keys).any()
    assert len(simulated) == 2 * 3 * 2 * len(TASKS) * 2 + 2 * 3
    shipped = simulated[simulated["what"] == SHIPPED]
    assert set(shipped["engine"]) == {"numba"}
    assert shipped["ratio_to_lenstronomy"].isna().all()
    assert set(simulated["supersampling_factor"]) == {1, 2}
    loader = table[table["engine"] == "lensml"]
    assert list(loader["what"]) == ["loader, in memory", "loader, memory-mapped"]


def test_speeds_are_positive_and_ratios_relate_the_engines(written):
    table: Any = pd.read_csv(written / "benchmark.csv")
    assert (table["images_per_second"] > 0).all()
    theirs = table[table["engine"] == "lenstronomy"]
    np.testing.assert_allclose(theirs["ratio_to_lenstronomy"], 1)
    np.testing.assert_allclose(theirs["ratio_spread"], 0)
    compared = table[(table["engine"] == "numba") & (table["what"] != SHIPPED)]
    assert compared["ratio_to_lenstronomy"].gt(0).all()
    # A longer task is slower in every turn, whatever the clock says.
    speed = table[table["engine"] == "numba"].pivot_table(
        index=["domain", "substructure", "supersampling_factor"],
        columns="what",
        values="images_per_second",
    )
    assert (speed["render"] >= speed["render and noise"]).all()
    assert (speed["render and noise"] >= speed["dataset"]).all()


def test_the_table_says_what_was_compared(written):
    table: Any = pd.read_csv(written / "benchmark.csv", keep_default_na=False)
    compared = (table["engine"] == "numba") & (table["what"] != SHIPPED)
    rows = table[compared].set_index(["domain", "substructure"])
    assert set(rows.loc[("model_ii", "vortex"), "lenstronomy_model"]) == {
        "SIE + SHEAR + POINT_MASS"
    }
    assert (rows.loc[("model_ii", "vortex"), "mean_perturbers"] == 100).all()
    for name in rows.loc[("euclid_realistic", "vortex"), "lenstronomy_model"]:
        assert "INTERPOL of the closed form" in name
    for name in rows.loc[("euclid_realistic", "cdm"), "lenstronomy_model"]:
        assert "TNFW" in name


def test_the_record_names_machine_and_versions(written):
    record = json.loads((written / "run.json").read_text())
    assert record["cpu"]
    assert record["threads"] == 1
    assert record["versions"]["lenstronomy"] != "not installed"
    assert record["units"]["images_per_second"] == "images per CPU second"


def test_markdown_latex_and_figure_are_made_of_the_table(written):
    assert "images_per_second" in (written / "benchmark.md").read_text()
    assert r"images\_per\_second" in (written / "benchmark.tex").read_text()
    output = [written / "figure.pdf", written / "figure.png"]
    style = Style(dpi=60, font_size=9.0, width=7.1, color_map="magma")
    plot_benchmark(written / "benchmark.csv", style=style, output=output)
    assert all(file.stat().st_size > 2000 for file in output)


def test_repeated_systems_keep_their_perturbers(domain):
    systems = draw_systems(domain("euclid"), "cdm", seed=2, split="val", start=0, stop=3)
    twice = repeated(systems, 2)
    assert len(twice) == 6
    for i in range(3):
        first = slice(*twice.offset[i : i + 2])
        again = slice(*twice.offset[i + 3 : i + 5])
        for column in twice.perturbers.values():
            np.testing.assert_array_equal(column[first], column[again])
    np.testing.assert_array_equal(twice.truth["theta_E"][3:], systems.truth["theta_E"])
