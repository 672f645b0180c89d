"""What a masked autoencoder sees, restores and misses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from lensml.figures.sky import draw_image, label_sky_axes
from lensml.figures.style import Style, apply_style, new_figure, readable, save
from lensml.tables import read_arrays

HEADINGS = {
    "image": "image",
    "masked": "visible patches",
    "reconstruction": "reconstruction",
    "residual": "residual",
}
HIDDEN = "0.6"  # grey of what was hidden from the network


def plot_reconstructions(
    examples: str | Path,
    truth: str | Path,
    *,
    title: str,
    style: Style,
    output: Sequence[str | Path],
) -> None:
    """Draw examples as rows: image, visible part, reconstruction, residual, substructure.

    Args:
        examples: .npz file with ``label`` (N,) str; ``image``, ``masked`` (NaN where hidden),
            ``reconstruction`` (N, H, W) in the network's stretched units; ``residual`` (N, H, W),
            reconstruction minus image in units of the noise's rms in the pixel; ``pixel_scale``,
            arcsec.
        truth: .npz file with ``label`` (N,) and ``kappa`` (N, H, W), the convergence of the
            substructure of the same images.
        title: above all panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if an array is missing, there is no example, or the two files are of different
            images.
    """
    arrays = read_arrays(examples, ["label", *HEADINGS, "pixel_scale"])
    known = read_arrays(truth, ["label", "kappa"])
    if arrays["image"].shape != known["kappa"].shape or any(arrays["label"] != known["label"]):
        raise ValueError(f"{truth}: must hold the convergence of the images of {examples}")
    n = len(arrays["image"])
    with apply_style(style):
        height = n * style.width * 0.18 + 1.3
        figure, axes = new_figure(
            style, rows=n, columns=5, height=height, title=title, layout="compressed"
        )
        names = list(HEADINGS)
        flux, residual = _flux_look(arrays, style), _residual_look(arrays)
        mass = _mass_look(known["kappa"])
        _draw_columns(axes[:, :3], arrays, names[:3], flux)
        _draw_columns(axes[:, 3:4], arrays, names[3:], residual)
        axes[0, 4].set_title("true substructure")
        for ax, kappa in zip(axes[:, 4], known["kappa"], strict=True):
            draw_image(ax, kappa, float(arrays["pixel_scale"]), mass)
        label_sky_axes(axes, [readable(str(label)) for label in arrays["label"]])
        _add_color_bar(figure, axes[:, :3], flux, "stretched flux (network's units)", aspect=45)
        _add_color_bar(figure, axes[:, 3], residual, "residual over\nnoise rms", aspect=15)
        _add_color_bar(figure, axes[:, 4], mass, "convergence\nof a pixel", aspect=15)
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


def _mass_look(kappa: np.ndarray) -> ScalarMappable:
    """Three decades below the largest convergence; almost white where there is less or none."""
    high = float(kappa.max()) or 1.0
    colors = matplotlib.colormaps["magma_r"].with_extremes(under="0.97", bad="0.97")
    return ScalarMappable(LogNorm(high / 1e3, high), colors)


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
