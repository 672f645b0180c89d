"""The conda files name the versions that the lock holds."""

import re
import tomllib

import pytest
import yaml
from toy.configuration import ROOT

ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))
CONDA_NAMES = {"pytorch": "torch"}


def locked_versions():
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    versions = {}
    for package in lock["package"]:
        versions.setdefault(package["name"], set()).add(package["version"])
    return versions


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda p: p.stem)
def test_conda_versions_are_those_of_the_lock(path):
    locked = locked_versions()
    dependencies = yaml.safe_load(path.read_text())["dependencies"]
    for entry in dependencies:
        name, pinned = entry.split("=")
        if name == "python":
            continue
        candidates = locked[CONDA_NAMES.get(name, name)]
        assert any(v.split(".")[:2] == pinned.split(".")[:2] for v in candidates), entry


def test_every_rule_names_an_environment_that_exists():
    named = set()
    for rules in (ROOT / "rules").glob("*.smk"):
        named |= set(re.findall(r'"../envs/(\w+)\.yaml"', rules.read_text()))
    assert named == {path.stem for path in ENVIRONMENTS}


def test_lenstronomy_stays_below_the_version_with_a_restrictive_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "lenstronomy>=1.13.6,<1.14" in project["project"]["dependencies"]


def test_the_container_copies_what_there_is_and_follows_the_lock():
    text = (ROOT / "envs" / "Dockerfile").read_text()
    ignored = (ROOT / "envs" / "Dockerfile.dockerignore").read_text().split()
    for line in re.findall(r"^COPY (.+)$", text, re.M):
        for name in line.split()[:-1]:
            assert (ROOT / name).exists(), name
            assert name not in ignored
    assert all("--locked" in line for line in text.splitlines() if "uv sync" in line)
    copied = re.findall(r"^COPY (\S+) \1$", text, re.M)
    assert {"rules", "workflow_scripts", "config", "profiles", "slurm", "lensml"} <= set(copied)


def test_a_run_installs_no_tools_and_the_gate_runs_the_tests_as_the_readme_does():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["uv"]["default-groups"] == []
    commands = re.findall(r"^pip install uv && (.+)$", (ROOT / "README.md").read_text(), re.M)
    run, test = commands
    assert run.startswith("uv run snakemake ")
    assert test in (ROOT / ".ci/run").read_text().splitlines()
    assert f"{test} -m" in (ROOT / "CONTRIBUTING.md").read_text()
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    assert hooks.count("uv run ") == hooks.count("uv run --group dev ") > 0
