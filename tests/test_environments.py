"""The conda files name the versions that the lock holds."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
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
