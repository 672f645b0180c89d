"""The workflow as a user runs it: Snakemake in a fresh folder with the smoke configuration."""

import os
import re
import signal
import subprocess
import sys
import time
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from toy.shared import folder_of_all, made_once
from toy.smoke_run import (
    RESIDUALS,
    command,
    copy_of_datasets,
    digests,
    overlay,
    planned,
    refusals,
    snakemake,
)

from lensml.schema.adaptation import HARMONISED, Method

DATASETS = [
    f"results/datasets/hst/{name}/{split}.manifest.json"
    for name in ("no_sub", "cdm", "vortex")
    for split in ("train", "val", "test")
]

# Snakemake gives each checkout's lock to one process: every test works in a folder of its own.

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


def test_a_run_ends_in_tables_and_figures(finished):
    tables = {p.name for p in (finished / "results" / "tables").iterdir()}
    for name in ("classification", "adaptation", "anomaly"):
        assert {f"{name}.csv", f"{name}.md", f"{name}.tex"} <= tables
    figures = list((finished / "results" / "figures").rglob("*.p*"))
    assert len(figures) >= 30
    assert all(f.stat().st_size > 2000 for f in figures)


def test_every_metric_has_an_interval_and_every_table_its_baseline(finished):
    classification = pd.read_csv(finished / "results/tables/classification.csv")
    adaptation = pd.read_csv(finished / "results/tables/adaptation.csv")
    anomaly = pd.read_csv(finished / "results/tables/anomaly.csv")
    for table in (classification, adaptation, anomaly):
        metric = table["metric"]
        auc = table[metric.str.startswith("roc_auc") & ~metric.str.endswith("gap_closed")]
        low, value, high = np.asarray(auc[["ci_low", "value", "ci_high"]]).T
        assert np.all(low <= value + 1e-9)
        assert np.all(value <= high + 1e-9)
        # A handful of images that are told apart without a mistake leaves no interval.
        assert np.all((low < high) | (value == 1))
    assert "radial_profile" in set(classification["model"])
    assert set(get_args(Method)) - {HARMONISED} == set(adaptation["method"])
    detectors = {
        "mae",
        "conv_autoencoder",
        "vae",
        "aae",
        "pca",
        "smooth_fit",
        "potential_filter",
        "total_flux",
    }
    detectors |= {"supervised"}
    assert detectors == set(anomaly["method"])


def test_runs_leave_no_checkpoint_behind(finished):
    assert not list((finished / "state").rglob("*.pt")) if (finished / "state").exists() else True


def test_a_finished_run_has_nothing_to_do(finished):
    assert planned(finished) == {}


def test_classifiers_are_carried_to_every_domain(finished):
    table = pd.read_csv(finished / "results/tables/transfer.csv")
    assert set(table["domain"]) == {"euclid"}
    for target in ("euclid", "hst"):
        models = set(table.loc[table["target_domain"] == target, "model"])
        assert models == {"vit_conv_stem", "radial_profile"}
    assert (finished / "results/figures/transfer.png").stat().st_size > 2000


def test_networks_learn_from_what_a_smooth_lens_leaves(finished, tmp_path):
    """Every image of both domains is fitted, those of the finished run not again."""
    change = overlay(copy_of_datasets(finished, tmp_path), RESIDUALS)
    adapted = "results/adaptation/euclid/hst/vit_conv_stem/adda/seed0/predictions.csv"
    targets = ("results/tables/classification.csv", adapted)
    assert "simulate_block" not in planned(tmp_path, *targets, overlays=[change])
    done = snakemake(tmp_path, *targets, overlays=[change])
    assert "lensml: tables in results/tables" in done.stderr
    assert "classification, euclid: macro AUC vit_conv_stem 0." in done.stderr
    assert "anomalies" not in done.stderr  # of which no table was made
    table = pd.read_csv(tmp_path / targets[0])
    assert {"vit_conv_stem", "radial_profile", "fit_statistics"} == set(table["model"])
    images_alone = pd.read_csv(finished / "results/tables/classification.csv")
    assert set(images_alone["model"]) == {"vit_conv_stem", "radial_profile"}
    assert (tmp_path / adapted).read_bytes() != (finished / adapted).read_bytes()
    there = digests(finished / "results/fits")
    assert there
    assert there.items() <= digests(tmp_path / "results/fits").items()


def test_a_figure_option_remakes_figures_alone(finished, tmp_path):
    change = overlay(tmp_path, {"figures": {"font_size": 8.0}})
    rules = planned(finished, overlays=[change])
    assert rules
    assert all(name == "all" or name.startswith("plot_") for name in rules)


