"""From a wheel: lensml init writes a project in which the workflow runs as in the checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import pytest
from toy.configuration import ROOT
from toy.smoke_run import planned

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Folder with nothing in it but what a wheel of this checkout unpacks to."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "installed")
    return folder / "installed"


@pytest.fixture
def project(installed, tmp_path, monkeypatch):
    """What ``lensml init`` writes where the wheel is installed; what runs from here on uses it."""
    monkeypatch.setenv("PYTHONPATH", str(installed))
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-m", "lensml", "init", "x"], check=True)
    return tmp_path / "x"


def test_a_project_plans_what_the_checkout_plans_and_says_so_of_no_other_version(
    project, installed, tmp_path
):
    assert not installed.samefile(ROOT)
    here = planned(project, checkout=project)
    assert here == planned(tmp_path)
    assert sum(here.values()) > 100
    (project / "lensml_version.txt").write_text("0.0.1\n")
    line = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n"], cwd=project, capture_output=True, text=True
    )
    assert line.returncode != 0
    assert "written by lensml 0.0.1, installed is" in line.stderr
    assert "Traceback" not in line.stderr


def test_a_job_runs_in_a_project_by_the_package_of_the_wheel(project, installed):
    target = "results/encoders/vit_conv_stem_64.json"
    command = [sys.executable, "-m", "snakemake", target, "--cores", "1"]
    done = subprocess.run(
        [*command, "--configfile", "config/smoke.yaml", "--config", "run=null"],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (project / target).is_file()
    # Where a job of a conda environment finds the package, and nothing else of this environment.
    (link,) = (project / ".snakemake/lensml").iterdir()
    assert link.samefile(installed / "lensml")
