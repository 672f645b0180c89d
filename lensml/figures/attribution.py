"""Where a classifier looks, beside where the substructure is and what it does to the image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import AsinhNorm, LogNorm, Normalize, SymLogNorm
from matplotlib.figure import Figure

from lensml.figures.sky import draw_image, label_sky_axes
from lensml.figures.style import SMALL, Style, apply_style, new_figure, readable, save
from lensml.tables import read_arrays

MAPS = {
    "map_grad_cam": "Grad-CAM,\nlast map",
    "map_grad_cam_stem": "Grad-CAM,\nstem",
    "map_rollout": "attention\nrollout",
}
TRUTH = {
    "image": "image",
    "kappa": "substructure's\nconvergence",
    "difference": "its effect\non the image",
}
MAP_COLORS = "viridis"
LINEAR_WIDTH = 5.0  # scales are linear up to about this many times the noise
DECADES = 3  # of convergence below the largest that are shown
TICKS = {"image": (0, 10, 100, 1000), "difference": (-100, -10, 0, 10, 100)}
OUTLINE = [patheffects.Stroke(linewidth=1.6, foreground="black", alpha=0.6), patheffects.Normal()]


def plot_attribution(
    examples: str | Path,
    *,
    encoder: str,
    title: str,
    style: Style,
    output: Sequence[str | Path],
) -> None:
    """Draw examples as rows: image, truth of the substructure, its effect, and the maps.

    Args:
        examples: .npz file with ``label`` (N,) str, ``probability`` (N,) of it, ``image`` in units
            of the background rms, ``kappa``, ``difference`` in units of the noise rms, one or more
            of the maps in ``MAPS``, all (N, H, W), and ``pixel_scale``, arcsec.
        encoder: its name, for the title.
        title: above all panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if an array is missing or there is no example.
    """
    arrays = _read(examples)
    names = [name for name in (*TRUTH, *MAPS) if name in arrays]
    n = len(arrays["image"])
    with apply_style(style):
        side = style.width * 0.9 / len(names)
        figure, axes = new_figure(
            style,
            rows=n,
            columns=len(names),
            height=n * side + 1.7,
            title=f"{title}, {readable(encoder)}; p: probability given to the true class",
            layout="compressed",
        )
        label_sky_axes(axes, [readable(str(label)) for label in arrays["label"]])
        for ax in axes[:, 0]:  # the names of classes are as long as a panel is high
            ax.yaxis.label.set_fontsize(style.font_size * SMALL)
        for column, name in zip(axes.T, names, strict=True):
            column[0].set_title(MAPS.get(name) or TRUTH[name])
            _draw_column(figure, column, arrays[name], name, float(arrays["pixel_scale"]), style)
        for ax, label, p in zip(axes[:, 0], arrays["label"], arrays["probability"], strict=True):
            _write_probability(ax, str(label), float(p), style)
        save(figure, output)


def _read(path: str | Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as stored:
        maps = [name for name in MAPS if name in stored]
    if not maps:
        raise ValueError(f"{path}: no map to draw; expected one or more of {', '.join(MAPS)}")
    return read_arrays(path, ["label", "probability", *TRUTH, *maps, "pixel_scale"])


def _draw_column(
    figure: Figure,
    column: np.ndarray,
    pictures: np.ndarray,
    name: str,
    pixel_scale: float,
    style: Style,
) -> None:
    """One quantity of every example on one scale, with its colour bar below."""
    if name in MAPS:
        # A map's unit is that of the logits times the features': only its shape says anything.
        highest = pictures.max((1, 2), keepdims=True)
        pictures = pictures / np.where(highest > 0, highest, 1)
        look, label = ScalarMappable(Normalize(0, 1), MAP_COLORS), "over its\nmaximum"
    else:
        look, label = _look_of(name, pictures, style)
    for ax, picture in zip(column, pictures, strict=True):
        draw_image(ax, picture, pixel_scale, look)
    bar = figure.colorbar(look, ax=column, label=label, location="bottom", aspect=12, pad=0.02)
    if name != "kappa":
        highest = look.get_clim()[1] or 1.0
        ticks = [tick for tick in TICKS.get(name, (0, 1)) if abs(tick) <= highest]
        bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    bar.minorticks_off()


def _look_of(name: str, pictures: np.ndarray, style: Style) -> tuple[ScalarMappable, str]:
    if name == "image":
        top = max(10.0, float(np.percentile(pictures, 99.9)))
        norm = AsinhNorm(LINEAR_WIDTH, vmin=-3, vmax=top)
        return ScalarMappable(norm, style.color_map), "flux /\nnoise rms"
    if name == "difference":
        top = max(2.0, float(np.percentile(np.abs(pictures), 99.9)))
        norm = AsinhNorm(LINEAR_WIDTH, vmin=-top, vmax=top)
        return ScalarMappable(norm, "RdBu_r"), "change /\nnoise rms"
    top = float(np.abs(pictures).max()) or 1.0
    low = top / 10**DECADES
    if pictures.min() < -low:  # an underdense line
        return ScalarMappable(
            SymLogNorm(low, vmin=-top, vmax=top), "RdBu_r"
        ), r"$\kappa$ of a pixel"
    colors = matplotlib.colormaps[style.color_map]
    colors = colors.with_extremes(under=colors(0.0), bad=colors(0.0))
    return ScalarMappable(LogNorm(low, top), colors), r"$\kappa$ of a pixel"


def _write_probability(ax: Axes, label: str, probability: float, style: Style) -> None:
    ax.text(
        *(0.05, 0.95, f"p = {probability:.2f}"),
        **{"ha": "left", "va": "top", "color": "white", "transform": ax.transAxes},
        fontsize=style.font_size * SMALL * 0.9,
        path_effects=OUTLINE,
    )
