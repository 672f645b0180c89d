"""Fixtures of the tests of the simulator."""

from __future__ import annotations

import pytest
from toy.systems import N

from lensml.simulate.systems import Systems, draw_systems

CLASSES = ["no_sub", "cdm", "vortex"]
SEED = 11


@pytest.fixture(scope="module")
def varied(domain) -> dict[str, Systems]:
    euclid = domain("euclid")
    return {c: draw_systems(euclid, c, seed=SEED, split="train", start=0, stop=N) for c in CLASSES}
