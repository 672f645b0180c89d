"""The upper reference of adaptation: training on labelled target images."""

from __future__ import annotations

from collections.abc import Sequence

from lensml.schema.adaptation import Oracle
from lensml.schema.encoders import Encoder
from lensml.schema.training import ClassifierRecipe
from lensml.training.classification.run import (
    fit_classifier,
    source_classifier,
)
from lensml.training.engine.device import prepare_device
from lensml.training.engine.record import data_fingerprint, file_checksum
from lensml.training.engine.setting import Results, Setting


def train_oracle(
    train: Sequence[str],
    validation: Sequence[str],
    source_weights: str,
    results: Results,
    *,
    encoder: Encoder,
    classifier: ClassifierRecipe,
    oracle: Oracle,
    symmetry: str,
    setting: Setting,
) -> None:
    """Train the source classifier further on *labelled* target stores: an upper reference.

    Args: as for :func:`train_classifier`, and ``source_weights``, where it starts.
    """
    device = prepare_device(setting.compute)
    images = setting.images(train, device)
    network = source_classifier(source_weights, encoder, images.img_size, len(train))
    recipe = classifier.part(ClassifierRecipe).model_dump() | oracle.model_dump()
    fit_classifier(
        network,
        images,
        setting.images(validation, device),
        results,
        recipe=ClassifierRecipe.model_validate(recipe),
        symmetry=symmetry,
        config={
            "encoder": encoder.model_dump(),
            "oracle": oracle.model_dump(),
            "classifier": classifier.model_dump(
                include={"augment", "label_smoothing", "ema_decay", "paired_batches"}
            ),
        },
        data=[*data_fingerprint([*train, *validation]), file_checksum(source_weights)],
        setting=setting,
    )
