"""Where the substructure of test images is, and how well maps point at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lensml.data.files import write_csv
from lensml.data.store import Store, open_store
from lensml.evaluation.statistics.predictions import write_examples
from lensml.schema.encoders import NetworkInput
from lensml.simulate.convergence import substructure_convergence
from lensml.simulate.stored import domain_of, rendered_again, systems_of

# Of every map; "shuffled" measures against where other images have their substructure.
METRICS = ("auc_kappa", "auc_kappa_shuffled", "auc_difference")
IDENTITY = ("system_id", "index", "label")


def render_truth(
    stores: Sequence[str],
    truth: str,
    baselines: str,
    *,
    classes: Sequence[str],
    n_images: int,
    network_input: NetworkInput,
) -> None:
    """Write the truth of the first test images with substructure, and scores without a network.

    Args:
        stores: test stores, one per class.
        truth: npz with ``system_id``, ``index``, ``label`` (N,); ``image`` in units of the
            background's rms, ``kappa``, the convergence of the substructure alone, ``difference``,
            the noise-free image minus that of the same lens without substructure, in units of the
            noise's rms in the pixel, all (N, H, W) as cropped as the network's input;
            ``pixel_scale``, arcsec.
        baselines: CSV of :func:`score_rows`: the image's brightness as a map, and an even map.
        classes: names in the order of the stores, ``no_sub`` first.
        n_images: of every class with substructure.
        network_input: for the crop.
    """
    opened = [open_store(path) for path in stores]
    n = min(n_images, *map(len, opened))
    smooth, _ = rendered_again(opened[0], n)
    parts = []
    for name, store in zip(classes[1:], opened[1:], strict=True):
        parts.append({"label": np.full(n, name), **_truth_of(store, smooth, network_input)})
    arrays = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    scale = domain_of(opened[0]).instrument.pixel_scale
    write_examples(truth, pixel_scale=np.array(scale, float), **arrays)
    maps = {"brightness": arrays["image"], "uniform": np.zeros_like(arrays["image"])}
    write_csv(baselines, score_rows(maps, arrays), float_format="%.6g")


def _truth_of(store: Store, smooth: np.ndarray, spec: NetworkInput) -> dict[str, np.ndarray]:
    n, rows = len(smooth), np.arange(len(smooth))
    clean, variance = rendered_again(store, n)
    kappa = substructure_convergence(systems_of(store, 0, n), domain_of(store))
    pictures = {
        "image": store.image[rows] / store.truth["background_rms"][:n, None, None],
        "kappa": kappa,
        "difference": (clean.astype(float) - smooth) / np.sqrt(variance),
    }
    size = spec.img_size(kappa.shape[1])
    inner = slice((kappa.shape[1] - size) // 2, (kappa.shape[1] + size) // 2)
    galaxy = store.truth["source_galaxy"][:n]
    return {
        "system_id": store.truth["system_id"][:n],
        "index": rows,
        **({"group": galaxy} if (galaxy >= 0).all() else {}),
        **{k: v[:, inner, inner].astype(np.float32) for k, v in pictures.items()},
    }


def score_rows(maps: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """How well maps of the same images point at the truth.

    Args:
        maps: name -> (N, H, W).
        truth: the arrays of :func:`render_truth`, N images.

    Returns:
        Columns ``system_id``, ``index``, ``label``, ``method`` and ``METRICS``, and ``group``
        where sources are observed galaxies; N rows for every map.
    """
    kappa, difference = np.abs(truth["kappa"]), np.square(truth["difference"])
    elsewhere = _of_other_images(kappa, truth["label"])
    everywhere = np.ones_like(kappa)
    pairs = ((kappa, everywhere), (kappa, elsewhere), (difference, everywhere))
    identity = {key: truth[key] for key in (*IDENTITY, "group") if key in truth}
    tables = []
    for name, found in maps.items():
        scores = [pointing_auc(found, *pair) for pair in pairs]
        columns = dict(zip(METRICS, scores, strict=True))
        tables.append(pd.DataFrame({**identity, "method": name, **columns}))
    return pd.concat(tables, ignore_index=True)


def _of_other_images(weights: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Mean over the other images of the same class, each of sum one."""
    total = weights.sum((1, 2), keepdims=True)
    share = weights / np.where(total > 0, total, 1)
    out = np.empty_like(share)
    for name in np.unique(label):
        own = share[label == name]
        out[label == name] = (own.sum(0) - own) / (len(own) - 1)
    return out


def pointing_auc(maps: np.ndarray, positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Probability that a map is higher at a pixel of the truth than at another one.

    One pixel is drawn in proportion to the positive weights, one to the negative ones; ties count
    half. It is the area under the ROC curve of the map as a score of pixels with a truth that
    needs no threshold, as for saliency and gaze (Borji et al. 2013, IEEE TIP 22, 55): 0.5 for an
    even map.

    Args:
        maps: (N, H, W).
        positive, negative: (N, H, W), not negative.

    Returns:
        (N,), NaN for images without truth.
    """
    return np.array(
        [_auc(*map(np.ravel, row)) for row in zip(maps, positive, negative, strict=True)]
    )


def _auc(score: np.ndarray, positive: np.ndarray, negative: np.ndarray) -> float:
    if not (positive.any() and negative.any()):
        return np.nan
    _, level = np.unique(score, return_inverse=True)
    up, down = np.bincount(level, positive), np.bincount(level, negative)
    return float(up @ (np.cumsum(down) - down / 2) / (up.sum() * down.sum()))
