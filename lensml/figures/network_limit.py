"""Share of the oracle's d' that networks reach, against source magnitude."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lensml.figures.limit import MARKERS, PAIR, class_label, mean_over_seeds, shades
from lensml.figures.style import (
    CHANCE,
    Style,
    apply_style,
    legend_below,
    new_figure,
    readable,
    save,
)
from lensml.tables import over_seeds, read_table

VALUES = ["efficiency", "efficiency_low", "efficiency_high"]
DODGE = 0.12  # magnitudes between models


def plot_efficiency(
    table: str | Path, *, title: str, style: Style, output: Sequence[str | Path]
) -> None:
    """Draw the efficiency of every network, one panel per pair of classes.

    Args:
        table: CSV file with columns ``reference``, ``label``, ``model``, ``f_sub``,
            ``magnitude``, ``efficiency``, ``efficiency_low`` and ``efficiency_high``; rows without
            ``f_sub`` or ``magnitude`` are no part of the grid. Seeds are averaged.
        title: above all panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if the table is empty, lacks a column or holds no grid.
    """
    keys = ["f_sub", "magnitude"]
    grid = read_table(table, [*PAIR, "model", *keys, *VALUES]).dropna(subset=keys)
    grid = over_seeds(grid, [*PAIR, "model", *keys])
    if grid.empty:
        raise ValueError(f"{table}: no row has f_sub and magnitude; expected a grid of them")
    pairs = list(dict.fromkeys(zip(grid["reference"], grid["label"], strict=True)))
    models = list(dict.fromkeys(grid["model"]))
    colors = shades(sorted(grid["f_sub"].unique()))
    with apply_style(style):
        height = style.width * 0.36 + 0.5
        figure, axes = new_figure(style, rows=1, columns=len(pairs), height=height, title=title)
        for ax, (a, b) in zip(axes[0], pairs, strict=True):
            rows = grid.loc[(grid["reference"] == a) & (grid["label"] == b)]
            for k, model in enumerate(models):
                _draw(ax, rows.loc[rows["model"] == model], colors, k - (len(models) - 1) / 2, k)
            ax.axhline(1, color=CHANCE, linestyle="--", linewidth=0.8)
            ax.set_xticks(sorted(rows["magnitude"].unique()))
            ax.set(
                title=f"{class_label(a)} / {class_label(b)}", xlabel="source magnitude, unlensed"
            )
            ax.sharey(axes[0, 0])
        axes[0, 0].set(ylabel="efficiency, $d'$ / $d'_\\mathrm{oracle}$")
        axes[0, 0].set_ylim(bottom=0)
        legend_below(figure, _handles(colors, models), style=style)
        save(figure, output)


def _draw(
    ax: Axes, rows: pd.DataFrame, colors: dict[float, tuple], place: float, number: int
) -> None:
    mean = mean_over_seeds(rows, VALUES)
    for f_sub, color in colors.items():
        line = mean.loc[mean["f_sub"] == f_sub].dropna()
        value, low, high = (line[name].to_numpy(float) for name in VALUES)
        ax.errorbar(
            line["magnitude"] + DODGE * place,
            value,
            np.clip([value - low, high - value], 0, None),
            fmt=MARKERS[number % len(MARKERS)] + "-",
            ms=4,
            color=color,
            markeredgecolor="black",
            markeredgewidth=0.5,
            linewidth=0.8,
            elinewidth=1.1,
        )


def _handles(colors: dict[float, tuple], models: Sequence[str]) -> list:
    patches = [
        Patch(color=color, label=rf"$f_\mathrm{{sub}}$ = {100 * value:g} %")
        for value, color in colors.items()
    ]
    points = [
        Line2D([], [], color="black", marker=MARKERS[k % len(MARKERS)], lw=0.8, label=readable(m))
        for k, m in enumerate(models)
    ]
    oracle = Line2D([], [], color=CHANCE, linestyle="--", label="oracle")
    return [*patches, *points, oracle]
