"""Reliability diagrams: accuracy against confidence, before and after a temperature."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lensml.figures.style import (
    BLUE,
    CHANCE,
    VERMILION,
    Style,
    apply_style,
    hide_unused,
    legend_below,
    new_figure,
    panel_grid,
    readable,
    save,
    width_of,
)
from lensml.tables import ALL_SEEDS, read_table

KEYS = ["model", "seed", "calibrated", "bin_low", "bin_high"]
MEASURED = ["confidence", "accuracy", "ci_low", "ci_high", "n"]
FEWEST = 5  # images of a bin whose accuracy is drawn: of fewer, the interval is all there is
# Whether a temperature was applied -> label, colour and marker.
STAGES = {
    "no": ("as predicted", VERMILION, "o"),
    "yes": ("after temperature scaling", BLUE, "s"),
}


def plot_reliability(
    table: str | Path, *, title: str, style: Style, output: Sequence[str | Path]
) -> None:
    """Draw accuracy against confidence, one panel per model, with the confidences below it.

    Several seeds are pooled.

    Args:
        table: CSV file with columns ``model``, ``seed`` (a number, or ``all`` for the pooled
            seeds), ``calibrated`` (yes or no), ``bin_low``, ``bin_high``, ``confidence``,
            ``accuracy``, ``ci_low``, ``ci_high`` and ``n``.
        title: above all panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if the table is empty or lacks a column.
    """
    results = read_table(table, [*KEYS, *MEASURED], finite=MEASURED)
    models = {str(name): _pooled(rows) for name, rows in results.groupby("model", sort=False)}
    rows, columns = panel_grid(len(models))
    with apply_style(style):
        figure, axes = new_figure(
            style,
            rows=2 * rows,
            columns=columns,
            height=rows * (style.width * 0.42 + 0.9) + 0.7,
            width=width_of(columns, style),
            title=title,
        )
        axes[0, 0].get_gridspec().set_height_ratios([3, 1] * rows)
        panels = zip(axes[::2].flat, axes[1::2].flat, models.items(), strict=False)
        for above, below, (name, bins) in panels:
            above.set_title(readable(name))
            _draw_accuracy(above, bins)
            _draw_confidences(below, bins)
        for half in (axes[::2], axes[1::2]):
            hide_unused(half.ravel(), len(models))
        for row in range(rows):
            axes[2 * row, 0].set_ylabel("accuracy")
            axes[2 * row + 1, 0].set_ylabel("images [%]")
        several = ALL_SEEDS in set(results["seed"].astype(str))
        note = "images of all seeds together" if several else ""
        legend_below(figure, _handles(results), style=style, title=note)
        save(figure, output)


def _pooled(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of all seeds together; those of the one seed where there is one."""
    seed = rows["seed"].astype(str)
    return rows.loc[seed == ALL_SEEDS] if ALL_SEEDS in set(seed) else rows


def calibration_error(bins: pd.DataFrame) -> float:
    """Mean gap of confidence and accuracy over the images of all bins."""
    accuracy, confidence, n = bins[["accuracy", "confidence", "n"]].to_numpy(float).T
    return float(np.average(np.abs(accuracy - confidence), weights=n))


def _draw_accuracy(ax: Axes, bins: pd.DataFrame) -> None:
    ax.plot([0, 1], [0, 1], color=CHANCE, linestyle="--", linewidth=0.8)
    handles = []
    for stage, (_, color, marker) in STAGES.items():
        some = bins.loc[bins["calibrated"] == stage]
        if some.empty:
            continue
        error, some = calibration_error(some), some.loc[some["n"] >= FEWEST]
        value = some["accuracy"].to_numpy(float)
        reach = [value - some["ci_low"], some["ci_high"] - value]
        handles.append(
            ax.errorbar(
                some["confidence"],
                value,
                np.clip(reach, 0, None),
                fmt=f"{marker}-",
                ms=3.5,
                color=color,
                linewidth=0.8,
                elinewidth=1.1,
                label=f"{error:.3f}",
            )
        )
    ax.legend(handles=handles, title="ECE", loc="upper left", handlelength=1.2, labelspacing=0.2)
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    ax.set_xticks([0, 0.5, 1], [])
    ax.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])


def _draw_confidences(ax: Axes, bins: pd.DataFrame) -> None:
    for stage, (_, color, _) in STAGES.items():
        some = bins.loc[bins["calibrated"] == stage]
        if some.empty:
            continue
        share = 100 * some["n"] / some["n"].sum()
        # Every bin by itself: those between may hold no image and have no row.
        for low, high, height in zip(some["bin_low"], some["bin_high"], share, strict=True):
            ax.stairs([height], [low, high], color=color, fill=True, alpha=0.2)
            ax.stairs([height], [low, high], color=color, linewidth=1.0)
    ax.set(xlim=(-0.01, 1.01), xlabel="confidence (highest probability)")
    ax.set_ylim(bottom=0)
    ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])


def _handles(results: pd.DataFrame) -> list[Line2D]:
    found = set(results["calibrated"])
    handles = [
        Line2D([], [], color=color, marker=marker, ms=3.5, label=label)
        for stage, (label, color, marker) in STAGES.items()
        if stage in found
    ]
    return [*handles, Line2D([], [], color=CHANCE, linestyle="--", label="accuracy = confidence")]
