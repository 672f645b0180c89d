"""The workflow as a module of another one, whose folder, configuration and names are others."""

from __future__ import annotations

import re

import pytest
import yaml
from toy.outer import outer_workflow, run
from toy.smoke_run import jobs_of, planned

from lensml.commands.verify import verify_results

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


def test_an_outer_workflow_plans_the_smoke_run_and_its_own_rules(tmp_path):
    outer_workflow(tmp_path, run=None)
    done = run(tmp_path, "-n", "lensml_all", "count")
    assert done.returncode == 0, done.stderr
    inner = {f"lensml_{name}": n for name, n in planned(tmp_path).items()}
    assert jobs_of(done.stdout + done.stderr) == {**inner, "count": 1}


def test_an_outer_workflow_simulates_a_dataset_and_trusts_it(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)  # the module brings its own package
    outer_workflow(tmp_path, run="inner", seed=7)
    done = run(tmp_path, "results/inner/datasets/euclid/no_sub/val.manifest.json")
    assert done.returncode == 0, done.stderr[-3000:]
    made = yaml.safe_load((tmp_path / "results/inner/config.yaml").read_text())
    assert (made["seed"], made["run"]) == (7, "inner")
    verdict = verify_results(tmp_path / "results")
    assert (verdict.stores, verdict.problems, verdict.unrecorded) == (1, [], [])


def test_a_mistake_in_what_is_handed_over_is_one_line(tmp_path):
    done = run(outer_workflow(tmp_path, sede=1), "-n")
    assert done.returncode != 0
    (line,) = done.stderr.strip().splitlines()
    assert "config of the module: sede = 1: unknown key; did you mean 'seed'?" in line


@pytest.mark.parametrize("moved", ['prefix: "far"', 'pathvars: results="far"'])
def test_a_module_that_would_lie_elsewhere_is_refused_in_one_line(tmp_path, moved):
    snakefile = outer_workflow(tmp_path) / "Snakefile"
    config = 'config: config["lensml"]\n'
    snakefile.write_text(snakefile.read_text().replace(config, f"{config}    {moved}\n"))
    done = run(tmp_path, "-n")
    assert done.returncode != 0
    (line,) = done.stderr.strip().splitlines()
    assert re.search("prefix or pathvars of the module = far.*the key 'run'", line)
