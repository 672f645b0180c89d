"""The source classifier on harmonised images: trained further where they changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from lensml.data.harmonise import Harmony
from lensml.schema.encoders import Encoder
from lensml.training.adaptation.run import adapt_jointly
from lensml.training.classification.run import source_classifier
from lensml.training.engine.checkpoint import save_weights
from lensml.training.engine.device import prepare_device
from lensml.training.engine.loop import Outcome
from lensml.training.engine.record import data_fingerprint, file_checksum
from lensml.training.engine.run import write_results
from lensml.training.engine.setting import Results, Setting


def adapt_to_harmonised(
    source: Sequence[str],
    target_pool: str,
    source_weights: str,
    harmony: str,
    results: Results,
    **how: Any,
) -> None:
    """The classifier that harmonised images of either domain are to be shown (source_harmonised).

    Where harmonising changed the source's images it is trained further on them, by
    :func:`lensml.training.adaptation.run.adapt_jointly` with the method ``source_continued``;
    where it did not, it stays as it is.

    Args:
        source: harmonised stores of the source, one per class.
        target_pool: harmonised store without labels.
        source_weights: classifier trained on the source as it was.
        harmony: file of :class:`lensml.data.harmonise.Harmony`.
        results: files to write.
        how: every keyword of ``adapt_jointly``; of ``own`` the learning rate counts, and whose
            batch-norm statistics are used.
    """
    files = source, target_pool, source_weights, results
    if Harmony.read(harmony).changes("source"):
        adapt_jointly("source_continued", *files, **how)
    else:
        _keep(*files, *(how[key] for key in ("encoder", "num_classes", "setting")))


def _keep(
    source: Sequence[str],
    target_pool: str,
    source_weights: str,
    results: Results,
    encoder: Encoder,
    num_classes: int,
    setting: Setting,
) -> None:
    device = prepare_device(setting.compute)
    size = setting.images([target_pool], device, labelled=False).img_size
    network = source_classifier(source_weights, encoder, size, num_classes)
    config = {"method": "source_harmonised", "encoder": encoder.model_dump(), "steps": 0}
    save_weights(results.weights, network.state_dict(), config)
    data = [*data_fingerprint([*source, target_pool]), file_checksum(source_weights)]
    outcome = Outcome(pd.DataFrame({"step": [0]}), 0.0, 0.0)
    write_results(outcome, results, config, data, setting, device, 0)
