"""What a masked autoencoder sees, restores and misses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.colors import Colormap, Normalize
from matplotlib.image import AxesImage

from lensml.figures.sky import draw_image, label_sky_axes
from lensml.figures.style import Style, apply_style, new_figure, readable, save
from lensml.figures.tables import read_arrays

HEADINGS = {
    "image": "image",
    "masked": "visible patches",
    "reconstruction": "reconstruction",
    "residual": "residual",
}
HIDDEN = "0.6"  # grey of what was hidden from the network


def plot_reconstructions(
    examples: str | Path, *, title: str, style: Style, output: Sequence[str | Path]
) -> None:
    """Draw examples as rows: image, visible part, reconstruction, residual.

    Args:
        examples: .npz file with ``label`` (N,) str; ``image``, ``masked`` (NaN where hidden),
            ``reconstruction`` (N, H, W) in the network's stretched units; ``residual`` (N, H, W),
            reconstruction minus image in units of the background rms; ``pixel_scale``, arcsec.
        title: above all panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if an array is missing or there is no example.
    """
    arrays = read_arrays(examples, ["label", *HEADINGS, "pixel_scale"])
    n = len(arrays["image"])
    with apply_style(style):
        height = n * style.width * 0.225 + 1.1
        figure, axes = new_figure(
            style, rows=n, columns=4, height=height, title=title, layout="compressed"
        )
        flux = _draw_columns(axes[:, :3], arrays, list(HEADINGS)[:3], _flux_look(arrays, style))
        residual = _draw_columns(axes[:, 3:], arrays, ["residual"], _residual_look(arrays))
        label_sky_axes(axes, [readable(str(label)) for label in arrays["label"]])
        bar = {"location": "bottom", "extend": "both"}
        figure.colorbar(
            flux, ax=axes[:, :3], label="stretched flux (network's units)", aspect=45, **bar
        )
        figure.colorbar(
            residual, ax=axes[:, 3], label="residual / background rms", aspect=15, **bar
        )
        save(figure, output)


Look = tuple[Colormap, Normalize]


def _flux_look(arrays: Mapping[str, np.ndarray], style: Style) -> Look:
    """One scale for all rows, from the images themselves, so that examples compare."""
    low, high = np.nanpercentile(arrays["image"], [0.5, 99.8])
    colors = matplotlib.colormaps[style.color_map].with_extremes(bad=HIDDEN)
    return colors, Normalize(low, high)


def _residual_look(arrays: Mapping[str, np.ndarray]) -> Look:
    """Red where the reconstruction is too bright, blue where it is too faint."""
    limit = np.nanpercentile(np.abs(arrays["residual"]), 99)
    return matplotlib.colormaps["RdBu_r"].with_extremes(bad=HIDDEN), Normalize(-limit, limit)


def _draw_columns(
    axes: np.ndarray, arrays: Mapping[str, np.ndarray], names: Sequence[str], look: Look
) -> AxesImage:
    color_map, norm = look
    for column, name in zip(axes.T, names, strict=True):
        column[0].set_title(HEADINGS[name])
        for ax, image in zip(column, arrays[name], strict=True):
            shown = draw_image(ax, image, float(arrays["pixel_scale"]), color_map, norm)
    return shown
