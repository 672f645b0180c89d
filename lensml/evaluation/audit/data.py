"""What is audited, and what the audit reads of it: parameters, features of images, layout."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lensml.data.images import stretch
from lensml.data.store import Store
from lensml.evaluation.classification.baselines import image_features
from lensml.physics.ellipticity import phi_q
from lensml.schema.encoders import NetworkInput
from lensml.schema.training import Audit

OF_THE_CLASS = ("substructure", "perturber_profile")  # attributes that may differ between classes
PIECE = 500  # images at a time
FIT_SPLITS = ("train", "test")  # whose images the classifiers are fitted and measured on


@dataclass(frozen=True)
class Dataset:
    """What is audited.

    Attributes:
        classes: names, ``no_sub`` first.
        stores: split -> one opened store per class.
        spec: thresholds and sizes.
        network_input: scale of the radial profiles.
        seed: of random halves and labels.
    """

    classes: Sequence[str]
    stores: Mapping[str, Sequence[Store]]
    spec: Audit
    network_input: NetworkInput
    seed: int

    def pooled(self, features: Callable[[Store], np.ndarray]) -> list[np.ndarray]:
        """Features of the training and test images of every class, one (N, F) per class."""
        splits = [self.stores[split] for split in FIT_SPLITS]
        return [np.concatenate([features(s) for s in pair]) for pair in zip(*splits, strict=True)]

    def systems(self) -> list[np.ndarray]:
        """system_id of what :meth:`pooled` returns."""
        return self.pooled(lambda store: store.truth["system_id"])


def axis_ratio(truth: Mapping[str, np.ndarray]) -> np.ndarray:
    """Axis ratio of every lens, (N,)."""
    pairs = zip(truth["e1"], truth["e2"], strict=True)
    return np.array([phi_q(e1, e2)[1] for e1, e2 in pairs])


def image_profiles(store: Store, spec: NetworkInput, limit: int, features: str) -> np.ndarray:
    """Features of the trivial baseline of the first images, on the network's scale, a row each.

    Args:
        store: of any class.
        spec: of the network's input.
        limit: of the number of images.
        features: see :data:`lensml.evaluation.classification.baselines.FEATURES`.
    """
    found = []
    n = min(len(store), limit)
    for start in range(0, n, PIECE):
        rows = np.arange(start, min(start + PIECE, n))
        images = stretch(store.image[rows], store.truth["background_rms"][rows], spec)
        found.append(image_features(images, features))
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
