"""Criteria of trained classifiers, and the gate: from weights on disk to files on disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lensml.data.files import write_atomic, write_json
from lensml.data.torch_dataset import Images
from lensml.evaluation.adaptation.criteria import Evidence, adaptation_verdict, criteria_of
from lensml.models.encoders import Classifier
from lensml.schema.encoders import Encoder
from lensml.training.adaptation.criteria import information, predicted_shares, softmax
from lensml.training.classification.run import source_classifier
from lensml.training.engine.device import prepare_device
from lensml.training.engine.prediction import embed
from lensml.training.engine.setting import Setting

N_IMAGES = 2000  # of either domain


def measure_criteria(
    weights: str,
    source_validation: Sequence[str],
    target_pool: str,
    output: str,
    *,
    encoder: Encoder,
    setting: Setting,
) -> None:
    """Write every label-free criterion of a classifier.

    Args:
        weights: of the classifier, adapted or not.
        source_validation: stores of the source, in the order of the classes.
        target_pool: store without labels.
        output: JSON with ``criteria``, ``im_source`` and ``im_target`` (nats), and the predicted
            ``shares``.
        encoder: architecture.
        setting: see :class:`lensml.training.engine.setting.Setting`; its seed chooses the images.
    """
    device = prepare_device(setting.compute)
    source = setting.images(source_validation, device)
    target = setting.images([target_pool], device, labelled=False)
    network = source_classifier(weights, encoder, target.img_size, len(source_validation))
    evidence = evidence_of(network.to(device).eval(), source, target, seed=setting.seed)
    write_json(output, {"criteria": criteria_of(evidence), **_summary(evidence)})


def evidence_of(network: Classifier, source: Images, target: Images, *, seed: int) -> Evidence:
    """What a classifier says of random images of both domains.

    Args:
        network: in evaluation mode.
        source: labelled images that it was not trained on.
        target: a pool without labels.
        seed: chooses the images.

    Raises:
        ValueError: the target images carry labels, or the source's do not.
    """
    if target.labels is not None or source.labels is None:
        raise ValueError("criteria are of labelled source images and an unlabelled pool")
    rng = np.random.default_rng(seed)
    indices = [rng.permutation(len(images))[:N_IMAGES] for images in (source, target)]
    seen = [_seen(network, x, i) for x, i in zip((source, target), indices, strict=True)]
    return Evidence(
        source_embedding=seen[0][0],
        source_logits=seen[0][1],
        source_labels=source.labels[indices[0]],
        target_embedding=seen[1][0],
        target_logits=seen[1][1],
    )


@torch.no_grad()
def _seen(network: Classifier, images: Images, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    embedding = embed(network.encoder, images, index)
    return embedding.double().cpu().numpy(), network.head(embedding).double().cpu().numpy()


def _summary(evidence: Evidence) -> dict[str, Any]:
    source, target = (softmax(x) for x in (evidence.source_logits, evidence.target_logits))
    return {
        "im_source": information(source),
        "im_target": information(target),
        "shares": predicted_shares(target).tolist(),
    }


def gate_adaptation(
    start: tuple[str, str],
    adapted: tuple[str, str],
    weights: str,
    verdict: str,
    *,
    max_im_loss: float,
) -> None:
    """Keep an adapted classifier, or where IM fell too far what it started from.

    Args:
        start, adapted: weights and the file of :func:`measure_criteria` of either.
        weights: file to write: one of the two.
        verdict: JSON to write, with ``kept`` and what was seen as ``text``.
        max_im_loss: by which IM on the pool may fall, nats.
    """
    before, after = (_im(file) for _, file in (start, adapted))
    found = adaptation_verdict(before, after, max_im_loss=max_im_loss)
    chosen = adapted if found.accepted else start
    with Path(chosen[0]).open("rb") as content:
        write_atomic(weights, lambda stream: shutil.copyfileobj(content, stream))
    write_json(verdict, {"kept": found.accepted, "text": found.text})


def _im(criteria: str) -> float:
    return json.loads(Path(criteria).read_text())["im_target"]
