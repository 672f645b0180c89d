"""The physical limit of the AUC against source magnitude, with what networks reach above it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lensml.figures.style import (
    CHANCE,
    CLASS_LABELS,
    Style,
    apply_style,
    legend_below,
    new_figure,
    readable,
    save,
)
from lensml.tables import over_seeds, read_table

PAIR = ["reference", "label"]
BOUNDS = ["auc_pooled", "auc_oracle", "auc_bank"]
NETWORK = [*PAIR, "model", "f_sub", "magnitude", "roc_auc", "ci_low", "ci_high"]
MARKERS = "osD^v"
BAND = 0.18  # opacity


def plot_limit(
    table: str | Path,
    *,
    title: str,
    style: Style,
    output: Sequence[str | Path],
    networks: str | Path | None = None,
) -> None:
    """Draw the band between the bounds of the AUC, one panel per pair of classes.

    Args:
        table: CSV file with columns ``reference``, ``label``, ``f_sub``, ``magnitude``,
            ``auc_pooled``, ``auc_oracle`` and ``auc_bank``; rows without ``f_sub`` or
            ``magnitude`` are no part of the grid.
        title: above all panels.
        style: look of the figure.
        output: files to write, .png or .pdf.
        networks: CSV file with columns ``reference``, ``label``, ``model``, ``f_sub``,
            ``magnitude``, ``roc_auc``, ``ci_low`` and ``ci_high``, drawn as points: means over
            the seeds of a model.

    Raises:
        ValueError: if a table is empty or lacks a column, or the first one holds no grid.
    """
    keys = ["f_sub", "magnitude"]
    grid = read_table(table, [*PAIR, *keys, *BOUNDS]).dropna(subset=keys)
    if grid.empty:
        raise ValueError(f"{table}: no row has f_sub and magnitude; expected a grid of them")
    reached = None
    if networks is not None:
        reached = over_seeds(read_table(networks, NETWORK), [*PAIR, "model", *keys])
    pairs = list(dict.fromkeys(zip(grid["reference"], grid["label"], strict=True)))
    colors = shades(sorted(grid["f_sub"].unique()))
    with apply_style(style):
        height = style.width * 0.36 + 0.7
        figure, axes = new_figure(style, rows=1, columns=len(pairs), height=height, title=title)
        for ax, pair in zip(axes[0], pairs, strict=True):
            _draw_bounds(ax, _of_pair(grid, pair), colors)
            if reached is not None:
                _draw_networks(ax, _of_pair(reached, pair), colors)
            ax.set(title=" / ".join(map(class_label, pair)), xlabel="source magnitude, unlensed")
            ax.sharey(axes[0, 0])
        axes[0, 0].set(ylabel="AUC", ylim=(0.48, 1.01))
        legend_below(figure, _handles(colors, reached), style=style)
        save(figure, output)


def class_label(name: str) -> str:
    """Name of a class in the title of a panel."""
    return "smooth" if name == next(iter(CLASS_LABELS)) else readable(name)


def shades(values: Sequence[float]) -> dict[float, tuple]:
    """Colours in order: the more substructure, the darker."""
    colors = matplotlib.colormaps["viridis_r"](np.linspace(0.2, 1.0, len(values)))
    return {value: tuple(shade) for value, shade in zip(values, colors, strict=True)}


def _of_pair(table: pd.DataFrame, pair: tuple[str, str]) -> pd.DataFrame:
    return table.loc[(table["reference"] == pair[0]) & (table["label"] == pair[1])]


def _draw_bounds(ax: Axes, rows: pd.DataFrame, colors: dict[float, tuple]) -> None:
    for f_sub, color in colors.items():
        line = rows.loc[rows["f_sub"] == f_sub].sort_values("magnitude")
        x = line["magnitude"].to_numpy(float)
        pooled, high, low = (line[name].to_numpy(float) for name in BOUNDS)
        ax.fill_between(x, low, high, color=color, alpha=BAND, linewidth=0)
        ax.plot(x, pooled, color=color)
        ax.plot(x, high, color=color, linestyle="-.", linewidth=0.8)
        ax.plot(x, low, color=color, linestyle=":")
    ax.axhline(0.5, color=CHANCE, linestyle="--", linewidth=0.8)
    ax.set_xticks(sorted(rows["magnitude"].unique()))


def mean_over_seeds(rows: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Means of columns in every cell of the grid."""
    cells = rows.groupby(["f_sub", "magnitude"])
    found = [
        {"f_sub": f_sub, "magnitude": magnitude, **cell[list(columns)].mean().to_dict()}
        for (f_sub, magnitude), cell in cells  # type: ignore[misc]
    ]
    return pd.DataFrame(found, columns=["f_sub", "magnitude", *columns])


def _draw_networks(ax: Axes, rows: pd.DataFrame, colors: dict[float, tuple]) -> None:
    for k, (_, run) in enumerate(rows.groupby("model", sort=False)):
        mean = mean_over_seeds(run, ["roc_auc", "ci_low", "ci_high"])
        for f_sub, points in mean.groupby("f_sub"):
            value = points["roc_auc"].to_numpy(float)
            ends = [value - points["ci_low"], points["ci_high"] - value]
            ax.errorbar(
                points["magnitude"],
                value,
                np.clip(ends, 0, None),
                fmt=MARKERS[k % len(MARKERS)],
                ms=4,
                color=colors.get(float(str(f_sub)), "black"),
                markeredgecolor="black",
                markeredgewidth=0.5,
                elinewidth=1.1,
            )


def _handles(colors: dict[float, tuple], networks: pd.DataFrame | None) -> list:
    patches = [
        Patch(color=color, label=rf"$f_\mathrm{{sub}}$ = {100 * value:g} %")
        for value, color in colors.items()
    ]
    bounds = [
        Line2D([], [], color="black", label="upper bound, systems ranked together"),
        Line2D([], [], color="black", ls="-.", lw=0.8, label="upper bound, mean over systems"),
        Line2D([], [], color="black", linestyle=":", label="lower bound, mean over systems"),
        Line2D([], [], color=CHANCE, linestyle="--", label="chance"),
    ]
    models = [] if networks is None else list(dict.fromkeys(networks["model"]))
    points = [
        Line2D([], [], color="black", marker=MARKERS[k % len(MARKERS)], ls="", label=readable(m))
        for k, m in enumerate(models)
    ]
    return patches + bounds + points
