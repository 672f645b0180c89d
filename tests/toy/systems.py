"""Lens systems built by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from lensml.schema.simulation import Domain
from lensml.simulate.axes import pixel_axis, ray_axis
from lensml.simulate.systems import INTEGER_COLUMNS, TRUTH_UNITS, Systems

N = 800  # systems of the default run that statistics are made of


def positions(rng: np.random.Generator, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Random positions in a field of 6 arcsec, the origin among them."""
    x, y = rng.uniform(-3, 3, (2, n))
    x[0] = y[0] = 0.0
    return x, y


def random_systems(rng: np.random.Generator, domain: Domain, profile: str, n: int) -> Systems:
    """Lenses as hard as the kernel must take them: exact symmetry, cusps, masses on rays."""
    truth = {name: np.zeros(n) for name in TRUTH_UNITS}
    for prefix in ("", "source_"):
        modulus = np.where(rng.random(n) < 0.5, rng.uniform(0, 0.3, n), 0.0)
        modulus[::7], modulus[1::7] = 1e-6, 0.3
        phi = rng.uniform(0, 2 * np.pi, n)
        truth[f"{prefix}e1"] = modulus * np.cos(phi)
        truth[f"{prefix}e2"] = modulus * np.sin(phi)
    truth["theta_E"] = rng.uniform(0.5, 1.4, n)
    truth["gamma"][:], truth["source_galaxy"][:] = 2.0, -1
    truth["center_x"], truth["center_y"] = rng.normal(0, 0.05, (2, n)) * (rng.random(n) < 0.7)
    truth["gamma1"], truth["gamma2"] = rng.normal(0, 0.05, (2, n))
    truth["source_amp"] = 10 ** rng.uniform(-2, 2, n)
    truth["source_R_sersic"] = rng.uniform(0.1, 0.5, n)
    truth["source_n_sersic"] = rng.uniform(0.5, 4.0, n)
    truth["source_n_sersic"][:2] = 0.5, 4.0
    truth["source_center_x"], truth["source_center_y"] = rng.uniform(-0.35, 0.35, (2, n))
    truth["z_lens"][:], truth["z_source"][:] = 0.5, 1.0
    counts = rng.choice([0, 1, 25, 100] if profile == "POINT_MASS" else [0, 1, 2, 3], n)
    return Systems(
        profile=profile,
        truth={k: v.astype(np.int64) if k in INTEGER_COLUMNS else v for k, v in truth.items()},
        offset=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        perturbers=random_perturbers(rng, domain, profile, int(counts.sum())),
    )


def random_perturbers(
    rng: np.random.Generator, domain: Domain, profile: str, n: int
) -> dict[str, np.ndarray]:
    """A third of the perturbers lies on pixel centres, a third on ray positions."""
    pixels = pixel_axis(domain.num_pix, domain.instrument.pixel_scale)
    xy = rng.uniform(-1.6, 1.6, (n, 2))
    kind = rng.integers(0, 3, n)
    for value, nodes in ((1, pixels), (2, ray_axis(domain))):
        xy[kind == value] = rng.choice(nodes, ((kind == value).sum(), 2))
    columns = {
        "mass": np.ones(n),
        "center_x": xy[:, 0],
        "center_y": xy[:, 1],
        "theta_E": 10 ** rng.uniform(-3, -0.6, n),
    }
    if profile == "LINE_MASS":
        columns["length"] = 10 ** rng.uniform(-1.5, 1, n)
        columns["core"] = rng.uniform(0.03, 0.4, n)
        columns["angle"] = rng.uniform(0, np.pi, n)
    return columns


def subset(systems: Systems, i: int) -> Systems:
    """System ``i`` alone."""
    rows = slice(int(systems.offset[i]), int(systems.offset[i + 1]))
    return Systems(
        profile=systems.profile,
        truth={name: column[i : i + 1] for name, column in systems.truth.items()},
        offset=systems.offset[i : i + 2] - systems.offset[i],
        perturbers={name: column[rows] for name, column in systems.perturbers.items()},
    )


def truncated_normal(mean: float, std: float, low: float, high: float) -> Any:
    return stats.truncnorm((low - mean) / std, (high - mean) / std, loc=mean, scale=std)
