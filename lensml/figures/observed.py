"""Observed lenses as the networks see them, and what these make of them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from lensml.figures.sky import draw_image, label_sky_axes
from lensml.figures.style import COLORS, Style, apply_style, new_figure, readable, save
from lensml.tables import read_arrays

LIMIT = 10.0  # of the residual, in units of the noise
WRAP = 34  # characters of a line of the statement


def plot_observed(
    examples: str | Path,
    *,
    classes: Sequence[str],
    title: str,
    style: Style,
    output: Sequence[str | Path],
) -> None:
    """Draw one row per lens: image, residual of the masked reconstruction, class probabilities.

    Args:
        examples: .npz file with ``pixel_scale``, arcsec, and if there is a lens, ``lens`` and
            ``statement`` (N,) str; ``image`` (N, H, W) in the network's stretched units;
            ``p_<class>`` (N,), NaN of a lens that has none, and ``p_<class>_std`` (N,), NaN of one
            seed; ``residual`` (N, H, W) in units of the noise's rms, where there is a masked
            autoencoder.
        classes: whose probabilities are drawn.
        title: above all panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if an array is missing.
    """
    with np.load(examples, allow_pickle=False) as stored:
        known = set(stored)
    with apply_style(style):
        if "image" not in known:
            figure, axes = new_figure(style, rows=1, columns=1, height=1.2, title=title)
            axes[0, 0].set_axis_off()
            axes[0, 0].text(0.5, 0.5, "no image that could be scored", ha="center")
            save(figure, output)
            return
        shown = ["image", *(["residual"] if "residual" in known else [])]
        bars = [f"p_{name}{end}" for name in classes for end in ("", "_std")]
        arrays = read_arrays(examples, ["lens", "statement", "pixel_scale", *shown, *bars])
        n, columns = len(arrays["image"]), len(shown) + 1
        height = n * style.width * 0.3 + 0.9
        figure, axes = new_figure(style, rows=n, columns=columns, height=height, title=title)
        looks = {"image": _image_looks(arrays["image"], style)}
        if "residual" in shown:
            same = ScalarMappable(Normalize(-LIMIT, LIMIT), matplotlib.colormaps["RdBu_r"])
            looks["residual"] = [same] * n
        for k, name in enumerate(shown):
            for i, ax in enumerate(axes[:, k]):
                draw_image(ax, arrays[name][i], float(arrays["pixel_scale"]), looks[name][i])
        axes[0, 0].set_title("image")
        if "residual" in shown:
            axes[0, 1].set_title("masked residual")
            figure.colorbar(
                looks["residual"][0],
                ax=axes[:, 1],
                location="bottom",
                label="image minus reconstruction,\nunits of the noise's rms",
                shrink=0.8,
                extend="both",
            )
        names = [_plain(str(name)) for name in arrays["lens"]]
        label_sky_axes(axes[:, : len(shown)], names)
        for i, ax in enumerate(axes[:, -1]):
            _draw_probabilities(ax, arrays, i, classes)
        axes[-1, -1].set_xlabel("probability")
        save(figure, output)


def _plain(text: str) -> str:
    """A text without mathematics: a dollar in a name is a dollar."""
    return text.replace("$", r"\$")


def _image_looks(images: np.ndarray, style: Style) -> list[ScalarMappable]:
    """Every image on its own scale: they differ in depth."""
    colors = matplotlib.colormaps[style.color_map]
    limits = [np.percentile(image, [1, 99.8]) for image in images]
    return [ScalarMappable(Normalize(low, high), colors) for low, high in limits]


def _draw_probabilities(ax: Axes, arrays: dict, i: int, classes: Sequence[str]) -> None:
    text = textwrap.fill(_plain(str(arrays["statement"][i])), WRAP)
    ax.set_title(text, fontsize="small", loc="left")
    if not np.isfinite([arrays[f"p_{name}"][i] for name in classes]).all():
        ax.set_axis_off()
        ax.text(0, 0.5, "no probabilities", color="0.4", transform=ax.transAxes)
        return
    for k, name in enumerate(classes):
        value, spread = arrays[f"p_{name}"][i], arrays[f"p_{name}_std"][i]
        ends = [[min(spread, value)], [min(spread, 1 - value)]] if np.isfinite(spread) else None
        ax.barh(k, value, xerr=ends, color=COLORS.get(name, "0.5"), height=0.6)
    ax.set_yticks(range(len(classes)), [readable(name) for name in classes])
    ax.set(xlim=(0, 1), ylim=(len(classes) - 0.5, -0.5))
