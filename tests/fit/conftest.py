"""Fixtures of the tests of fits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from toy.fits import SEED, fit_spec

from lensml.fit.smooth import SmoothFitter
from lensml.fit.starts import Reference, draw_reference
from lensml.schema.simulation import Domain


@pytest.fixture(scope="session")
def reference_of() -> Callable[[Domain], Reference]:
    """Factory: the library of a domain, drawn once."""
    drawn: dict[str, Reference] = {}

    def make(domain: Domain) -> Reference:
        key = domain.model_dump_json()
        if key not in drawn:
            drawn[key] = draw_reference(domain, n=fit_spec().n_reference, seed=SEED)
        return drawn[key]

    return make


@pytest.fixture(scope="session")
def bright(domain) -> Domain:
    """Varied lenses with a free slope and subtracted light, bright sources."""
    return domain("euclid_l1")


@pytest.fixture(scope="session")
def fitter(bright) -> SmoothFitter:
    return SmoothFitter(bright, fit_spec())
