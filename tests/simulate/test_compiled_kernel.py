"""The kernel's cache: the same bytes, and an edit is compiled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from toy.configuration import CONFIG_DIR, ROOT

IGNORED = shutil.ignore_patterns("__pycache__")
RENDER_AND_HASH = """
import hashlib, sys
from pathlib import Path
from lensml.schema import load_config
from lensml.schema.yaml_reader import read_yaml
from lensml.simulate.render import render
from lensml.simulate.systems import draw_systems
folder = Path(sys.argv[1])
file = folder / "config.yaml"
merged = {**read_yaml(file), "domains": ["euclid", "hst", "euclid_realistic"]}
config = load_config(merged, catalogue_dir=folder / "catalogue", files=[file])
digest = hashlib.sha256()
for name in ("euclid", "euclid_realistic"):
    camera = config.domain(name).model_copy(update={"num_pix": 24, "supersampling_factor": 3})
    for substructure in ("no_sub", "cdm", "vortex"):
        systems = draw_systems(camera, substructure, seed=1, split="val", start=0, stop=4)
        digest.update(render(systems, camera, engine="numba", precision="float32").tobytes())
print(digest.hexdigest())
"""


def test_the_process_that_compiles_renders_the_same_bytes_as_those_that_load(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, "-c", RENDER_AND_HASH, str(CONFIG_DIR)]
    digests = [
        subprocess.run(
            command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout
        for _ in range(2)
    ]
    assert any((tmp_path / "cache").rglob("*.nbi"))  # the second run had something to load
    assert digests[0] == digests[1] != ""


def test_an_edit_of_any_part_of_the_kernel_is_compiled(tmp_path):
    shutil.copytree(ROOT / "lensml", tmp_path / "lensml", ignore=IGNORED)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    environment["PYTHONPATH"] = str(tmp_path)
    code = RENDER_AND_HASH.replace('("euclid", "euclid_realistic")', '("euclid",)')  # refined
    command = [sys.executable, "-c", code, str(CONFIG_DIR)]
    light, digests = tmp_path / "lensml" / "simulate" / "light_kernel.py", []
    for _ in range(2):
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, check=True, capture_output=True, text=True
        )
        digests.append(done.stdout)
        light.write_text(light.read_text().replace("MAX_MISS = 0.003", "MAX_MISS = 1.0"))
    assert digests[0] != digests[1]
