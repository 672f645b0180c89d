"""Draws follow their priors."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy import stats
from toy.systems import truncated_normal

from lensml.schema.priors import Position, Prior
from lensml.simulate.priors import draw, draw_count, draw_positions

# Statistical tests run on fixed seeds. A right sampler fails one seed in 10,000.
P_VALUE = 1e-4


@pytest.mark.parametrize(
    ("prior", "law"),
    [
        ({"dist": "uniform", "low": -2.0, "high": 3.0}, stats.uniform(-2, 5)),
        ({"dist": "log_uniform", "low": 10.0, "high": 1e3}, stats.loguniform(10, 1e3)),
        ({"dist": "normal", "mean": 1.0, "std": 0.5}, stats.norm(1, 0.5)),
        (
            {"dist": "normal", "mean": 1.3, "std": 0.1, "low": 1.2, "high": 1.6},
            truncated_normal(1.3, 0.1, 1.2, 1.6),
        ),
        (
            {"dist": "normal", "mean": 0.1, "std": 0.1, "absolute": True},
            stats.foldnorm(1, scale=0.1),
        ),
    ],
)
def test_draws_follow_their_prior(prior, law):
    prior = TypeAdapter(Prior).validate_python(prior)
    rng = np.random.default_rng(12)
    values = [draw(prior, rng) for _ in range(4000)]
    assert stats.kstest(values, law.cdf).pvalue > P_VALUE


def test_a_number_is_a_prior_that_never_varies():
    assert draw(0.25, np.random.default_rng(0)) == 0.25
    assert draw_count(25, np.random.default_rng(0)) == 25


@pytest.mark.parametrize(
    ("position", "cdf"),
    [
        ({"shape": "disc", "radius": 2.0}, lambda r: np.clip(r / 2, 0, 1) ** 2),
        # The published halos: uniform in radius, not in area.
        (
            {"shape": "annulus", "r_min": 0.25, "r_max": 2.0},
            lambda r: np.clip((r - 0.25) / 1.75, 0, 1),
        ),
    ],
)
def test_positions_follow_their_radial_law_in_every_direction(position, cdf):
    position = TypeAdapter(Position).validate_python(position)
    xy = draw_positions(position, 4000, np.random.default_rng(13))
    assert stats.kstest(np.hypot(*xy.T), cdf).pvalue > P_VALUE
    turn = np.arctan2(xy[:, 1], xy[:, 0]) / (2 * np.pi) + 0.5
    assert stats.kstest(turn, stats.uniform.cdf).pvalue > P_VALUE


def test_positions_fill_their_square():
    position = TypeAdapter(Position).validate_python({"shape": "square", "half_width": 0.35})
    xy = draw_positions(position, 4000, np.random.default_rng(14))
    for axis in xy.T:
        assert stats.kstest(axis, stats.uniform(-0.35, 0.7).cdf).pvalue > P_VALUE
    assert abs(np.corrcoef(xy.T)[0, 1]) < 4 / np.sqrt(4000)  # four standard errors
