"""Figures of the studies: encoders at equal compute, parts of the recipe, number of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lensml.figures.style import (
    BLUE,
    CHANCE,
    Style,
    apply_style,
    new_figure,
    readable,
    save,
)
from lensml.tables import of_seeds, over_seeds, read_table

AUC = "roc_auc_ovr_macro"
GAIN = "roc_auc_ovr_macro_gain"
AUC_LABEL = "AUC, mean over classes"
MARKERS = "osD^vP*X<>ph"
CURVES = ["variant", "seed", "step", "tflop", "val_roc_auc_ovr_macro"]


def plot_study(
    kind: str,
    table: str | Path,
    curves: str | Path,
    *,
    title: str,
    style: Style,
    output: Sequence[str | Path],
) -> None:
    """Draw a study: AUC against compute, gain of each variant, or AUC against number of images.

    Args:
        kind: 'zoo', 'ablation', 'scaling' or 'search'.
        table: CSV file with columns ``variant``, ``seed``, ``metric``, ``value``, ``ci_low`` and
            ``ci_high``.
        curves: CSV file with columns ``variant``, ``seed``, ``step``, ``tflop`` and
            ``val_roc_auc_ovr_macro``.
        title: above all panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if a table is empty or lacks a column.
    """
    results = read_table(table, ["variant", "seed", "metric", "value", "ci_low", "ci_high"])
    with apply_style(style):
        if kind == "zoo":
            figure = _zoo(results, read_table(curves, CURVES), title, style)
        elif kind in ("ablation", "search"):
            figure = _ablation(results, title, style)
        else:
            figure = _scaling(results, title, style)
        save(figure, output)


def _means(results: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Per variant: mean over seeds with its interval, and the values of the seeds."""
    chosen = results.loc[results["metric"] == metric]
    groups = over_seeds(chosen, ["variant"]).groupby("variant", sort=False)
    out = pd.DataFrame(groups[["value", "ci_low", "ci_high"]].mean())
    out["seeds"] = of_seeds(chosen).groupby("variant", sort=False)["value"].apply(list)
    return out


def _label(name: object) -> str:
    return readable(str(name)).replace("_", " ")


def _intervals(
    ax: Axes, rows: pd.DataFrame, color: str = BLUE, at: Sequence[int] | None = None
) -> None:
    """One line per variant from above: mean with its interval, seeds as small points."""
    places = range(len(rows)) if at is None else at
    for y, row in zip(places, rows.to_dict("records"), strict=True):
        ax.plot([row["ci_low"], row["ci_high"]], [y, y], color=color, linewidth=1.4)
        ax.plot(row["value"], y, "o", color=color, ms=4.5)
        ax.plot(row["seeds"], np.full(len(row["seeds"]), y + 0.22), ".", color="0.35", ms=3)
    ax.set_ylim(max(places, default=0) + 0.6, -0.6)
    ax.grid(axis="x", color="0.9", linewidth=0.6)
    ax.locator_params(axis="x", nbins=5)
    ax.set_axisbelow(True)


def _zoo(results: pd.DataFrame, curves: pd.DataFrame, title: str, style: Style) -> Figure:
    rows = _means(results, AUC).sort_values("value", ascending=False)
    height = max(0.24 * len(rows) + 1.0, style.width * 0.42)
    figure, axes = new_figure(style, rows=1, columns=2, height=height, title=title)
    curve, final = axes[0]
    trained = [name for name in rows.index if name in set(curves["variant"])]
    shades = _colors(trained)
    for k, name in enumerate(trained):
        run = curves.loc[curves["variant"] == name]
        mean = run.groupby("step")[["tflop", "val_roc_auc_ovr_macro"]].mean()
        marker = MARKERS[k % len(MARKERS)]
        curve.plot(
            mean["tflop"], mean["val_roc_auc_ovr_macro"], color=shades[name], marker=marker, ms=3.5
        )
    curve.locator_params(axis="x", nbins=5)
    curve.set(xlabel=r"training compute, $10^{12}$ operations", ylabel=f"validation {AUC_LABEL}")
    _intervals(final, rows, "0.2")
    for y, name in enumerate(rows.index):
        if name in shades:
            marker = MARKERS[trained.index(name) % len(MARKERS)]
            final.plot(rows["value"][name], y, marker, color=shades[name], ms=5.5)
    final.set_yticks(range(len(rows)), [_label(name) for name in rows.index])
    final.set(xlabel=f"test {AUC_LABEL}")
    return figure


def _colors(names: Sequence[str]) -> dict[str, tuple]:
    shades = matplotlib.colormaps["viridis"](np.linspace(0, 0.9, max(len(names), 2)))
    return {name: tuple(shade) for name, shade in zip(names, shades, strict=False)}


def _ablation(results: pd.DataFrame, title: str, style: Style) -> Figure:
    area, gain = _means(results, AUC), _means(results, GAIN)
    height = 0.26 * len(area) + 1.1
    figure, axes = new_figure(style, rows=1, columns=2, height=height, title=title)
    _intervals(axes[0, 0], area)
    _intervals(axes[0, 1], gain, at=[list(area.index).index(name) for name in gain.index])
    axes[0, 0].set_yticks(range(len(area)), [_label(name) for name in area.index])
    axes[0, 0].set(xlabel=f"validation {AUC_LABEL}")
    axes[0, 1].set_yticks(range(len(area)), [""] * len(area))
    axes[0, 1].axvline(0, color=CHANCE, linestyle="--", linewidth=0.8)
    axes[0, 1].set(xlabel="difference from shipped, paired")
    return figure


def _scaling(results: pd.DataFrame, title: str, style: Style) -> Figure:
    rows = _means(results, AUC)
    n = np.array([int(str(name).removeprefix("n")) for name in rows.index])
    order = np.argsort(n)
    rows, n = rows.iloc[order], n[order]
    figure, axes = new_figure(
        style, rows=1, columns=1, height=style.width * 0.42, width=style.width * 0.6, title=title
    )
    ax = axes[0, 0]
    ends = [rows["value"] - rows["ci_low"], rows["ci_high"] - rows["value"]]
    ax.errorbar(n, rows["value"], np.clip(ends, 0, None), color=BLUE, marker="o", ms=4.5)
    for x, seeds in zip(n, rows["seeds"], strict=True):
        ax.plot(np.full(len(seeds), x * 1.04), seeds, ".", color="0.35", ms=3)
    ax.set(xscale="log", xlabel="training images per class", ylabel=f"test {AUC_LABEL}")
    ax.set_xticks(n, [f"{value:,}" for value in n])
    ax.minorticks_off()
    handles = [
        Line2D([], [], color=BLUE, marker="o", ms=4.5, label="mean over seeds, 95 % interval"),
        Line2D([], [], color="0.35", marker=".", ls="", ms=3, label="one seed"),
    ]
    ax.legend(handles=handles, loc="lower right")
    return figure
