"""The cache of the compiled kernels: the process that compiles finds the same bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from toy.configuration import ROOT

pytestmark = pytest.mark.slow  # compiles every kernel of the fit

FIT_AND_HASH = """
import hashlib
from toy.configuration import DOMAINS, configured
from toy.fits import fit_spec, simulated
from lensml.fit.smooth import SmoothFitter
from lensml.fit.starts import draw_reference
camera = configured({"domains": DOMAINS}).domain("euclid_l1")
digest = hashlib.sha256()
fitter = SmoothFitter(camera, fit_spec(multipoles="projected"))
for f in fitter.fit(simulated(camera, "cdm", 3)[1], draw_reference(camera, n=100, seed=1)):
    for array in (f.parameters, f.errors, f.residual, f.statistics, f.explained.kappa_std):
        digest.update(array.tobytes())
print(digest.hexdigest())
"""


def digest(folder: Path) -> str:
    """Checksum of what a new process finds with the package in a folder and its cache."""
    paths = os.pathsep.join([str(folder), str(ROOT / "tests")])
    environment = {**os.environ, "PYTHONPATH": paths}
    environment.pop("NUMBA_CACHE_DIR", None)  # the cache lies beside the sources
    command = [sys.executable, "-c", FIT_AND_HASH]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_process_that_compiles_fits_as_those_that_load(tmp_path):
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "lensml", tmp_path / "lensml", ignore=ignored)
    compiled = digest(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")}
    assert len(before) >= 6  # the next process has something to load
    assert digest(tmp_path) == compiled
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")} == before
    kernel = tmp_path / "lensml" / "fit" / "ray_kernel.py"
    text = kernel.read_text()
    changed = text.replace("SERIES_TOLERANCE = 1e-6", "SERIES_TOLERANCE = 1e-1")
    assert changed != text
    kernel.write_text(changed)  # an edit of a part is compiled
    assert digest(tmp_path) != compiled
