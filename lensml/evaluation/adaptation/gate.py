"""What is decided without labels, below the table: where to start, and what the gate keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lensml.evaluation.adaptation.criteria import adaptation_verdict, harmonising_verdict

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


def start_notes(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for every pair and model: whether its cameras are to be brought together.

    Args:
        runs: with the table's keys, and where there are any ``starts``: files of
            :func:`lensml.evaluation.adaptation.evidence.measure_criteria` of the source's
            classifier as it is and on harmonised images.
    """
    found: dict[tuple, list[tuple[float, float, float]]] = {}
    for run in runs:
        if run.get("starts"):
            key = tuple(str(run[name]) for name in KEYS[1:])
            plain, harmonised = (_read(file) for file in run["starts"])
            numbers = plain["im_source"], plain["im_target"], harmonised["im_target"]
            found.setdefault(key, []).append(numbers)
    return [_start_sentence(key, numbers) for key, numbers in found.items()]


def _start_sentence(key: tuple[str, ...], numbers: Sequence[tuple[float, float, float]]) -> str:
    source, target, model = key
    on_source, on_pool, harmonised = np.mean(numbers, axis=0)
    verdict = harmonising_verdict(on_source, on_pool)
    return (
        f"Start: cameras of {source} to {target}, {model}, would without a label be "
        f"{verdict.text}, in the mean over seeds; that of source_harmonised is {harmonised:.3f} "
        "on its own."
    )


def _read(file: str) -> dict[str, float]:
    return json.loads(Path(file).read_text())


def _im(file: str) -> float:
    return _read(file)["im_target"]


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
