"""Where adaptation did harm, and how the predictions changed, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lensml.evaluation.statistics.predictions import read_predictions

VALUES = ["value", "ci_low", "ci_high"]
COLLAPSED = 0.25  # of a class's true share, below which hardly any image is given to it
SHIFTED = 0.05  # of the images, from which the shares of the classes have changed


def harm_notes(runs: Sequence[Mapping[str, str]], table: pd.DataFrame) -> list[str]:
    """A sentence for every run that ends below its reference by more than its interval.

    The shares of the classes among the predictions tell a collapse, in which a class is hardly
    predicted any more, from a shift, in which images move from one class to another, and from
    images that are confused while the shares stay.

    Args:
        runs: of adaptation, see :func:`lensml.evaluation.adaptation.table.tabulate_adaptation`.
        table: tidy, with the metric ``roc_auc_ovr_macro_gain``.
    """
    gains = table.loc[table["metric"] == "roc_auc_ovr_macro_gain"]
    keys = ["source_domain", "target_domain", "model", "method", "seed"]
    gains = {tuple(map(str, row[:5])): row[5:] for row in gains[[*keys, *VALUES]].to_numpy()}
    notes = []
    for run in runs:
        gain = gains.get(tuple(str(run[key]) for key in keys))
        if gain is not None and gain[2] < 0:
            notes.append(_sentence(run, *map(float, gain)))
    return notes


def _sentence(run: Mapping[str, str], value: float, low: float, high: float) -> str:
    label, after, classes = _shares(run["path"])
    before = _shares(run["reference"])[1]
    gone = [c for c, a, t in zip(classes, after, label, strict=True) if a < COLLAPSED * t]
    moved = np.abs(after - before).sum() / 2
    what = "label shift" if moved >= SHIFTED else "no shift, the order of the images suffered"
    what = f"collapse: hardly an image is given to {', '.join(gone)}" if gone else what
    shares = ", ".join(
        f"{c} {b:.0%} to {a:.0%} (true {t:.0%})"
        for c, b, a, t in zip(classes, before, after, label, strict=True)
    )
    return (
        f"Below source_only: {run['method']}, {run['source_domain']} to {run['target_domain']}, "
        f"{run['model']}, seed {run['seed']}, by {-value:.3f} [{-high:.3f}, {-low:.3f}]; shares "
        f"of the predicted classes went from {shares}: {what}."
    )


def _shares(path: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """True and predicted shares of the classes."""
    _, label, p, classes = read_predictions(path)
    n = len(classes)
    counts = [np.bincount(k, minlength=n) / len(label) for k in (label, p.argmax(1))]
    return counts[0], counts[1], classes
