"""Pixels without data: not finite, or areas that were filled with one value."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

BLOCK = 3  # pixels per side of an area of one value that no noise makes
RUN = 17  # pixels of a row or column of one value
NEAR = 1.5  # pixels: width of the mean of its neighbours that stands for a missing pixel
LIGHT = 0.02  # of such a mean's weight: with less, no neighbour is near


def without_data(image: np.ndarray) -> np.ndarray:
    """Pixels that hold no data, (H, W) bool.

    Those are the ones that are not finite, and connected areas of exactly one value that hold a
    block or a long row or column of it: the zeros beyond a detector's edge, a saturated core.

    Args:
        image: (H, W).
    """
    missing = ~np.isfinite(image)
    # No window with a missing pixel is of one value.
    odd = np.indices(image.shape).sum(0) % 2
    known = np.where(missing, np.where(odd, np.inf, -np.inf), image)
    even = np.zeros(image.shape, bool)
    for window in ((BLOCK, BLOCK), (1, RUN), (RUN, 1)):
        window = tuple(min(n, size) for n, size in zip(window, image.shape, strict=True))
        high = ndimage.maximum_filter(known, window, mode="nearest")
        even |= (high == ndimage.minimum_filter(known, window, mode="nearest")) & ~missing
    for value in np.unique(known[even]):
        labelled: Any = ndimage.label(known == value)
        labels = labelled[0]
        missing |= np.isin(labels, np.unique(labels[even & (known == value)]))
    return missing


def filled(image: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """An image whose missing pixels are the mean of their neighbours, 0 where these are far.

    Args:
        image: (H, W), background 0.
        missing: (H, W) bool.
    """
    known = np.where(missing, 0.0, image)
    weight = ndimage.gaussian_filter(1.0 - missing, NEAR)
    mean = ndimage.gaussian_filter(known, NEAR) / np.maximum(weight, LIGHT)
    return np.where(missing, np.where(weight > LIGHT, mean, 0.0), image)
