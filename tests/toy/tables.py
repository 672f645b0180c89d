"""Predictions and scores as runs write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lensml.evaluation.statistics.metrics import Measured

CLASSES = ["no_sub", "cdm", "vortex"]


def by_name(rows: Sequence[Measured]) -> dict[str, Measured]:
    assert len({row.metric for row in rows}) == len(rows)
    return {row.metric: row for row in rows}


def area_by_pairs(score: np.ndarray, positive: np.ndarray) -> float:
    """Share of the pairs that are in order; ties count half."""
    pairs = [(a > b) + (a == b) / 2 for a in score[positive] for b in score[~positive]]
    return sum(pairs) / len(pairs)


def write_csv(path: Path, columns: dict[str, Any]) -> str:
    pd.DataFrame(columns).to_csv(path, index=False)
    return str(path)


def predictions(path: Path, *, n: int = 40, skill: float = 1.0, seed: int = 0) -> str:
    """Probabilities of a classifier; every system has an image of each class."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(3), n)
    logits = rng.normal(size=(3 * n, 3)) + skill * np.eye(3)[label]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    index = np.tile(np.arange(n), 3)
    columns = {"system_id": 1000 + index, "index": index, "label": np.array(CLASSES)[label]}
    return write_csv(path, columns | {f"p_{c}": p[:, k] for k, c in enumerate(CLASSES)})


def scores(path: Path, *, n: int = 40, seed: int = 0, classes: Sequence[str] = CLASSES) -> str:
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(len(classes)), n)
    index = np.tile(np.arange(n), len(classes))
    score = rng.normal(label, 1)
    names = np.array(list(classes))[label]
    return write_csv(path, {"system_id": index, "index": index, "label": names, "score": score})


def outputs_in(folder: Path) -> list[str]:
    return [str(folder / f"table.{suffix}") for suffix in ("csv", "md", "tex")]
