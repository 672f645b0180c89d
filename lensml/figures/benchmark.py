"""Speed of the simulator beside lenstronomy's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

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

TASK = "render and noise"
ENGINES = ("numba", "lenstronomy")
FILL: dict[str, Literal["full", "none"]] = {"numba": "full", "lenstronomy": "none"}


def plot_benchmark(table: str | Path, *, style: Style, output: Sequence[str | Path]) -> None:
    """Draw images per second of either engine, and their ratio, for rendering with noise.

    Args:
        table: CSV file with columns ``domain``, ``substructure``, ``supersampling_factor``,
            ``what``, ``engine``, ``images_per_second`` and ``ratio_to_lenstronomy``.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if the table lacks a column, or rows of rendering with noise.
    """
    keys = ["domain", "substructure", "supersampling_factor", "what", "engine"]
    results = read_table(table, [*keys, "images_per_second", "ratio_to_lenstronomy"])
    results = results.loc[results["what"] == TASK]
    if results.empty:
        raise ValueError(f"{table}: no row whose 'what' is '{TASK}'")
    places = list(
        dict.fromkeys(zip(results["domain"], results["supersampling_factor"], strict=True))
    )
    colors = colors_of(in_known_order(results["substructure"]))
    with apply_style(style):
        height = 0.32 * len(places) + 1.3
        figure, axes = new_figure(style, rows=1, columns=2, height=height)
        speed, ratio = axes[0]
        for engine in ENGINES:
            rows = results.loc[results["engine"] == engine]
            _draw(speed, rows, places, colors, "images_per_second", FILL[engine])
        rows = results.loc[results["engine"] == "numba"]
        _draw(ratio, rows, places, colors, "ratio_to_lenstronomy", "full")
        labels = [f"{readable(str(d))}, {ss}×{ss} rays" for d, ss in places]
        for ax, texts in ((speed, labels), (ratio, [""] * len(places))):
            ax.set_yticks(range(len(places)), texts)
            ax.set_ylim(len(places) - 0.5, -0.5)
            ax.set_xscale("log")
            ax.grid(axis="x", color="0.9", linewidth=0.6)
            ax.set_axisbelow(True)
        speed.set_xlabel("images per CPU second, with noise")
        ratio.set_xlabel("times faster than lenstronomy")
        handles = [
            Line2D([], [], color=c, marker="o", ms=4, linestyle="", label=readable(name))
            for name, c in colors.items()
        ]
        handles += [_key(engine) for engine in ENGINES]
        legend_below(figure, handles, style=style)
        save(figure, output)


def _key(engine: str) -> Line2D:
    label = "numba kernel" if engine == "numba" else engine
    return Line2D(
        [], [], color="black", marker="o", ms=4, linestyle="", fillstyle=FILL[engine], label=label
    )


def _draw(
    ax: Axes,
    rows: pd.DataFrame,
    places: Sequence[tuple],
    colors: Mapping[str, str],
    column: str,
    fill: Literal["full", "none"],
) -> None:
    """One marker per case; the classes of a domain stand one above the other."""
    shift = dict(zip(colors, np.linspace(-0.2, 0.2, len(colors) + 2)[1:-1], strict=True))
    for name, color in colors.items():
        chosen = rows.loc[rows["substructure"] == name]
        where = zip(chosen["domain"], chosen["supersampling_factor"], strict=True)
        y = [places.index(place) + shift[name] for place in where]
        value = chosen[column].to_numpy(dtype=float)
        ax.plot(value, y, "o", color=color, ms=4, fillstyle=fill, markeredgewidth=0.9)
