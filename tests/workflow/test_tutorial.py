"""The tutorial runs as it is shown, in a project of its own."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from toy.configuration import ROOT

from lensml.commands import init

NOTEBOOK = ROOT / "docs" / "tutorial.ipynb"

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


def test_the_tutorial_runs_and_finds_substructure(tmp_path):
    project = tmp_path / "project"
    assert init.report(project) == 0
    made = tmp_path / "made.ipynb"
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", str(NOTEBOOK)]
    options = ["--ExecutePreprocessor.cwd", str(project), "--output", str(made)]
    done = subprocess.run(
        [*command, *options], cwd=project, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = dict(re.findall(r"(\w+) +AUC against no_sub (\d\.\d+)", made.read_text("utf-8")))
    assert set(found) == {"cdm", "vortex"}
    assert all(float(auc) > 0.95 for auc in found.values())
    shown = dict(re.findall(r"(\w+) +AUC against no_sub (\d\.\d+)", NOTEBOOK.read_text("utf-8")))
    assert all(abs(float(found[name]) - float(auc)) < 0.02 for name, auc in shown.items())
