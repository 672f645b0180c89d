"""Simulated lenses of each class, with the substructure that was put into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib import patheffects
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PathCollection
from matplotlib.colors import AsinhNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from lensml.figures.sky import draw_image, label_sky_axes
from lensml.figures.style import (
    SMALL,
    Style,
    apply_style,
    in_known_order,
    legend_below,
    new_figure,
    readable,
    save,
)
from lensml.tables import read_arrays

PER_IMAGE = ["image", "label", "background_rms", "theta_E", "m_sub_total"]
PER_PERTURBER = [f"perturber_{name}" for name in ("x", "y", "mass", "length", "angle")]
OFFSET = "perturber_offset"

LINEAR_WIDTH = 5.0  # the stretch is linear up to about this signal-to-noise ratio
MOST = 5  # panels in a row: in narrower ones the captions would not fit
HEAVIEST = 30  # points that are drawn: circles of a thousand subhalos would hide the lens
TRUTH = "#7FE3FF"
# Dark below light lines show on any colour map, on sky and on bright arcs alike.
OUTLINE = [patheffects.Stroke(linewidth=1.6, foreground="black", alpha=0.6), patheffects.Normal()]


def plot_gallery(
    examples: str | Path, *, title: str, style: Style, output: Sequence[str | Path]
) -> None:
    """Draw images class by class, with the heaviest subhalos as circles and vortices as lines.

    Args:
        examples: .npz file with ``image`` (N, H, W), e-/s; ``label`` (N,) str; ``background_rms``
            (N,), e-/s; ``theta_E`` (N,), arcsec, and ``m_sub_total`` (N,), Msun, NaN where not
            known; ``pixel_scale``, arcsec; ``perturber_offset`` (N + 1,) int, rows of image i are
            offset[i]:offset[i+1] of ``perturber_x``, ``perturber_y`` (arcsec),
            ``perturber_mass`` (Msun),
            ``perturber_length`` (arcsec) and ``perturber_angle`` (rad), both NaN for points.
        title: above all panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if an array is missing, there is no example, or offsets do not fit.
    """
    arrays = read_arrays(examples, [*PER_IMAGE, *PER_PERTURBER, OFFSET, "pixel_scale"])
    _check_offsets(arrays, examples)
    rows = _rows_of(arrays["label"])
    columns = max(len(members) for _, members in rows)
    with apply_style(style):
        side = min(style.width * 0.84 / columns, style.width * 0.3)
        width = min(style.width, columns * side + 1.9)
        height = len(rows) * side + 1.05
        figure, axes = new_figure(
            style,
            rows=len(rows),
            columns=columns,
            height=height,
            width=width,
            title=title,
            layout="compressed",
        )
        label_sky_axes(axes, [readable(name) for name, _ in rows])
        _draw_all(figure, axes, arrays, [members for _, members in rows], style)
        save(figure, output)


def _rows_of(labels: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Class and indices of the images of each row of panels, at most MOST of them in a row."""
    rows = []
    for name in in_known_order(str(label) for label in labels):
        members = np.flatnonzero(labels == name)
        rows += [(name, members[start : start + MOST]) for start in range(0, len(members), MOST)]
    return rows


def _check_offsets(arrays: Mapping[str, np.ndarray], path: str | Path) -> None:
    offset, n_rows = arrays[OFFSET], len(arrays["perturber_x"])
    if len(offset) != len(arrays["image"]) + 1 or offset[0] != 0 or offset[-1] != n_rows:
        raise ValueError(
            f"{path}: array '{OFFSET}' has {len(offset)} entries from {offset[:1]} to "
            f"{offset[-1:]}; expected {len(arrays['image']) + 1} from 0 to {n_rows}"
        )


