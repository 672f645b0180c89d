"""Training histories: classifiers, adversarial adaptation, masked autoencoders."""

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
    ORANGE,
    VERMILION,
    Style,
    apply_style,
    colors_of,
    legend_below,
    new_figure,
    readable,
    save,
)
from lensml.tables import RUN_FILES, check_runs, read_table

AUC = "val_roc_auc_ovr_macro"
TRAIN, VAL = (0, (3, 1.2)), "-"  # line styles of the two losses
PANEL = 0.36  # height of a panel over the width of the page


def plot_history_classifier(
    histories: RUN_FILES, *, title: str, style: Style, output: Sequence[str | Path]
) -> None:
    """Draw losses and validation AUC against the epoch, one line per seed.

    A star marks the row with the highest validation AUC: the weights that are kept.

    Args:
        histories: model -> ``history.csv`` of each seed, with columns ``epoch`` (may be a
            fraction), ``train_loss``, ``val_loss`` and ``val_roc_auc_ovr_macro``.
        title: above both panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if a table is empty or lacks a column.
    """
    check_runs(histories, "histories")
    columns = ["epoch", "train_loss", "val_loss", AUC]
    tables = {name: [read_table(p, columns) for p in paths] for name, paths in histories.items()}
    colors = colors_of(tables)
    with apply_style(style):
        height = style.width * PANEL + 0.8
        figure, axes = new_figure(style, rows=1, columns=2, height=height, title=title)
        loss, auc = axes[0]
        for name, seeds in tables.items():
            for table in seeds:
                _line(loss, table, "epoch", "train_loss", colors[name], TRAIN)
                _line(loss, table, "epoch", "val_loss", colors[name], VAL)
                _line(auc, table, "epoch", AUC, colors[name], VAL)
                _mark_selected(auc, table, colors[name])
        loss.set(xlabel="epoch", ylabel="cross-entropy loss")
        auc.set(xlabel="epoch", ylabel="validation AUC, mean over classes")
        handles = [Line2D([], [], color=colors[n], label=readable(n)) for n in tables]
        handles += _loss_handles("black")
        handles.append(Line2D([], [], color="black", marker="*", ls="", label="weights kept"))
        legend_below(figure, handles, style=style)
        save(figure, output)


def plot_history_adda(
    histories: Sequence[str | Path], *, title: str, style: Style, output: Sequence[str | Path]
) -> None:
    """Draw the two players' losses, the discriminator's accuracy and the features' distance.

    Args:
        histories: ``history.csv`` of each seed, with columns ``step``, ``discriminator_loss``,
            ``discriminator_accuracy``, ``encoder_loss`` and ``feature_distance``.
        title: above all panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if a table is empty or lacks a column.
    """
    check_runs({"adda": histories}, "histories")
    losses = {"discriminator_loss": VERMILION, "encoder_loss": BLUE}
    columns = ["step", *losses, "discriminator_accuracy", "feature_distance"]
    tables = [read_table(path, columns) for path in histories]
    with apply_style(style):
        height = style.width * PANEL + 0.6
        figure, axes = new_figure(style, rows=1, columns=3, height=height, title=title)
        loss, accuracy, distance = axes[0]
        for table in tables:
            for column, color in losses.items():
                _line(loss, table, "step", column, color, VAL)
            _line(accuracy, table, "step", "discriminator_accuracy", VERMILION, VAL)
            _line(distance, table, "step", "feature_distance", "black", VAL)
        accuracy.axhline(0.5, color=CHANCE, linestyle="--", linewidth=0.8)
        loss.set(xlabel="step", ylabel="cross-entropy loss")
        accuracy.set(xlabel="step", ylabel="discriminator accuracy", ylim=(0, 1.02))
        distance.set(xlabel="step", ylabel="distance of features")
        distance.set_ylim(bottom=0)
        handles = [
            Line2D([], [], color=VERMILION, label="discriminator"),
            Line2D([], [], color=BLUE, label="target encoder"),
            Line2D([], [], color=CHANCE, linestyle="--", label="domains alike"),
        ]
        legend_below(figure, handles, style=style)
        save(figure, output)


def plot_history_mae(
    histories: Sequence[str | Path], *, title: str, style: Style, output: Sequence[str | Path]
) -> None:
    """Draw reconstruction losses and the learning rate against the epoch, one line per seed.

    Args:
        histories: ``history.csv`` of each seed, with columns ``epoch``, ``train_loss``,
            ``val_loss`` and ``learning_rate``.
        title: above both panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if a table is empty or lacks a column.
    """
    check_runs({"mae": histories}, "histories")
    columns = ["epoch", "train_loss", "val_loss", "learning_rate"]
    tables = [read_table(path, columns) for path in histories]
    with apply_style(style):
        height = style.width * PANEL + 0.6
        figure, axes = new_figure(style, rows=1, columns=2, height=height, title=title)
        loss, rate = axes[0]
        for table in tables:
            _line(loss, table, "epoch", "train_loss", ORANGE, TRAIN)
            _line(loss, table, "epoch", "val_loss", BLUE, VAL)
            _line(rate, table, "epoch", "learning_rate", "black", VAL)
        loss.set(xlabel="epoch", ylabel="error of hidden patches", yscale="log")
        rate.set(xlabel="epoch", ylabel="learning rate")
        rate.ticklabel_format(axis="y", scilimits=(-2, 3), useMathText=True)
        legend_below(figure, _loss_handles(ORANGE, BLUE), style=style)
        save(figure, output)


def _line(
    ax: Axes,
    table: pd.DataFrame,
    x: str,
    y: str,
    color: str,
    linestyle: str | tuple[float, tuple[float, ...]],
) -> None:
    # Few rows are shown as points too: a run with one row has no line to see.
    marker = "." if len(table) < 30 else ""
    look = {"color": color, "linestyle": linestyle, "marker": marker}
    ax.plot(table[x], table[y], linewidth=1, markersize=3, **look)


def _mark_selected(ax: Axes, table: pd.DataFrame, color: str) -> None:
    auc, epoch = (table[name].to_numpy(dtype=float) for name in (AUC, "epoch"))
    if np.isfinite(auc).any():
        best = np.nanargmax(auc)
        look = {"marker": "*", "markersize": 9, "mec": "black", "mew": 0.5, "zorder": 3}
        ax.plot(epoch[best], auc[best], color=color, **look)


def _loss_handles(train_color: str, val_color: str | None = None) -> list[Line2D]:
    return [
        Line2D([], [], color=train_color, linestyle=TRAIN, label="training"),
        Line2D([], [], color=val_color or train_color, linestyle=VAL, label="validation"),
    ]
