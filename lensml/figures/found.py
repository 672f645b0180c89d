"""What is there beside what was found: true convergence, and that which explains a residual."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, SymLogNorm

from lensml.figures.sky import draw_image, label_sky_axes
from lensml.figures.style import Style, apply_style, new_figure, readable, save
from lensml.tables import read_arrays

MAPS = ("image", "residual", "kappa", "kappa_std", "true_kappa")
RESIDUAL_LIMIT = 4.0  # standard deviations of the noise
LINEAR = 2e-3  # convergence up to which colours are linear: subhalos beside a vortex
HEADINGS = ("image", "residual of\nthe smooth lens", "convergence\nfound", "true\nsubstructure")


def plot_found(
    examples: str | Path, *, title: str, style: Style, output: Sequence[str | Path]
) -> None:
    """Draw examples as rows: image, residual, convergence found and its truth.

    Args:
        examples: .npz file of :func:`lensml.evaluation.anomaly.found.collect_found`.
        title: above all panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: an array is missing, or there is no example.
    """
    arrays = read_arrays(examples, ["label", *MAPS, "correlation", "pixel_scale"])
    n, scale = len(arrays["label"]), float(arrays["pixel_scale"])
    with apply_style(style):
        height = n * style.width * 0.2 + 1.6
        figure, axes = new_figure(
            style, rows=n, columns=4, height=height, title=title, layout="compressed"
        )
        brightness = matplotlib.colormaps[style.color_map]
        left = ScalarMappable(Normalize(-RESIDUAL_LIMIT, RESIDUAL_LIMIT), "RdBu_r")
        high = float(np.percentile(np.abs(arrays["kappa"]), 99.8)) or 1.0
        high = max(high, 2 * LINEAR)
        mass = ScalarMappable(SymLogNorm(LINEAR, vmin=-high, vmax=high), "PuOr_r")
        for ax, heading in zip(axes[0], HEADINGS, strict=True):
            ax.set_title(heading)
        for row, k in zip(axes, range(n), strict=True):
            image = arrays["image"][k]
            own = ScalarMappable(Normalize(*np.percentile(image, [1, 99.8])), brightness)
            draw_image(row[0], image, scale, own)
            draw_image(row[1], arrays["residual"][k], scale, left)
            draw_image(row[2], arrays["kappa"][k], scale, mass)
            draw_image(row[3], arrays["true_kappa"][k], scale, mass)
            if np.isfinite(arrays["correlation"][k]):
                words = f"r = {arrays['correlation'][k]:.2f}"
                box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.5}
                row[2].text(0.04, 0.96, words, transform=row[2].transAxes, va="top", bbox=box)
        label_sky_axes(axes, [readable(str(label)) for label in arrays["label"]])
        for look, columns, aspect, label, ticks in (
            (left, axes[:, 1], 15, "residual over\nnoise rms", None),
            (mass, axes[:, 2:], 30, "convergence of a pixel", _decades(high)),
        ):
            look_of_bar = {"location": "bottom", "aspect": aspect, "extend": "both"}
            figure.colorbar(look, ax=columns, label=label, ticks=ticks, **look_of_bar)
        save(figure, output)


def _decades(high: float) -> list[float]:
    """Powers of ten up to ``high`` where colours are logarithmic, on either side of 0.

    Those within the linear part would touch its 0.
    """
    exponents = np.arange(np.ceil(np.log10(LINEAR)), np.floor(np.log10(high)) + 1)
    above = [float(10**e) for e in exponents] or [LINEAR]
    return [*(-value for value in reversed(above)), 0.0, *above]
