"""Axes that show a piece of sky, in arcsec from the middle of the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable


def draw_image(ax: Axes, image: np.ndarray, pixel_scale: float, look: ScalarMappable) -> None:
    """Show an image with the origin of coordinates in its middle.

    Args:
        ax: where to draw.
        image: (H, W), its first row the lowest on the sky.
        pixel_scale: arcsec per pixel.
        look: colour map and the range of values that it covers.
    """
    half_height, half_width = (size * pixel_scale / 2 for size in image.shape)
    extent = (-half_width, half_width, -half_height, half_height)
    shown = ax.imshow(image, origin="lower", extent=extent, cmap=look.cmap)
    shown.norm = look.norm


def label_sky_axes(axes: np.ndarray, row_labels: Sequence[str]) -> None:
    """Label a grid of images: x below the lowest row, y and a name at the left of each row.

    Args:
        axes: (rows, columns) of axes of equal extent.
        row_labels: name of each row.
    """
    for ax in axes.ravel():
        ax.spines[:].set_visible(True)
        ax.locator_params(nbins=4, steps=[1, 2, 5, 10])
        ax.tick_params(length=2, labelbottom=False, labelleft=False)
    for ax in axes[-1]:
        ax.tick_params(labelbottom=True)
        ax.set_xlabel("x [arcsec]")
    for ax, label in zip(axes[:, 0], row_labels, strict=True):
        ax.tick_params(labelleft=True)
        ax.set_ylabel(f"{label}\ny [arcsec]")
