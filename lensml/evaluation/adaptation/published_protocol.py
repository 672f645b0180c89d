"""Selection on test labels, as published numbers of adaptation were made: to stand beside ours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lensml.data.files import write_csv
from lensml.models.encoders import build_classifier
from lensml.schema.encoders import Encoder
from lensml.training.adaptation.snapshots import read_snapshots
from lensml.training.classification.task import macro_auc
from lensml.training.engine.checkpoint import save_weights
from lensml.training.engine.device import prepare_device
from lensml.training.engine.prediction import predict_probabilities
from lensml.training.engine.setting import Setting


def select_on_test(
    snapshots: str,
    test: Sequence[str],
    weights: str,
    selection: str,
    *,
    encoder: Encoder,
    setting: Setting,
) -> None:
    """Keep the snapshot of an adaptation that is best on *labelled* test images of the target.

    The published protocol (the epoch with the best accuracy on target test data). What comes out
    is no measurement of adaptation: the labels that judge it have chosen it.

    Args:
        snapshots: file of :func:`lensml.training.adaptation.snapshots.save_snapshots`.
        test: stores of the target's test images, one per class.
        weights: file of the best snapshot's weights.
        selection: CSV with step, accuracy, roc_auc_ovr_macro of every snapshot.
        encoder: architecture.
        setting: see :class:`lensml.training.engine.setting.Setting`.
    """
    device = prepare_device(setting.compute)
    images = setting.images(test, device)
    labels = np.asarray(images.labels)
    network = build_classifier(encoder, img_size=images.img_size, num_classes=len(test), seed=0)
    network = network.to(device)
    rows, best = [], None
    for step, state in read_snapshots(snapshots):
        network.load_state_dict(state)
        probabilities = predict_probabilities(network, images, symmetry="none")
        accuracy = float((probabilities.argmax(1) == labels).mean())
        area = macro_auc(labels, probabilities)
        rows.append({"step": step, "accuracy": accuracy, "roc_auc_ovr_macro": area})
        if best is None or accuracy > best[0]:
            best = accuracy, step, state
    assert best is not None
    write_csv(selection, pd.DataFrame(rows))
    save_weights(weights, best[2], {"encoder": encoder.model_dump(), "step": best[1]})
