"""Stores do not depend on the processor: the same bytes with the oldest and the newest vectors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lensml.data.store import open_store
from lensml.simulate.stored import rendered_again

CLASSES = ("no_sub", "cdm", "vortex")
DOMAINS = ("hst", "euclid_realistic", "model_iv")
# Of numpy, numba and OpenBLAS. What numpy cannot do without, or does not know, stays as it is.
OLDEST = {
    "NUMBA_CPU_NAME": "generic",
    "NUMBA_CPU_FEATURES": "",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX2 FMA3 AVX512F AVX512_SKX ASIMDDP SVE",
    "OPENBLAS_CORETYPE": "Nehalem",
}
SCRIPT = """
import json, sys, warnings
from pathlib import Path
warnings.filterwarnings("ignore", message=".*CPU.*features.*")  # numpy, of features it has not
from lensml.schema.simulation import Domain
from lensml.simulate.dataset import seal_dataset, simulate_block
folder, domains = Path(sys.argv[1]), json.loads(sys.argv[2])
for content in domains:
    domain = Domain.model_validate(content)
    for substructure in ("no_sub", "cdm", "vortex"):
        store = folder / domain.name / substructure / "test.zarr"
        part = store.with_name("test.parts") / "0.npz"
        given = {"domain": domain, "substructure": substructure, "split": "test", "seed": 1}
        given |= {"images_per_block": 6, "engine": "numba", "precision": "float32"}
        simulate_block(store / "image" / "c" / "0" / "0" / "0", part, start=0, stop=6, **given)
        seal_dataset(store, [part], n_images=6, **given)
from lensml.simulate.kernel import trace
print(json.dumps(any("ymm" in code for code in trace.inspect_asm().values())))
"""


@pytest.fixture(scope="module")
def stores(domain, tmp_path_factory):
    """Folders of stores made with this processor's instructions and with the oldest ones."""
    folder = tmp_path_factory.mktemp("processors")
    content = json.dumps([domain(name).model_dump(mode="json") for name in DOMAINS])
    wide = {}
    for name, variables in (("here", {}), ("oldest", OLDEST)):
        env = {**os.environ, "NUMBA_CACHE_DIR": str(folder / f"cache {name}"), **variables}
        command = [sys.executable, "-c", SCRIPT, str(folder / name), content]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        wide[name] = json.loads(done.stdout)
    assert not wide["oldest"]
    return folder, wide["here"]


@pytest.mark.slow
def test_images_are_the_same_bytes_with_any_instructions(stores):
    folder, wide = stores
    if not wide:
        pytest.skip("this processor has no wider vectors than the oldest one")
    chunks = sorted(
        path.relative_to(folder / "here") for path in folder.glob("here/*/*/*/image/c/0/0/0")
    )
    assert len(chunks) == len(DOMAINS) * len(CLASSES)
    for chunk in chunks:
        assert (folder / "here" / chunk).read_bytes() == (folder / "oldest" / chunk).read_bytes()


@pytest.mark.slow
def test_truth_agrees_to_the_rounding_of_a_double_with_any_instructions(stores):
    """Logarithms and powers of numpy differ in their last bit."""
    folder, _ = stores
    for name in DOMAINS:
        for substructure in CLASSES:
            where = Path(name) / substructure / "test.zarr"
            here, oldest = (open_store(folder / k / where) for k in ("here", "oldest"))
            for column, values in here.truth.items():
                np.testing.assert_allclose(oldest.truth[column], values, rtol=1e-13)


@pytest.mark.slow
def test_stores_agree_to_a_thousandth_of_the_noise_with_any_instructions(stores):
    """What is promised of processors that were not tried."""
    folder, _ = stores
    for name in DOMAINS:
        for substructure in CLASSES:
            where = Path(name) / substructure / "test.zarr"
            here, oldest = (open_store(folder / k / where) for k in ("here", "oldest"))
            _, variance = rendered_again(here, 6)
            off = here.image[np.arange(6)] - oldest.image[np.arange(6)]
            assert np.abs(off / np.sqrt(variance)).max() < 1e-3
