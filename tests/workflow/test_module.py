"""The workflow as a module of another one, whose folder, configuration and names are others."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
import yaml
from toy.configuration import ROOT
from toy.outer import outer_workflow, run
from toy.smoke_run import jobs_of, planned

from lensml.commands.verify import verify_results
from lensml.shipped import PARTS

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


def test_a_module_may_lie_in_a_repository_elsewhere(tmp_path):
    """As snakedeploy has it: rules of a repository, and a lensml that is installed."""
    repository = tmp_path / "repository"
    for part in PARTS:
        copied = repository / "lenses" / part
        copied.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, copied)
    commit(repository)
    snakefile = outer_workflow(tmp_path) / "Snakefile"
    elsewhere = f"git+file://{repository}/lenses/Snakefile@main"
    snakefile.write_text(snakefile.read_text().replace(str(ROOT / "Snakefile"), elsewhere))
    # Snakemake 9.27 cannot look for changed scripts in a repository on disk: code is no trigger.
    done = run(tmp_path, "-n", "lensml_tables", "--rerun-triggers", "mtime", "params", "input")
    assert done.returncode == 0, done.stderr
    assert jobs_of(done.stdout + done.stderr)["lensml_simulate_block"] == 24


def commit(repository):
    """Everything in a folder as the one commit of its branch main."""
    who = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    for command in (("init", "-qb", "main"), ("add", "-A"), (*who, "commit", "-qm", "all")):
        subprocess.run(["git", *command], cwd=repository, check=True)


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
