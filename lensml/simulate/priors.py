"""Draws from the priors of a population file."""

from __future__ import annotations

import numpy as np

from lensml.schema.priors import (
    Annulus,
    CountPrior,
    Disc,
    DiscThetaE,
    LogNormal,
    LogUniform,
    Normal,
    Poisson,
    Position,
    Prior,
    Uniform,
)


def draw(prior: Prior, rng: np.random.Generator) -> float:
    """One value of a scalar prior, in the prior's own unit."""
    match prior:
        case Uniform():
            return float(rng.uniform(prior.low, prior.high))
        case LogUniform():
            return float(np.exp(rng.uniform(np.log(prior.low), np.log(prior.high))))
        case Normal():
            return _draw_normal(prior, rng)
        case LogNormal():
            return _draw_log_normal(prior, rng)
        case _:
            return float(prior)


def _draw_normal(prior: Normal, rng: np.random.Generator) -> float:
    low = -np.inf if prior.low is None else prior.low
    high = np.inf if prior.high is None else prior.high
    while True:
        value = rng.normal(prior.mean, prior.std)
        value = abs(value) if prior.absolute else value
        if low <= value <= high:
            return float(value)


def _draw_log_normal(prior: LogNormal, rng: np.random.Generator) -> float:
    while True:
        value = prior.median * 10.0 ** rng.normal(0.0, prior.std_dex)
        if prior.low <= value <= prior.high:
            return float(value)


def draw_count(prior: CountPrior, rng: np.random.Generator) -> int:
    """One value of a count prior."""
    return int(rng.poisson(prior.mean)) if isinstance(prior, Poisson) else int(prior)


def draw_positions(
    position: Position, n: int, rng: np.random.Generator, *, theta_E: float = 1.0
) -> np.ndarray:
    """Positions about the origin.

    Args:
        position: shape and size of the region.
        n: how many.
        rng: source of randomness.
        theta_E: arcsec, unit of a region that is measured in Einstein radii.

    Returns:
        (n, 2) arcsec.
    """
    u, v = rng.random(n), rng.random(n)
    match position:
        case Disc():
            radius, phi = position.radius * np.sqrt(u), 2 * np.pi * v
        case DiscThetaE():
            radius, phi = theta_E * position.radius * np.sqrt(u), 2 * np.pi * v
        case Annulus():
            radius, phi = position.r_min + (position.r_max - position.r_min) * u, 2 * np.pi * v
        case _:
            return position.half_width * np.stack([2 * u - 1, 2 * v - 1], axis=1)
    xy = np.empty((n, 2))
    xy[:, 0], xy[:, 1] = radius * np.cos(phi), radius * np.sin(phi)
    return xy
