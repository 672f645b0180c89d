"""Does the background tell the class? Pixels in which no class of a lens system has light."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lensml.data.store import Store
from lensml.evaluation.audit.data import FIT_SPLITS, PIECE, Dataset
from lensml.evaluation.audit.statistics import (
    Finding,
    boosted_trees,
    macro_area,
    permuted_standard_error,
    scores,
    split_systems,
    within,
)
from lensml.simulate.stored import arcs_again

DARK = 0.01  # background rms, below which no class may have light in a pixel of the background
MIN_PIXELS = 20  # dark ones, below which an image has no background


def background(data: Dataset) -> list[Finding]:
    """Do the pixels in which no class of a system has light tell the class?"""
    of_split, share, limit = [], [], data.spec.n_rendered
    for split in FIT_SPLITS:
        stores = data.stores[split]
        dark = dark_pixels(stores, limit)
        share.append(np.unpackbits(dark[0], axis=1).mean())
        of_split.append(
            [background_statistics(s, own) for s, own in zip(stores, dark, strict=True)]
        )
    features = [np.concatenate(pair) for pair in zip(*of_split, strict=True)]
    systems = data.pooled(lambda store: store.truth["system_id"][:limit])
    fit, measured = split_systems(features, systems, seed=data.seed)
    _, ids = split_systems([x[:, None] for x in systems], systems, seed=data.seed)
    p, label = scores(boosted_trees(), fit, measured)
    error = permuted_standard_error(p, label, np.concatenate(ids)[:, 0], seed=data.seed)
    allowed = data.spec.n_standard_errors * error
    note = f"{np.mean(share):.0%} of the pixels; labels exchanged within systems"
    n = min(len(x) for x in measured)
    return [within("background_auc", macro_area(p, label), 0.5, allowed, n, note)]


def dark_pixels(stores: Sequence[Store], limit: int) -> list[np.ndarray]:
    """Pixels in which no class of a system has light, for every image of every class.

    Substructure moves the light of arcs, and heavy substructure moves it far. What is dark in
    every class of a system is rendered again, from its truth and without noise, and no physics of
    the lens can tell the classes apart there.

    Args:
        stores: one per class, of one split.
        limit: of the images of a class, which are its first.

    Returns:
        For every class (N, bytes): the pixels of an image as packed bits, the same for all images
        of a system.
    """
    dark = [_dark(store, limit) for store in stores]
    ids = [store.truth["system_id"][:limit] for store in stores]
    systems, place = np.unique(np.concatenate(ids), return_inverse=True)
    places = np.split(place, np.cumsum([len(x) for x in ids])[:-1])
    common = np.full((len(systems), dark[0].shape[1]), 255, np.uint8)
    for where, own in zip(places, dark, strict=True):
        common[where] &= own
    return [common[where] for where in places]


def _dark(store: Store, limit: int) -> np.ndarray:
    """Pixels without light in the first of a class's own images, (N, bytes)."""
    found, n = [], min(len(store), limit)
    for start in range(0, n, PIECE):
        stop = min(start + PIECE, n)
        rms = store.truth["background_rms"][start:stop, None, None]
        faint = arcs_again(store, start, stop) < DARK * rms
        found.append(np.packbits(faint.reshape(stop - start, -1), axis=1))
    return np.concatenate(found)


def background_statistics(store: Store, dark: np.ndarray) -> np.ndarray:
    """Statistics of the dark pixels in units of the background's rms.

    Args:
        store: of any class.
        dark: (N, bytes) of :func:`dark_pixels`, of the first N images.

    Returns:
        (N, 8): mean, spread, skewness, kurtosis, extremes, products of neighbours on either axis;
        NaN for an image with hardly a dark pixel.
    """
    found, (height, width) = [], store.image.shape[1:]
    for start in range(0, len(dark), PIECE):
        rows = np.arange(start, min(start + PIECE, len(dark)))
        z = store.image[rows] / store.truth["background_rms"][rows, None, None]
        mask = np.unpackbits(dark[rows], axis=1, count=height * width).astype(bool)
        found.append(_statistics(z, mask.reshape(z.shape)))
    return np.concatenate(found)


def _statistics(z: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Statistics of the chosen pixels of (n, H, W) images, (n, 8)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = _mean(z, mask)
        off = z - mean[:, None, None]
        spread = np.sqrt(_mean(off**2, mask))
        scaled = off / np.where(spread > 0, spread, 1)[:, None, None]
        columns = [mean, spread, _mean(scaled**3, mask), _mean(scaled**4, mask)]
        columns += [np.where(mask, z, np.inf).min((1, 2)), np.where(mask, z, -np.inf).max((1, 2))]
        columns += [_mean(z[:, :, 1:] * z[:, :, :-1], mask[:, :, 1:] & mask[:, :, :-1])]
        columns += [_mean(z[:, 1:] * z[:, :-1], mask[:, 1:] & mask[:, :-1])]
    statistics = np.stack(columns, axis=1)
    statistics[mask.sum((1, 2)) < MIN_PIXELS] = np.nan
    return statistics


def _mean(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.where(mask, values, 0).sum((1, 2)) / mask.sum((1, 2))
