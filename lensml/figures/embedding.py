"""Features of two domains in the plane, before and after adaptation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lensml.figures.style import (
    Style,
    apply_style,
    colors_of,
    in_known_order,
    legend_below,
    new_figure,
    readable,
    save,
)
from lensml.tables import read_table

STAGES = ("before", "after")
ROLES = ("source", "target")
COLUMNS = ["stage", "domain", "role", "label", "x", "y"]


def plot_embedding(
    table: str | Path, *, title: str, style: Style, output: Sequence[str | Path]
) -> None:
    """Draw images as points: colour for the class, filled for the source domain, open for target.

    Args:
        table: CSV file with columns ``stage`` (before or after), ``domain``, ``role`` (source or
            target), ``label`` (class), ``x`` and ``y`` (plane of the embedding, no unit).
        title: above both panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if the table is empty or lacks a column, a stage or a role.
    """
    points = read_table(table, COLUMNS, finite=["x", "y"])
    _check_values(points, "stage", STAGES, table)
    _check_values(points, "role", ROLES, table)
    colors = colors_of(in_known_order(points["label"]))
    with apply_style(style):
        height = style.width * 0.46 + 0.8
        figure, axes = new_figure(style, rows=1, columns=2, height=height, title=title)
        for ax, stage in zip(axes[0], STAGES, strict=True):
            _draw_points(ax, points.loc[points["stage"] == stage], colors)
            ax.set(title=f"{stage} adaptation", xlabel="embedding, first axis")
            ax.locator_params(nbins=5)
        axes[0, 0].set_ylabel("embedding, second axis")
        legend_below(figure, _handles(points, colors), style=style)
        save(figure, output)


def _check_values(
    points: pd.DataFrame, column: str, expected: Sequence[str], path: str | Path
) -> None:
    found = set(points[column])
    if found != set(expected):
        raise ValueError(
            f"{path}: column '{column}' holds {', '.join(sorted(map(str, found)))}; "
            f"expected {' and '.join(expected)}"
        )


def _draw_points(ax: Axes, points: pd.DataFrame, colors: Mapping[str, str]) -> None:
    # A fixed shuffle: in the table's order the last class would hide the others.
    points = points.iloc[np.random.default_rng(0).permutation(len(points))]
    for role in ROLES:
        chosen = points.loc[points["role"] == role]
        face = [colors[label] for label in chosen["label"]]
        if role == "source":
            look = {"facecolors": face, "edgecolors": "none", "alpha": 0.45}
        else:
            look = {"facecolors": "none", "edgecolors": face, "alpha": 0.8, "linewidths": 0.6}
        ax.scatter(chosen["x"], chosen["y"], s=9, **look)


def _handles(points: pd.DataFrame, colors: Mapping[str, str]) -> list[Line2D]:
    handles = [
        Line2D([], [], ls="", marker="s", color=color, label=readable(name))
        for name, color in colors.items()
    ]
    for role, face in zip(ROLES, ("black", "none"), strict=True):
        domains = in_known_order(points.loc[points["role"] == role, "domain"])
        label = f"{role} domain ({', '.join(readable(name) for name in domains)})"
        look = {"marker": "o", "ms": 4, "mec": "black", "mfc": face}
        handles.append(Line2D([], [], ls="", label=label, **look))
    return handles
