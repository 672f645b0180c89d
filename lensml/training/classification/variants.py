"""A run of a study: the classifier with something changed, at a given length."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from lensml.data.torch_dataset import RedrawnImages
from lensml.models.encoders import build_classifier
from lensml.models.initial import start_from_mae
from lensml.schema.encoders import Encoder
from lensml.schema.training import ClassifierRecipe
from lensml.training.classification.run import fit_classifier
from lensml.training.engine.device import prepare_device
from lensml.training.engine.parallel import on_every_device
from lensml.training.engine.record import data_fingerprint, file_checksum
from lensml.training.engine.setting import Results, Setting


@on_every_device
def train_variant(
    train: Sequence[str],
    validation: Sequence[str],
    results: Results,
    *,
    encoder: Encoder,
    classifier: ClassifierRecipe,
    symmetry: str,
    setting: Setting,
    n_train: int | None = None,
    n_validation: int | None = None,
    steps: int | None = None,
    redraw_noise: bool = False,
    mae_weights: str | None = None,
    watch: Callable[[float, float], None] | None = None,
) -> None:
    """Train a classifier as a study asks for it.

    Args:
        train, validation: stores, in the order of the classes.
        results: files to write.
        encoder, classifier: architecture and recipe.
        symmetry: of the domain's population.
        setting: see :class:`lensml.training.engine.setting.Setting`.
        n_train, n_validation: use the first images of each class only.
        steps: in total; None for the recipe's epochs.
        redraw_noise: the training stores are noise-free and get fresh noise in every batch.
        mae_weights: masked autoencoder that the encoder starts from.
        watch: see :func:`lensml.training.classification.run.fit_classifier`; needs a run on one
            device.

    Raises:
        ValueError: a store, an encoder or weights do not fit what is asked for.
    """
    device = prepare_device(setting.compute)
    options: dict[str, Any] = {"limit": n_train}
    fraction = setting.compute.max_memory_fraction
    images = (
        RedrawnImages(
            train, setting.network_input, max_memory_fraction=fraction, device=device, **options
        )
        if redraw_noise
        else setting.images(train, device, **options)
    )
    network = build_classifier(
        encoder, img_size=images.img_size, num_classes=len(train), seed=setting.seed
    )
    data = data_fingerprint([*train, *validation])
    if mae_weights:
        start_from_mae(network.encoder, load_file(mae_weights))
        data.append(file_checksum(mae_weights))
    config = {
        "encoder": encoder.model_dump(),
        "classifier": classifier.model_dump(),
        "variant": {
            "n_train": n_train,
            "n_validation": n_validation,
            "steps": steps,
            "redraw_noise": redraw_noise,
            "mae": bool(mae_weights),
        },
    }
    fit_classifier(
        network,
        images,
        setting.images(validation, device, limit=n_validation),
        results,
        recipe=classifier,
        symmetry=symmetry,
        config=config,
        data=data,
        setting=setting,
        steps=steps,
        watch=watch,
    )


def equal_steps(steps: int | None, sizes: Sequence[str]) -> int | None:
    """Steps that cost an encoder as many operations as ``steps`` cost the reference.

    Args:
        steps: of the reference; None is left as it is.
        sizes: JSON files of the reference's and of the encoder's size; empty for the same steps.
    """
    if steps is None or not sizes:
        return steps
    reference, own = (json.loads(Path(path).read_text())["flops"] for path in sizes)
    return max(round(steps * reference / own), 1)