def _draw_all(
    figure: Figure,
    axes: np.ndarray,
    arrays: Mapping[str, np.ndarray],
    rows: Sequence[np.ndarray],
    style: Style,
) -> None:
    signal = arrays["image"] / arrays["background_rms"][:, None, None]
    top = max(10.0, float(np.percentile(signal, 99.9)))
    look = ScalarMappable(AsinhNorm(LINEAR_WIDTH, vmin=-3, vmax=top), style.color_map)
    for row, members in zip(axes, rows, strict=True):
        for ax, i in zip(row, members, strict=False):
            draw_image(ax, signal[i], float(arrays["pixel_scale"]), look)
            _draw_truth(ax, arrays, i)
            _write_caption(ax, arrays, i, style)
        for ax in row[len(members) :]:
            ax.set_axis_off()
    ticks = [tick for tick in (0, 5, 10, 20, 50, 100, 200, 500, 1000, 5000) if tick < top]
    label = "flux / background rms"
    bar = figure.colorbar(look, ax=axes, label=label, ticks=ticks, pad=0.02, aspect=40)
    bar.ax.set_yticklabels([str(tick) for tick in ticks])
    bar.minorticks_off()
    handles = _truth_handles(axes[0, 0], arrays)
    if handles:
        most = np.diff(arrays[OFFSET]).max()
        note = f"the {HEAVIEST} heaviest subhalos of {most}" if most > HEAVIEST else ""
        legend_below(figure, handles, style=style, title=note)


def _draw_points(
    ax: Axes, x: ArrayLike, y: ArrayLike, mass: np.ndarray, label: str = ""
) -> PathCollection:
    """Circles at arcsec (x, y) whose size for a mass in Msun is the same in every figure."""
    diameter = 2.0 + 1.6 * np.clip(np.log10(mass) - 6, 0, 4)  # points
    look = {"facecolors": "none", "edgecolors": TRUTH, "linewidths": 0.5}
    return ax.scatter(x, y, s=diameter**2, path_effects=OUTLINE, label=label, **look)


def _draw_truth(ax: Axes, arrays: Mapping[str, np.ndarray], i: int) -> None:
    start, stop = arrays[OFFSET][i : i + 2]
    x, y, mass, length, angle = (arrays[name][start:stop] for name in PER_PERTURBER)
    point = np.isnan(length)
    limits = ax.axis()
    drawn = _heaviest(mass, point)
    _draw_points(ax, x[drawn], y[drawn], mass[drawn])
    step = 0.5 * length * np.array([np.cos(angle), np.sin(angle)])
    for k in np.flatnonzero(~point):
        ends = [x[k] - step[0, k], x[k] + step[0, k]], [y[k] - step[1, k], y[k] + step[1, k]]
        ax.plot(*ends, color=TRUTH, linewidth=0.9, path_effects=OUTLINE)
    ax.axis(limits)  # what lies outside the image does not widen the panel


def _heaviest(mass: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Indices of the points of one image that are drawn."""
    points = np.flatnonzero(point)
    return points[np.argsort(-mass[points], kind="stable")[:HEAVIEST]]


def _write_caption(ax: Axes, arrays: Mapping[str, np.ndarray], i: int, style: Style) -> None:
    mass, theta_e = float(arrays["m_sub_total"][i]), float(arrays["theta_E"][i])
    look = {
        "color": "white",
        "fontsize": style.font_size * SMALL * 0.9,
        "transform": ax.transAxes,
        "path_effects": OUTLINE,
    }
    if np.isfinite(theta_e):  # of images of files nobody knows it
        ax.text(0.96, 0.04, rf"$\theta_E$ = {theta_e:.2f}$''$", ha="right", va="bottom", **look)
    if mass > 0:
        text = rf"$M_\mathrm{{sub}} = 10^{{{np.log10(mass):.1f}}}\,M_\odot$"
        ax.text(0.04, 0.96, text, ha="left", va="top", **look)


def _truth_handles(ax: Axes, arrays: Mapping[str, np.ndarray]) -> list[Artist]:
    """Legend of circles for the decades of mass that occur, and of the line."""
    point, mass = np.isnan(arrays["perturber_length"]), arrays["perturber_mass"]
    handles: list[Artist] = []
    if point.any():
        images = [slice(*ends) for ends in pairwise(arrays[OFFSET])]
        logs = np.log10(np.concatenate([mass[i][_heaviest(mass[i], point[i])] for i in images]))
        for decade in range(int(np.floor(logs.min())), int(np.ceil(logs.max())) + 1):
            label = rf"$10^{{{decade}}}\,M_\odot$"
            handles.append(_draw_points(ax, [], [], np.array([10.0**decade]), label=label))
    if not point.all():
        look = {"color": TRUTH, "linewidth": 0.9, "path_effects": OUTLINE}
        handles.append(Line2D([], [], label="vortex", **look))
    return handles
