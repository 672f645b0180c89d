"""The kernel's cache: the same bytes, and an edit is compiled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from toy.configuration import ROOT

pytestmark = pytest.mark.slow  # compiles the kernel three times

RENDER_AND_HASH = """
import hashlib, sys
from toy.configuration import configured
from lensml.simulate.render import render
from lensml.simulate.systems import draw_systems
config = configured({"domains": ["euclid", "hst", "euclid_realistic"]})
for name in sys.argv[1:]:
    camera = config.domain(name).model_copy(update={"num_pix": 24, "supersampling_factor": 3})
    digest = hashlib.sha256()
    for substructure in ("no_sub", "cdm", "vortex"):
        systems = draw_systems(camera, substructure, seed=1, split="val", start=0, stop=4)
        digest.update(render(systems, camera, engine="numba", precision="float32").tobytes())
    print(name, digest.hexdigest())
"""


def digests(folder: Path, *domains: str) -> list[str]:
    """Checksums of what a new process renders with the package in a folder and its cache."""
    paths = os.pathsep.join([str(folder), str(ROOT / "tests")])
    environment = {**os.environ, "PYTHONPATH": paths}
    environment.pop("NUMBA_CACHE_DIR", None)  # the cache lies beside the sources
    command = [sys.executable, "-c", RENDER_AND_HASH, *domains]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def caches(folder: Path) -> list[Path]:
    return list(folder.rglob("*.nbc"))


@pytest.fixture(scope="module")
def compiled(tmp_path_factory) -> tuple[Path, list[str]]:
    """A folder with a copy of the package, and what the process that compiled it rendered."""
    folder = tmp_path_factory.mktemp("compiled")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "lensml", folder / "lensml", ignore=ignored)
    assert not caches(folder)
    return folder, digests(folder, "euclid", "euclid_realistic")  # without halos and with them


def test_the_process_that_compiles_renders_the_same_bytes_as_those_that_load(compiled):
    folder, rendered = compiled
    before = {path: path.stat().st_mtime_ns for path in caches(folder)}
    assert len(before) == 2  # the second process has something to load
    assert digests(folder, "euclid", "euclid_realistic") == rendered
    assert {path: path.stat().st_mtime_ns for path in caches(folder)} == before
    assert len(rendered) == 2


def test_an_edit_of_any_part_of_the_kernel_is_compiled(compiled, tmp_path):
    folder, (rendered, _) = compiled
    shutil.copytree(folder / "lensml", tmp_path / "lensml")  # with its cache
    assert digests(tmp_path, "euclid") == [rendered]
    assert len(caches(tmp_path)) == 2
    light = tmp_path / "lensml" / "simulate" / "light_kernel.py"
    light.write_text(light.read_text().replace("MAX_MISS = 0.0015", "MAX_MISS = 1.0"))
    assert digests(tmp_path, "euclid") != [rendered]  # which is refined there
