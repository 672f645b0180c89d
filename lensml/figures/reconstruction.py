"""What a masked autoencoder sees, restores and misses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

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
        height = n * style.width * 0.225 + 1.3
        figure, axes = new_figure(
            style, rows=n, columns=4, height=height, title=title, layout="compressed"
        )
        names = list(HEADINGS)
        flux, residual = _flux_look(arrays, style), _residual_look(arrays)
        _draw_columns(axes[:, :3], arrays, names[:3], flux)
        _draw_columns(axes[:, 3:], arrays, names[3:], residual)
        label_sky_axes(axes, [readable(str(label)) for label in arrays["label"]])
        _add_color_bar(figure, axes[:, :3], flux, "stretched flux (network's units)", aspect=45)
        label = "residual in units of\nbackground rms"
        _add_color_bar(figure, axes[:, 3], residual, label, aspect=15)
        save(figure, output)


def _flux_look(arrays: Mapping[str, np.ndarray], style: Style) -> ScalarMappable:
    """One scale for all rows, from the images themselves, so that examples compare."""
    low, high = np.nanpercentile(arrays["image"], [0.5, 99.8])
    colors = matplotlib.colormaps[style.color_map].with_extremes(bad=HIDDEN)
    return ScalarMappable(Normalize(low, high), colors)


def _residual_look(arrays: Mapping[str, np.ndarray]) -> ScalarMappable:
    """Red where the reconstruction is too bright, blue where it is too faint."""
    limit = float(np.nanpercentile(np.abs(arrays["residual"]), 99))
    colors = matplotlib.colormaps["RdBu_r"].with_extremes(bad=HIDDEN)
    return ScalarMappable(Normalize(-limit, limit), colors)


def _draw_columns(
    axes: np.ndarray, arrays: Mapping[str, np.ndarray], names: Sequence[str], look: ScalarMappable
) -> None:
    for column, name in zip(axes.T, names, strict=True):
        column[0].set_title(HEADINGS[name])
        for ax, image in zip(column, arrays[name], strict=True):
            draw_image(ax, image, float(arrays["pixel_scale"]), look)


def _add_color_bar(
    figure: Figure, axes: np.ndarray, look: ScalarMappable, label: str, *, aspect: float
) -> None:
    figure.colorbar(look, ax=axes, label=label, location="bottom", aspect=aspect, extend="both")
