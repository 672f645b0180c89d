"""Observed galaxies as sources: their images, cleaned, and which split may use which."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from lensml.schema.simulation import SPLITS

FOLDER = Path(__file__).parent / "galaxies"
SMOOTHING_PIXELS = 2.0  # before a galaxy is told from the sky
THRESHOLD = 3.0  # of the smoothed image, in standard deviations of the sky
EDGE_PIXELS = 3.0  # over which the light fades into nothing
SPLIT_SHARES = {"train": 0.7, "val": 0.15, "test": 0.15}


class Galaxies(NamedTuple):
    """Cleaned galaxies.

    Attributes:
        image: (G, n, n) float64, each of sum 1.
        half_light_radius: (G,) pixels, of a circle about the centre of the cut-out.
        source_id: (G,) names in the survey.
    """

    image: np.ndarray
    half_light_radius: np.ndarray
    source_id: np.ndarray


@lru_cache(maxsize=4)
def load_galaxies(name: str) -> Galaxies:
    """Galaxies of a file in ``lensml/simulate/galaxies``.

    Raises:
        ValueError: a cut-out has no galaxy at its centre.
    """
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as content:
        raw = content["image"].astype(float)
        ids = content["source_id"]
    images = np.stack([_clean(image, str(i)) for image, i in zip(raw, ids, strict=True)])
    radii = np.array([_half_light_radius(image) for image in images])
    return Galaxies(images, radii, ids)


def _clean(image: np.ndarray, name: str) -> np.ndarray:
    """The central galaxy alone: sky subtracted, neighbours and noise around it removed."""
    border = np.concatenate([image[:8].ravel(), image[-8:].ravel()])
    sky = np.median(border)
    smooth = ndimage.gaussian_filter(image - sky, SMOOTHING_PIXELS)
    edge = np.concatenate([smooth[:8].ravel(), smooth[-8:].ravel()])
    # The median absolute deviation does not mind a neighbour on the border.
    spread = 1.4826 * np.median(np.abs(edge - np.median(edge)))
    labels = np.zeros(image.shape, np.int32)
    ndimage.label(smooth > THRESHOLD * spread, output=labels)
    n = image.shape[0]
    central = labels[n // 2, n // 2]
    if central == 0:
        raise ValueError(f"galaxy {name}: nothing brighter than the sky at the centre")
    distance = ndimage.distance_transform_edt(labels != central)
    fade = np.clip(1 - np.asarray(distance) / EDGE_PIXELS, 0, 1)
    inside = np.hypot(*(np.indices(image.shape) - (n - 1) / 2)) < n / 2 - 1
    kept = np.clip((image - sky) * fade * inside, 0, None)
    return kept / kept.sum()


def _half_light_radius(image: np.ndarray) -> float:
    radius = np.hypot(*(np.indices(image.shape) - (image.shape[0] - 1) / 2)).ravel()
    order = np.argsort(radius)
    return float(radius[order][np.searchsorted(np.cumsum(image.ravel()[order]), 0.5)])


def galaxies_of_split(name: str, split: str) -> np.ndarray:
    """Indices of the galaxies that a split may use; no galaxy is in two splits.

    The order of the galaxies is a fixed permutation, so that the split depends on nothing else.
    """
    n = len(load_galaxies(name).image)
    order = np.random.default_rng(n).permutation(n)
    edges = np.round(np.cumsum([0, *(SPLIT_SHARES[s] for s in SPLITS)]) * n).astype(int)
    k = SPLITS.index(split)
    return order[edges[k] : edges[k + 1]]
