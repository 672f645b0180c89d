"""Attribution maps of a classifier's test images, scored against the substructure, and a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from lensml.data.files import write_csv
from lensml.data.torch_dataset import Images
from lensml.evaluation.attribution.truth import score_rows
from lensml.evaluation.statistics.predictions import write_examples
from lensml.models.attribution import grad_cam, over_symmetries, rollout
from lensml.models.encoders import Classifier, build_classifier
from lensml.schema.attribution import MapSpec, methods_of
from lensml.schema.encoders import Encoder
from lensml.training.classification.run import load_classifier
from lensml.training.engine.device import prepare_device
from lensml.training.engine.prediction import PREDICTION_BATCH
from lensml.training.engine.setting import Setting

REFERENCE = "brightness"  # what every map is compared with, image by image
NOTE = (
    "auc_kappa: probability that the map is higher at a pixel drawn in proportion to the "
    "convergence of the image's own substructure than at any pixel; auc_kappa_shuffled: than at a "
    "pixel drawn in proportion to the mean convergence of the other images' substructure, which "
    "a map that follows the lens alone cannot exceed 0.5 in; auc_difference: as auc_kappa for the "
    "squared change that the substructure makes to the image over the noise variance. gain: "
    "paired difference from the image's brightness as a map. untrained: the same network with "
    "weights as they are before training. smooth: the map that the trained network has of the "
    "same lens without substructure, for the same class. Maps are of the true class."
)
Method = Callable[[Tensor, Tensor], Tensor]


def map_classifier(
    stores: Sequence[str],
    truth: str,
    weights: str,
    predictions: str,
    scores: str,
    examples: str,
    *,
    classes: Sequence[str],
    encoder: Encoder,
    spec: MapSpec,
    symmetry: str,
    setting: Setting,
) -> None:
    """Score a classifier's maps of the first test images of every class with substructure.

    Every map explains the true class, whatever was predicted: the truth that it is compared with
    is that class's substructure.

    Args:
        stores: test stores, one per class.
        truth: of :func:`lensml.evaluation.attribution.truth.render_truth`.
        weights: of the classifier.
        predictions: its predictions.csv.
        scores: CSV of :func:`lensml.evaluation.attribution.truth.score_rows` with the methods
            ``<method>``, ``<method>_untrained`` and ``<method>_smooth`` (see ``NOTE``).
        examples: npz for a figure: the truth's arrays, ``map_<method>`` and ``probability`` of
            the true class, first images of every class.
        classes: names in the order of the stores, ``no_sub`` first.
        encoder: architecture.
        spec: methods and sizes.
        symmetry: averaged over; 'none' for a single pass.
        setting: see :class:`lensml.training.engine.setting.Setting`.

    Raises:
        ValueError: the encoder has no spatial map.
    """
    with np.load(truth, allow_pickle=False) as stored:
        known = {name: stored[name] for name in stored.files}
    scale = known.pop("pixel_scale")
    device = prepare_device(setting.compute)
    n = len(known["label"]) // (len(classes) - 1)
    images = setting.images(stores, device, limit=n)
    sizes = {
        "img_size": images.img_size,
        "num_classes": len(classes),
        "in_chans": images.in_chans,
    }
    trained = load_classifier(weights, encoder=encoder, **sizes, device=device)
    untrained = build_classifier(encoder, **sizes, seed=setting.seed).to(device).eval()
    index = np.concatenate([np.flatnonzero(images.labels == k) for k in range(1, len(classes))])
    target = np.repeat(np.arange(1, len(classes)), n)
    smooth = np.tile(np.flatnonzero(images.labels == 0), len(classes) - 1)
    rows = {"": (trained, index), "_untrained": (untrained, index), "_smooth": (trained, smooth)}
    maps = {
        f"{name}{suffix}": maps_of(method, images, chosen, target, symmetry, f"{name}{suffix}")
        for suffix, (network, chosen) in rows.items()
        for name, method in _methods(network, encoder, spec).items()
    }
    write_csv(scores, score_rows(maps, known), float_format="%.6g")
    first = np.arange(len(index)) % n < spec.n_examples  # of every class
    shown = {name: array[first] for name, array in known.items()}
    write_examples(
        examples,
        pixel_scale=scale,
        probability=_probabilities(predictions, shown["label"], shown["index"]),
        **shown,
        **{f"map_{m}": maps[m][first] for m in methods_of(encoder, spec.methods)},
    )


def _methods(network: Classifier, encoder: Encoder, spec: MapSpec) -> dict[str, Method]:
    every: dict[str, Method] = {
        "grad_cam": lambda x, target: grad_cam(network, x, target, layer="tokens"),
        "grad_cam_stem": lambda x, target: grad_cam(network, x, target, layer="stem"),
        "rollout": lambda x, _target: rollout(network, x),
    }
    return {name: every[name] for name in methods_of(encoder, spec.methods)}


def maps_of(
    method: Method,
    images: Images,
    index: np.ndarray,
    target: np.ndarray,
    symmetry: str,
    label: str,
) -> np.ndarray:
    """Maps of images, averaged over a symmetry group.

    Args:
        method: (B, 1, H, H) images and (B,) classes to (B, H, H) maps.
        images: of which maps are made.
        index: (N,) of the images.
        target: (N,) class that is explained.
        symmetry: key of ``SYMMETRIES``.
        label: of the progress bar.

    Returns:
        (N, H, H) float32.
    """
    found = []
    for part in tqdm(list(_batches(len(index))), desc=label, leave=False, disable=None):
        x = images.batch(index[part])
        wanted = torch.from_numpy(target[part]).to(x.device)
        found.append(over_symmetries(lambda seen, c=wanted: method(seen, c), x, symmetry))
    return torch.cat(found).cpu().numpy()


def _batches(n: int) -> Iterator[slice]:
    for start in range(0, n, PREDICTION_BATCH):
        yield slice(start, start + PREDICTION_BATCH)


def _probabilities(predictions: str, label: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Probability that the classifier gives the true class of images, (N,)."""
    table = pd.read_csv(predictions).set_index(["label", "index"])
    return np.array([table.loc[k, f"p_{k[0]}"] for k in zip(label, index, strict=True)], float)
