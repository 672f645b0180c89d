"""Figures of a search of hyperparameters: its trials, what mattered, and every parameter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from lensml.figures.style import (
    BLUE,
    CHANCE,
    Style,
    apply_style,
    hide_unused,
    legend_below,
    new_figure,
    panel_grid,
    save,
)
from lensml.tables import read_table

AUC = "roc_auc_ovr_macro"
AUC_LABEL = "validation AUC, mean over classes"
TRIALS = ["trial", "shipped", "state", AUC, "ci_low", "ci_high"]
IMPORTANCE = ["parameter", "importance", "ci_low", "ci_high"]
ORANGE = "#D55E00"  # the shipped recipe
COLUMNS = 4  # of panels
WIDE = 10.0  # a span of a larger ratio is drawn on a logarithmic axis


def plot_search_trials(
    trials: str | Path,
    importance: str | Path,
    *,
    title: str,
    style: Style,
    output: Sequence[str | Path],
) -> None:
    """Draw the AUC of every trial in the order of its start, and the parameters' importance.

    Args:
        trials: CSV file with columns ``trial``, ``shipped``, ``state``, ``roc_auc_ovr_macro``,
            ``ci_low`` and ``ci_high``.
        importance: CSV file with columns ``parameter``, ``importance``, ``ci_low`` and
            ``ci_high``.
        title: above all panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if a table is empty or lacks a column.
    """
    table = read_table(trials, TRIALS)
    shares = read_table(importance, IMPORTANCE)
    with apply_style(style):
        figure, axes = new_figure(style, rows=1, columns=2, height=style.width * 0.42, title=title)
        _draw_trials(axes[0, 0], table.sort_values("trial"))
        _draw_importance(axes[0, 1], shares)
        legend_below(figure, _handles(), style=style)
        save(figure, output)


def _draw_trials(ax: Axes, table: pd.DataFrame) -> None:
    finished = table.loc[table["state"] == "complete"]
    pruned = table.loc[table["state"] == "pruned"]
    others = finished.loc[~finished["shipped"]]
    shipped = finished.loc[finished["shipped"]]
    for rows, color in ((others, BLUE), (shipped, ORANGE)):
        ends = [rows[AUC] - rows["ci_low"], rows["ci_high"] - rows[AUC]]
        ax.errorbar(
            rows["trial"], rows[AUC], np.clip(ends, 0, None), fmt="o", ms=4, color=color, lw=1
        )
    ax.plot(pruned["trial"], pruned[AUC], "x", color="0.5", ms=4)
    ax.step(
        finished["trial"], finished[AUC].cummax(), where="post", color="0.2", linewidth=1, zorder=1
    )
    ax.set(xlabel="trial", ylabel=AUC_LABEL)


def _handles() -> list:
    return [
        Line2D([], [], color=ORANGE, marker="o", ls="", ms=4, label="shipped"),
        Line2D([], [], color=BLUE, marker="o", ls="", ms=4, label="finished, 95 % interval"),
        Line2D([], [], color="0.5", marker="x", ls="", ms=4, label="pruned, when stopped"),
        Line2D([], [], color="0.2", lw=1, label="best so far"),
    ]


def _draw_importance(ax: Axes, shares: pd.DataFrame) -> None:
    places = np.arange(len(shares))
    ax.barh(places, shares["importance"], color=BLUE, height=0.6)
    ax.hlines(places, shares["ci_low"], shares["ci_high"], color="0.2", linewidth=1.2)
    ax.set_yticks(places, [_label(name) for name in shares["parameter"]])
    ax.invert_yaxis()
    ax.set(xlabel="share of the variance over trials (fANOVA)", xlim=(0, None))


def _label(name: object) -> str:
    return str(name).partition(".")[2].replace("_", " ")


def plot_search_parameters(
    trials: str | Path,
    importance: str | Path,
    *,
    title: str,
    style: Style,
    output: Sequence[str | Path],
) -> None:
    """Draw the AUC of the finished trials against every parameter, the most important first.

    Args: as for :func:`plot_search_trials`; ``trials`` has a column per parameter, too.

    Raises:
        ValueError: if a table is empty or lacks a column.
    """
    shares = read_table(importance, IMPORTANCE)
    names = list(shares["parameter"])
    table = read_table(trials, [*TRIALS, *names])
    finished = table.loc[table["state"] == "complete"]
    rows, columns = panel_grid(len(names), most=COLUMNS)
    height = style.width * 0.27 * rows + 0.3
    with apply_style(style):
        figure, axes = new_figure(style, rows=rows, columns=columns, height=height, title=title)
        for ax, name in zip(axes.ravel(), names, strict=False):
            _draw_parameter(ax, finished, name)
        hide_unused(axes.ravel(), len(names))
        for row in axes:
            row[0].set_ylabel("validation AUC")
            for ax in row[1:]:
                ax.sharey(row[0])
                ax.tick_params(labelleft=False)
        save(figure, output)


def _draw_parameter(ax: Axes, finished: pd.DataFrame, name: str) -> None:
    texts = [str(value) for value in finished[name]]
    try:
        x = np.array([float(text) for text in texts])
    except ValueError:
        choices = sorted(set(texts), key=lambda text: (len(text), text))
        x = np.array([float(choices.index(text)) for text in texts])
        ax.set_xticks(range(len(choices)), [_choice(c) for c in choices], rotation=30, ha="right")
        ax.set_xlim(-0.5, len(choices) - 0.5)
    else:
        if x.min() > 0 and x.max() / x.min() > WIDE:
            ax.set_xscale("log")
            ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
            ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            ax.xaxis.set_minor_formatter(NullFormatter())
        else:
            ax.locator_params(axis="x", nbins=4)
    shipped = finished["shipped"].to_numpy(bool)
    for chosen, color in ((~shipped, BLUE), (shipped, ORANGE)):
        ax.plot(x[chosen], finished[AUC].to_numpy()[chosen], "o", color=color, ms=3.5)
    ax.axhline(finished.loc[shipped, AUC].mean(), color=CHANCE, linestyle="--", linewidth=0.7)
    ax.set(xlabel=_label(name))


def _choice(text: str) -> str:
    """A list without its brackets."""
    value = json.loads(text) if text.startswith("[") else text
    return "-".join(map(str, value)) if isinstance(value, list) else str(value)
