"""What the gate says of adaptations, without labels, below their table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lensml.evaluation.adaptation.criteria import adaptation_verdict

KEYS = ("method", "source_domain", "target_domain", "model")


def gate_notes(runs: Sequence[Mapping[str, Any]], max_im_loss: float) -> list[str]:
    """A sentence for every method, pair and model whose criteria were measured.

    Args:
        runs: with the table's keys, ``seed``, and where there are any ``criteria``: files of
            :func:`lensml.evaluation.adaptation.evidence.measure_criteria` of where a method began
            and of what it became.
        max_im_loss: by which IM on the pool may fall, nats.
    """
    found: dict[tuple, list[tuple[str, float, float]]] = {}
    for run in runs:
        if run.get("criteria"):
            key = tuple(str(run[name]) for name in KEYS)
            before, after = (_im(file) for file in run["criteria"])
            found.setdefault(key, []).append((str(run["seed"]), before, after))
    return [_sentence(key, seeds, max_im_loss) for key, seeds in found.items()]


def _im(file: str) -> float:
    return json.loads(Path(file).read_text())["im_target"]


def _sentence(
    key: tuple[str, ...], seeds: Sequence[tuple[str, float, float]], max_im_loss: float
) -> str:
    method, source, target, model = key
    refused = [
        seed
        for seed, before, after in seeds
        if not adaptation_verdict(before, after, max_im_loss=max_im_loss).accepted
    ]
    before, after = np.mean([[before, after] for _, before, after in seeds], axis=0)
    kept = f"refuses seeds {', '.join(refused)}" if refused else "keeps every seed"
    return (
        f"Gate: of {method}, {source} to {target}, {model}, it {kept}: information maximisation "
        f"on the unlabelled pool goes from {before:.3f} to {after:.3f} in the mean and may fall "
        f"by {max_im_loss:g}."
    )
