"""Distributions of anomaly scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import AsinhLocator

from lensml.figures.style import (
    Style,
    apply_style,
    colors_of,
    hide_unused,
    in_known_order,
    legend_below,
    new_figure,
    panel_grid,
    readable,
    save,
    width_of,
)
from lensml.tables import RUN_FILES, check_runs, read_table

CLIP = (0.5, 99.5)  # percentiles of all scores between which a panel shows them
N_BINS = 40
LONG_TAIL = 30  # quartile distances of a class that a panel covers before its axis is compressed


def plot_score_distributions(
    scores: RUN_FILES, *, title: str, style: Style, output: Sequence[str | Path]
) -> None:
    """Draw a histogram of the anomaly score per class, one panel per method.

    Args:
        scores: method -> ``scores.csv`` of each seed, with columns ``label`` (class) and
            ``score`` (higher is more anomalous); the first seed is shown.
        title: above all panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if a table is empty or lacks a column.
    """
    check_runs(scores, "scores")
    columns = ["label", "score"]
    tables = {name: read_table(p[0], columns, finite=["score"]) for name, p in scores.items()}
    classes = in_known_order(label for table in tables.values() for label in table["label"])
    colors = colors_of(classes)
    rows, n_columns = panel_grid(len(tables))
    with apply_style(style):
        height = rows * style.width * 0.33 + 0.8
        figure, axes = new_figure(
            style,
            rows=rows,
            columns=n_columns,
            height=height,
            width=width_of(n_columns, style),
            title=title,
        )
        for ax, (name, table) in zip(axes.flat, tables.items(), strict=False):
            _draw_histograms(ax, table, colors)
            ax.set(title=readable(name), xlabel="anomaly score")
        hide_unused(axes.ravel(), len(tables))
        for ax in axes[:, 0]:
            ax.set_ylabel("share of images per bin [%]")
        handles = [Patch(fc=(c, 0.25), ec=c, label=readable(n)) for n, c in colors.items()]
        legend_below(figure, handles, style=style)
        save(figure, output)


def _draw_histograms(ax: Axes, table: pd.DataFrame, colors: dict[str, str]) -> None:
    low, high = np.percentile(table["score"], CLIP)
    if low == high:  # a constant score still gets a bin of some width
        low, high = low - 0.5, high + 0.5
    width = _linear_width(table, high - low)
    if width is None:
        edges = np.linspace(low, high, N_BINS + 1)
        ax.ticklabel_format(axis="x", scilimits=(-2, 4), useMathText=True)
        ax.locator_params(axis="x", nbins=5)
    else:
        ends = np.arcsinh(np.array([low, high]) / width)
        edges = width * np.sinh(np.linspace(ends[0], ends[1], N_BINS + 1))
        ax.set_xscale("asinh", linear_width=width)
        ax.xaxis.set_major_locator(AsinhLocator(width, numticks=5))
    for name, color in colors.items():
        values = table.loc[table["label"] == name, "score"].to_numpy()
        # Percent of the whole class: what lies beyond the panel is not given to what is in it.
        weights = np.full(len(values), 100 / max(len(values), 1))
        style = {"histtype": "stepfilled", "fc": (color, 0.2), "ec": color, "linewidth": 1}
        ax.hist(values, bins=edges.tolist(), weights=weights, **style)
    ax.set_xlim(low, high)


def _linear_width(table: pd.DataFrame, covered: float) -> float | None:
    """Scores up to which an axis is linear, logarithmic beyond; None where all of it is linear.

    A class that is found by thousands of standard deviations would leave the others a single bin.
    """
    scores = [rows.to_numpy(float) for _, rows in table.groupby("label")["score"]]
    distance = min(float(np.subtract(*np.percentile(s, [75, 25]))) for s in scores)
    return distance if distance > 0 and covered > LONG_TAIL * distance else None
