"""AUC of anomaly detection against the settings of the masked autoencoder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lensml.figures.style import (
    BLUE,
    CHANCE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    Style,
    apply_style,
    new_figure,
    save,
)
from lensml.tables import over_seeds, read_table

COLUMNS = 3
METRICS = {"roc_auc_any": ("-", "o"), "roc_auc_proxy": (":", "s")}  # line and marker
COLORS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, "0.35")
AXIS = {
    "mask_ratio": "share of hidden patches",
    "patch_size": "patch size, pixels",
    "depth": "blocks of the encoder",
    "decoder_depth": "blocks of the decoder",
    "loss": "loss",
    "epochs": "epochs",
    "n_masks": "masks averaged",
    "masks": "masks of a score",
    "n_train": "training images",
}


def plot_sweep(
    table: str | Path,
    *,
    shipped: Mapping[str, Any],
    title: str,
    style: Style,
    output: Sequence[str | Path],
) -> None:
    """Draw one panel per setting: AUC of every score against its values.

    Args:
        table: CSV file with columns ``factor``, ``setting``, ``score``, ``seed``,
            ``metric``, ``value``, ``ci_low`` and ``ci_high``.
        shipped: setting -> its value outside the sweep, which is marked.
        title: above all panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if the table is empty or lacks a column.
    """
    numbers = ["value", "ci_low", "ci_high"]
    rows = read_table(table, ["factor", "setting", "score", "seed", "metric", *numbers])
    rows = over_seeds(rows, ["factor", "setting", "score", "metric"])
    factors = list(dict.fromkeys(rows["factor"]))
    scores = list(dict.fromkeys(rows["score"]))
    colors = dict(zip(scores, COLORS, strict=False))
    columns = min(COLUMNS, len(factors))
    lines = math.ceil(len(factors) / columns)
    with apply_style(style):
        figure, axes = new_figure(
            style,
            rows=lines,
            columns=columns,
            height=lines * style.width * 0.3 + 0.9,
            title=title,
        )
        for ax in axes.flat[len(factors) :]:
            ax.set_axis_off()
        low, high = rows.loc[rows["metric"].isin(METRICS), ["ci_low", "ci_high"]].to_numpy().T
        for k, (factor, ax) in enumerate(zip(factors, axes.flat, strict=False)):
            _draw(ax, rows.loc[rows["factor"] == factor], colors, str(shipped.get(factor)))
            ax.set(xlabel=AXIS.get(factor, factor), ylim=(low.min() - 0.02, high.max() + 0.02))
            ax.set_ylabel("AUC" if k % columns == 0 else "")
        figure.legend(handles=_handles(colors), loc="outside lower center", ncols=3)
        save(figure, output)


def _draw(ax: Axes, rows: pd.DataFrame, colors: Mapping[str, str], shipped: str) -> None:
    """Settings at even distances in the order of the table, scores beside each other."""
    names = list(dict.fromkeys(rows["setting"].astype(str)))
    groups = [(score, metric) for score in colors for metric in METRICS]
    for k, (score, metric) in enumerate(groups):
        chosen = rows.loc[(rows["score"] == score) & (rows["metric"] == metric)]
        mean = chosen.groupby(chosen["setting"].astype(str))[["value", "ci_low", "ci_high"]].mean()
        mean = mean.reindex([name for name in names if name in mean.index])
        x = np.array([names.index(name) for name in mean.index]) + (k / len(groups) - 0.5) * 0.2
        ends = [mean["value"] - mean["ci_low"], mean["ci_high"] - mean["value"]]
        line, marker = METRICS[metric]
        face = colors[score] if metric == "roc_auc_any" else "white"
        ax.errorbar(
            x,
            mean["value"],
            np.clip(ends, 0, None),
            color=colors[score],
            ls=line,
            marker=marker,
            ms=3.5,
            mfc=face,
        )
    ax.axhline(0.5, color=CHANCE, linestyle="--", linewidth=0.8)
    if shipped in names:
        ax.axvspan(
            names.index(shipped) - 0.35, names.index(shipped) + 0.35, color="0.93", zorder=0
        )
    ax.set_xticks(range(len(names)), [name.replace("_", " ") for name in names])
    ax.set_xlim(-0.5, len(names) - 0.5)


def _handles(colors: Mapping[str, str]) -> list[Line2D]:
    labels = ["test, either class of substructure", "proxies, validation"]
    marks = [
        Line2D([], [], color="0.3", marker=marker, ms=3.5, ls=line, mfc=face, label=label)
        for label, (line, marker), face in zip(
            labels, METRICS.values(), ["0.3", "white"], strict=True
        )
    ]
    scores = [
        Line2D([], [], color=color, label=f"score: {name.replace('_', ' ')}")
        for name, color in colors.items()
    ]
    return [*scores, *marks]
