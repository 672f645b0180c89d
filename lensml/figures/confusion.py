"""Confusion matrices of classifiers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from lensml.figures.style import (
    SMALL,
    Style,
    apply_style,
    hide_unused,
    in_known_order,
    new_figure,
    panel_grid,
    readable,
    save,
)
from lensml.tables import PROBABILITY, RUN_FILES, classes_of, read_all_predictions

PERCENT = ScalarMappable(Normalize(0, 100), "Blues")


def plot_confusion(
    predictions: RUN_FILES, *, title: str, style: Style, output: Sequence[str | Path]
) -> None:
    """Draw a confusion matrix per model: percent of each true class, and number of images.

    Several seeds are averaged, percent and number alike.

    Args:
        predictions: model or method -> ``predictions.csv`` of each seed, with columns ``label``
            (class) and ``p_<class>`` (probability) for each class.
        title: above all matrices.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if a table is empty or lacks a column, or a class has no image.
    """
    tables = read_all_predictions(predictions)
    classes = in_known_order(classes_of(next(iter(tables.values()))[0]))
    rows, columns = panel_grid(len(tables))
    side = style.width * 0.27
    with apply_style(style):
        figure, axes = new_figure(
            style,
            rows=rows,
            columns=columns,
            height=rows * (side + 0.2) + 1.2,
            width=min(style.width, columns * side + 1.7),
            title=title,
            layout="compressed",
        )
        for ax, (name, seeds) in zip(axes.flat, tables.items(), strict=False):
            counts = np.mean([confusion_matrix(table, classes) for table in seeds], axis=0)
            _draw_matrix(ax, counts, style)
            ax.set_title(readable(name))
        hide_unused(axes.ravel(), len(tables))
        _label_axes(axes, len(tables), classes)
        figure.colorbar(PERCENT, ax=axes, label="share of true class [%]", pad=0.02)
        save(figure, output)


def confusion_matrix(predictions: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    """Number of images of each true class (rows) that were given to each class (columns).

    Args:
        predictions: columns ``label`` and ``p_<class>``.
        classes: the K classes, in the order of rows and columns.

    Returns:
        (K, K) int; the class of the highest probability counts, the first one of equal ones.
    """
    probability = predictions[[PROBABILITY + name for name in classes]].to_numpy()
    true = pd.Index(classes).get_indexer(predictions["label"].tolist())
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(counts, (true, probability.argmax(axis=1)), 1)
    return counts


def row_percent(counts: np.ndarray) -> np.ndarray:
    """Each row of a (K, K) matrix of counts as percent of its sum."""
    return 100 * counts / counts.sum(axis=1, keepdims=True)


def _draw_matrix(ax: Axes, counts: np.ndarray, style: Style) -> None:
    percent = row_percent(counts)
    ax.imshow(percent, cmap=PERCENT.cmap, vmin=0, vmax=100)
    for (row, column), value in np.ndenumerate(percent):
        ax.text(
            column,
            row,
            f"{value:.1f} %\n({counts[row, column]:.0f})",
            ha="center",
            va="center",
            fontsize=style.font_size * SMALL,
            color="white" if value > 55 else "black",
        )
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)


def _label_axes(axes: np.ndarray, n_panels: int, classes: Sequence[str]) -> None:
    """Name classes at the left of each row of panels and below the lowest panel of each column."""
    names, places = [readable(n).replace(" ", "\n") for n in classes], range(len(classes))
    columns = axes.shape[1]
    for i, ax in enumerate(axes.ravel()[:n_panels]):
        ax.set_xticks(places, [])
        ax.set_yticks(places, [])
        if i % columns == 0:
            ax.set_yticks(places, names)
            ax.set_ylabel("true class")
        if i + columns >= n_panels:
            ax.set_xticks(places, names, rotation=90)
            ax.set_xlabel("predicted class")