def test_a_learning_rate_retrains_the_classifier_and_simulates_nothing(finished, tmp_path):
    change = overlay(tmp_path, {"classifier": {"learning_rate": 1.5e-3}})
    rules = planned(finished, overlays=[change])
    assert {"train_classifier", "predict_classifier", "adapt_adda", "train_oracle"} <= set(rules)
    assert not {"simulate_block", "seal_dataset", "train_mae", "score_pca"} & set(rules)


def test_a_new_domain_leaves_the_others_alone(finished, tmp_path):
    change = overlay(tmp_path, {"domains": ["euclid", "hst", "model_ii"]})
    done = snakemake(finished, "-n", overlays=[change])
    made = re.findall(r"output: (results/datasets/\S+)", done.stdout + done.stderr)
    assert made
    assert all(path.startswith("results/datasets/model_ii/") for path in made)
    assert not {"train_classifier", "train_mae"} & set(planned(finished, overlays=[change]))


def test_a_changed_psf_simulates_that_domain_alone(finished, tmp_path):
    change = overlay(tmp_path, {"catalogue": {"instruments": {"hst_f160w": {"psf_fwhm": 0.2}}}})
    done = snakemake(finished, "-n", overlays=[change])
    made = re.findall(r"output: (results/datasets/\S+)", done.stdout + done.stderr)
    assert made
    assert all(path.startswith("results/datasets/hst/") for path in made)


def test_a_larger_dataset_simulates_its_new_blocks_only(finished, tmp_path):
    # 96 images are one block of 64 and half of another; 192 are three whole ones.
    change = overlay(tmp_path, {"simulation": {"n_train": 192}})
    done = snakemake(finished, "-n", "datasets", overlays=[change])
    blocks = re.findall(r"train\.zarr/image/c/(\d+)/0/0, ", done.stdout + done.stderr)
    outputs = re.findall(r"output: \S*train\.zarr/image/c/(\d+)/0/0", done.stdout + done.stderr)
    assert set(outputs) == {"1", "2"}
    assert blocks


@pytest.fixture(scope="module")
def one_core(tmp_path_factory):
    """Datasets of one domain of the smoke run made on one core."""

    def run(folder):
        snakemake(folder, *DATASETS, cores=1)

    folder = made_once(folder_of_all(tmp_path_factory) / "one core", run)
    return digests(folder / "results" / "datasets")


def test_stores_are_the_same_bytes_on_one_core_and_on_two(finished, one_core):
    two = digests(finished / "results" / "datasets")
    assert one_core.items() <= two.items()  # the finished run also holds the unlabelled pool


def test_stores_are_the_same_bytes_after_a_kill(one_core, tmp_path):
    running = subprocess.Popen(
        command(*DATASETS),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    started = time.monotonic()
    while len(list(tmp_path.rglob("*.npz"))) < 5:
        assert running.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() - started < 300
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    snakemake(tmp_path, "--unlock")
    snakemake(tmp_path, *DATASETS)
    assert digests(tmp_path / "results" / "datasets") == one_core


MISTAKES = {
    "misspelt key": ({"classifier": {"learning_rat": 0.1}}, "classifier.learning_rat"),
    "negative count": ({"simulation": {"n_train": -3}}, "simulation.n_train = -3"),
    "unknown domain": ({"domains": ["euclid", "hst", "hubble"]}, "'hubble'"),
    "class listed twice": ({"substructures": ["no_sub", "cdm", "cdm"]}, "substructures"),
    "text for a number": ({"classifier": {"learning_rate": "fast"}}, "classifier.learning_rate"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_stops_with_one_line_before_any_job(mistake, tmp_path):
    content, named = MISTAKES[mistake]
    (line,) = refusals(tmp_path, content)
    assert named in line
    assert "overlay.yaml" in line


def test_a_million_images_are_planned_block_by_block(tmp_path):
    million = {"simulation": {"n_train": 166_000, "images_per_block": 1000}}
    rules = planned(tmp_path, "datasets", overlays=[overlay(tmp_path, million)])
    assert rules["simulate_block"] == 2 * 3 * (166 + 2)  # 996,000 images to train on


def test_the_cost_of_the_workflow_is_measured(tmp_path):
    snakemake(tmp_path, "benchmark_workflow", cores=1)
    table = pd.read_csv(tmp_path / "results/tables/workflow_overhead.csv")
    seconds = dict(zip(table["task"], table["seconds"], strict=True))
    assert np.all(table["least"] <= table["seconds"])
    assert np.all(table["seconds"] <= table["largest"])
    assert seconds["dry run of 60 jobs"] > seconds["start of Python"] > 0
    assert seconds["a job"] > seconds["start of Python"]
    assert (tmp_path / "results/tables/workflow_overhead_run.json").exists()


@pytest.mark.parametrize("module", ["simulate.dataset", "figures", "workflow", "commands.verify"])
def test_light_jobs_start_without_torch(module):
    code = f"import sys, lensml.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
