"""Regression: predicted against true values, and whether its intervals hold what they should."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import erf
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lensml.figures.style import (
    BLUE,
    CHANCE,
    ORANGE,
    VERMILION,
    Style,
    apply_style,
    legend_below,
    new_figure,
    readable,
    save,
)
from lensml.tables import read_table

QUANTITIES = {
    "log10_mass_fraction": r"$\log_{10}\,(M_\mathrm{sub}\,/\,M({<}\theta_\mathrm{E}))$",
    "log10_axion_mass": r"$\log_{10}\,(m_\mathrm{a}\,/\,\mathrm{eV})$",
}
COLUMNS = ["truth", "mean", "std_raw", "std"]
N_BARS = 40  # images with an error bar
N_BINS = 8  # of equal count, for the running median
SHOWN = (0.5, 99.5)  # percentiles of the truth between which a panel shows it
RAW, SCALED = ORANGE, BLUE


def plot_regression(
    runs: Sequence[Mapping[str, str]],
    *,
    title: str,
    style: Style,
    output: Sequence[str | Path],
) -> None:
    """Draw predictions against truth and calibration, a row per class and encoder.

    Args:
        runs: mappings with ``substructure`` (class), ``target`` (what is regressed), ``model`` and
            ``path`` of a predictions.csv with columns ``truth``, ``mean``, ``std_raw`` and
            ``std``, one per seed. Predictions are of the first seed, calibration is of each.
        title: above all panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if there is no run, or a table is empty or lacks a column.
    """
    groups = _by_class_and_model(runs)
    several = len({model for _, model, _ in groups}) > 1
    with apply_style(style):
        figure, axes = new_figure(
            style,
            rows=len(groups),
            columns=2,
            height=len(groups) * style.width * 0.4 + 0.7,
            width=style.width * 0.9,
            title=title,
        )
        for row, ((label, model, target), tables) in zip(axes, groups.items(), strict=True):
            name = readable(label) + (f", {readable(model)}" if several else "")
            _draw_predictions(row[0], tables[0], QUANTITIES.get(target, target))
            row[0].set_title(name, loc="left")
            _draw_calibration(row[1], tables)
        legend_below(figure, _handles(), style=style)
        save(figure, output)


def _by_class_and_model(
    runs: Sequence[Mapping[str, str]],
) -> dict[tuple[str, str, str], list[pd.DataFrame]]:
    if not runs:
        raise ValueError("runs: nothing to plot; expected one per class, encoder and seed")
    groups: dict[tuple[str, str, str], list[pd.DataFrame]] = {}
    for run in runs:
        table = read_table(run["path"], COLUMNS, finite=COLUMNS)
        key = (run["substructure"], run["model"], run["target"])
        groups.setdefault(key, []).append(table)
    return groups


def _draw_predictions(ax: Axes, table: pd.DataFrame, quantity: str) -> None:
    truth, mean = table["truth"].to_numpy(float), table["mean"].to_numpy(float)
    std = table["std"].to_numpy(float)
    ax.scatter(truth, mean, s=4, color="0.6", alpha=0.5, linewidths=0, zorder=1)
    # Rows come in the order of the images, which is random: the first are a fair sample.
    few = slice(0, N_BARS)
    bars = {"fmt": "o", "ms": 2, "elinewidth": 0.5, "zorder": 2}
    ax.errorbar(truth[few], mean[few], std[few], color=BLUE, alpha=0.45, **bars)
    centre, quantiles = running_quantiles(truth, mean)
    ax.fill_between(
        centre, quantiles[0], quantiles[2], color=VERMILION, alpha=0.25, lw=0, zorder=3
    )
    ax.plot(centre, quantiles[1], color=VERMILION, zorder=4)
    low, high = np.percentile(truth, SHOWN)
    ax.axline((low, low), slope=1, color="black", linestyle="--", linewidth=0.8, zorder=5)
    ax.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    ax.set(xlabel=f"true {quantity}", ylabel=f"predicted {quantity}")
    ax.locator_params(nbins=5)


def running_quantiles(truth: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles of the predictions in bins of equal count of the truth.

    Args:
        truth, mean: (N,).

    Returns:
        Median truth of each bin, (K,), and the 16, 50 and 84 % quantiles of the predictions in it,
        (3, K).
    """
    bins = np.array_split(np.argsort(truth, kind="stable"), min(N_BINS, len(truth)))
    centre = np.array([np.median(truth[b]) for b in bins])
    return centre, np.array([np.quantile(mean[b], [0.16, 0.5, 0.84]) for b in bins]).T


def _draw_calibration(ax: Axes, tables: Sequence[pd.DataFrame]) -> None:
    nominal = np.linspace(0, 1, 101)
    spread = 1.96 * np.sqrt(nominal * (1 - nominal) / min(len(t) for t in tables))
    ax.fill_between(nominal, nominal - spread, nominal + spread, color="0.9", lw=0)
    ax.axline((0, 0), slope=1, color=CHANCE, linestyle="--", linewidth=0.8)
    for table in tables:
        for column, color, line in (("std_raw", RAW, "-."), ("std", SCALED, "-")):
            x, y = coverage(table, column)
            ax.plot(x, y, color=color, linestyle=line)
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    ax.set(xlabel="nominal probability of the central interval", ylabel="share of the truth in it")


def coverage(table: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Share of the truth inside the central interval of every probability.

    An image's truth lies on the edge of the central interval of probability erf(|pull| / sqrt 2).

    Args:
        table: columns ``truth``, ``mean`` and ``column``, the standard deviation.
        column: its name.

    Returns:
        Nominal probabilities and shares, (N + 2,) each, from (0, 0) to (1, 1).
    """
    pull = np.abs(table["truth"] - table["mean"]) / table[column]
    edge = np.sort([erf(p / 2**0.5) for p in pull])
    share = np.arange(1, len(edge) + 1) / len(edge)
    return np.concatenate([[0], edge, [1]]), np.concatenate([[0], share, [1]])


def _handles() -> list:
    some = rf"$\pm1\sigma$ of {N_BARS} images"
    return [
        Line2D([], [], color="0.6", marker="o", ms=2.5, ls="", label="test image"),
        Line2D([], [], color=BLUE, marker="o", ms=2.5, lw=0.8, label=some),
        Line2D([], [], color=VERMILION, label="running median"),
        Patch(fc=(VERMILION, 0.25), label="running 16–84 %"),
        Line2D([], [], color="black", linestyle="--", lw=0.8, label="prediction = truth"),
        Line2D([], [], color=RAW, linestyle="-.", label=r"$\sigma$ as predicted"),
        Line2D([], [], color=SCALED, label=r"$\sigma$ scaled on validation images"),
        Line2D([], [], color=CHANCE, linestyle="--", lw=0.8, label="calibrated"),
        Patch(fc="0.9", label="calibrated, 95 % pointwise"),
    ]
