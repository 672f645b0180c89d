"""Fixtures of the tests that run Snakemake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from toy.fits import fit_spec, simulated
from toy.shared import folder_of_all, made_once

from lensml.fit.smooth import SmoothFitter
from lensml.fit.starts import draw_reference
from lensml.schema.simulation import Domain
from lensml.simulate.render import render
from lensml.simulate.systems import draw_systems


@pytest.fixture(scope="session", autouse=True)
def compiled_kernel(
    tmp_path_factory: pytest.TempPathFactory, domain: Callable[..., Domain]
) -> None:
    """The kernels in the cache of this checkout, which jobs side by side would each compile."""

    def compile_it(_: Path) -> None:
        systems = draw_systems(domain(), "cdm", seed=1, split="val", start=0, stop=1)
        render(systems, domain(), engine="numba", precision="float32")
        reference = draw_reference(domain(), n=4, seed=1)
        list(SmoothFitter(domain(), fit_spec()).fit(simulated(domain(), "cdm", 1)[1], reference))

    made_once(folder_of_all(tmp_path_factory) / "kernel", compile_it)
