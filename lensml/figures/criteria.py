"""Figure of criteria without labels: how they order adapted classifiers, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lensml.figures.style import (
    CHANCE,
    Style,
    apply_style,
    colors_of,
    legend_below,
    new_figure,
    save,
)
from lensml.tables import of_seeds, read_table

COLUMNS = ["source_domain", "target_domain", "criterion", "seed", "metric"]
INTERVAL = ["value", "ci_low", "ci_high"]
AXES = {
    "spearman": "rank correlation with the accuracy",
    "accuracy_regret": "accuracy lost by following it",
}
CRITERION_LABELS = {
    "im": "information maximisation",
    "certainty": "mean certainty",
    "diversity": "diversity of classes",
    "balance": "equal shares of classes",
    "logit_spread": "spread of the logits",
    "mmd": "distance of embeddings (MMD)",
    "a_distance": "proxy A-distance",
    "dev": "deep embedded validation",
    "snd": "soft neighbourhood density",
    "bnm": "nuclear norm",
    "at random": "a run at random",
}
EVERY = "every pair"
DARK = "black"  # the mean over pairs


def plot_criteria(
    table: str | Path,
    *,
    labels: Mapping[str, str],
    title: str,
    style: Style,
    output: Sequence[str | Path],
) -> None:
    """Draw rank correlation and regret of every criterion, a colour per pair.

    Args:
        table: CSV file with columns ``source_domain``, ``target_domain``, ``criterion``,
            ``seed``, ``metric`` (``spearman`` or ``accuracy_regret``), ``value``, ``ci_low`` and
            ``ci_high``.
        labels: of the domains.
        title: above all panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if the table is empty or lacks a column.
    """
    results = of_seeds(read_table(table, [*COLUMNS, *INTERVAL]))
    criteria = [name for name in CRITERION_LABELS if name in set(results["criterion"])]
    pairs = list(
        dict.fromkeys(zip(results["source_domain"], results["target_domain"], strict=True))
    )
    names = [_name(pair, labels) for pair in pairs]
    of_pairs = colors_of(names)
    colors = [DARK if EVERY in pair else of_pairs[_name(pair, labels)] for pair in pairs]
    with apply_style(style):
        height = (0.14 * len(pairs) + 0.16) * len(criteria) + 1.3
        figure, axes = new_figure(style, rows=1, columns=len(AXES), height=height, title=title)
        for ax, (metric, label) in zip(axes[0], AXES.items(), strict=True):
            rows = results.loc[results["metric"] == metric]
            for k, (pair, color) in enumerate(zip(pairs, colors, strict=True)):
                here = (rows["source_domain"] == pair[0]) & (rows["target_domain"] == pair[1])
                own = rows.loc[here].set_index("criterion")
                _draw(ax, own.reindex(criteria), (k + 0.5) / len(pairs) - 0.5, color)
            _frame(ax, criteria, label, named=ax is axes[0, 0])
        axes[0, 0].axvline(0, color=CHANCE, linestyle="--", linewidth=0.8)
        axes[0, 0].set_xlim(-1.05, 1.05)
        axes[0, 1].set_xlim(left=0)
        handles = [
            Line2D([], [], color=color, marker="o", ms=3.5, label=name)
            for name, color in zip(names, colors, strict=True)
        ]
        handles.append(Line2D([], [], color=CHANCE, linestyle="--", label="no relation"))
        legend_below(figure, handles, style=style)
        save(figure, output)


def _name(pair: tuple[str, str], labels: Mapping[str, str]) -> str:
    return "mean over pairs" if EVERY in pair else " to ".join(labels.get(n, n) for n in pair)


def _draw(ax: Axes, rows: pd.DataFrame, shift: float, color: str) -> None:
    """Values with their intervals, one per line of the axis."""
    value, low, high = (rows[name].to_numpy(dtype=float) for name in INTERVAL)
    places = np.arange(len(rows)) + 0.8 * shift
    reach = np.clip([value - low, high - value], 0, None)
    ax.errorbar(value, places, xerr=reach, fmt="o", ms=3.5, color=color, elinewidth=1.1, capsize=0)


def _frame(ax: Axes, criteria: Sequence[str], label: str, *, named: bool) -> None:
    ax.set_yticks(range(len(criteria)), [CRITERION_LABELS[n] if named else "" for n in criteria])
    ax.set_ylim(len(criteria) - 0.4, -0.6)
    for line in np.arange(len(criteria) - 1) + 0.5:
        ax.axhline(line, color="0.92", linewidth=0.5)
    ax.set_xlabel(label)
    ax.grid(axis="x", color="0.9", linewidth=0.6)
    ax.set_axisbelow(True)
