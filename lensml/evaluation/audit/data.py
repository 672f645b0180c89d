"""What the audit reads from stores: parameters, statistics of images, layout."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import kurtosis, skew

from lensml.data.images import stretch
from lensml.data.store import Store
from lensml.evaluation.classification.baselines import radial_profile
from lensml.physics.ellipticity import phi_q
from lensml.schema.encoders import NetworkInput
from lensml.simulate.axes import pixel_axis
from lensml.simulate.stored import domain_of

OF_THE_CLASS = ("substructure", "perturber_profile")  # attributes that may differ between classes
PIECE = 500  # images at a time


def axis_ratio(truth: Mapping[str, np.ndarray]) -> np.ndarray:
    """Axis ratio of every lens, (N,)."""
    pairs = zip(truth["e1"], truth["e2"], strict=True)
    return np.array([phi_q(e1, e2)[1] for e1, e2 in pairs])


def background_statistics(store: Store, radius: float) -> np.ndarray:
    """Statistics of the pixels far from the lens in units of the background's rms.

    Args:
        store: of any class.
        radius: arcsec beyond which pixels count; in a smaller field nine tenths of its half width.

    Returns:
        (N, 8): mean, spread, skewness, kurtosis, extremes, products of neighbours on either axis.
    """
    axis = pixel_axis(store.image.shape[1], domain_of(store).instrument.pixel_scale)
    far = np.hypot(axis[:, None], axis) > min(radius, 0.9 * axis[-1])
    right, down = far[:, 1:] & far[:, :-1], far[1:] & far[:-1]
    found = []
    for start in range(0, len(store), PIECE):
        rows = np.arange(start, min(start + PIECE, len(store)))
        z = store.image[rows] / store.truth["background_rms"][rows, None, None]
        corner = z[:, far]
        columns = [corner.mean(1), corner.std(1), _shape(skew, corner), _shape(kurtosis, corner)]
        columns += [corner.min(1), corner.max(1)]
        columns += [(z[:, :, 1:] * z[:, :, :-1])[:, right].mean(1)]
        columns += [(z[:, 1:] * z[:, :-1])[:, down].mean(1)]
        found.append(np.stack(columns, axis=1))
    return np.concatenate(found)


def _shape(moment: Any, values: np.ndarray) -> np.ndarray:
    """A normalised moment, zero where nothing varies."""
    spread = values.std(1) > 0
    out = np.zeros(len(values))
    if spread.any():
        out[spread] = moment(values[spread], axis=1)
    return out


def image_profiles(store: Store, spec: NetworkInput, limit: int) -> np.ndarray:
    """Radial profiles of the first images on the network's scale, (min(N, limit), 26)."""
    found = []
    n = min(len(store), limit)
    for start in range(0, n, PIECE):
        rows = np.arange(start, min(start + PIECE, n))
        images = stretch(store.image[rows], store.truth["background_rms"][rows], spec)
        found.append(radial_profile(images))
    return np.concatenate(found)


def layout_differences(stores: Sequence[Store]) -> list[str]:
    """What differs between the files of classes: attributes, shapes, chunks, types, codecs."""
    first, *others = [_layout(store) for store in stores]
    return sorted(
        {key for o in others for key in first.keys() | o.keys() if first.get(key) != o.get(key)}
    )


def _layout(store: Store) -> dict[str, Any]:
    """Metadata of a store, without what the class itself decides."""
    found = {k: v for k, v in store.attributes.items() if k not in OF_THE_CLASS}
    found["units"] = store.attributes["units"]["truth"]
    found["image"] = json.loads((store.path / "image" / "zarr.json").read_text())
    for file in sorted((store.path / "truth").glob("*/zarr.json")):
        found[f"truth/{file.parent.name}"] = json.loads(file.read_text())
    return found
