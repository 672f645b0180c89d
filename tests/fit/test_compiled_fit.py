"""The cache of the compiled kernels: the process that compiles finds the same bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from toy.configuration import ROOT

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


KEYS = """
from lensml.fit.descent_kernel import descend
from lensml.fit.kernel import model_maps
from lensml.fit.potential_kernel import explain
from lensml.fit.statistics_kernel import measure
for kernel in (descend, model_maps, explain, measure):
    print(*(cell.cell_contents for cell in kernel.py_func.__closure__))
"""


def run(folder: Path, script: str) -> str:
    """What a script prints in a new process with the package in a folder and its cache."""
    paths = os.pathsep.join([str(folder), str(ROOT / "tests")])
    environment = {**os.environ, "PYTHONPATH": paths}
    environment.pop("NUMBA_CACHE_DIR", None)  # the cache lies beside the sources
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("compiled")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "lensml", folder / "lensml", ignore=ignored)
    return folder


@pytest.mark.slow
def test_the_process_that_compiles_fits_as_those_that_load(package):
    compiled = run(package, FIT_AND_HASH)
    before = {path: path.stat().st_mtime_ns for path in package.rglob("*.nbc")}
    assert len(before) >= 6  # the next process has something to load
    assert run(package, FIT_AND_HASH) == compiled
    assert {path: path.stat().st_mtime_ns for path in package.rglob("*.nbc")} == before


@pytest.mark.parametrize(
    ("part", "changed"),
    [
        ("fit/ray_kernel.py", [True, True, False, False]),
        ("fit/camera_kernel.py", [True, True, False, False]),
        ("fit/linear_kernel.py", [True, True, True, True]),
        ("fit/kernel.py", [True, False, False, False]),  # its own file is in its key anyway
        ("fit/wave_kernel.py", [False, False, True, False]),
        ("simulate/light_kernel.py", [True, True, False, False]),
        ("simulate/vector_math.py", [True, True, False, False]),
    ],
)
def test_an_edit_of_any_part_of_a_kernel_is_compiled(package, tmp_path, part, changed):
    shutil.copytree(package / "lensml", tmp_path / "lensml")
    before = run(tmp_path, KEYS).splitlines()
    file = tmp_path / "lensml" / part
    file.write_text(file.read_text() + "\n# edited\n")
    after = run(tmp_path, KEYS).splitlines()
    # What is in a module and belongs to no function of it is not part of its functions' source.
    assert [a != b for a, b in zip(after, before, strict=True)] == changed
