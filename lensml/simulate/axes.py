"""Where pixels and rays lie."""

from __future__ import annotations

import numpy as np

from lensml.schema.simulation import Domain


def pixel_axis(num_pix: int, pixel_scale: float) -> np.ndarray:
    """Pixel centres of either axis.

    Returns:
        (num_pix,) float64 arcsec, symmetric about zero.
    """
    return -(num_pix - 1) / 2 * pixel_scale + np.arange(num_pix) * pixel_scale


def ray_axis(domain: Domain) -> np.ndarray:
    """Ray coordinates of either axis, to the last bit those of lenstronomy's sub-grid.

    Returns:
        (num_pix supersampling_factor,) float64 arcsec.
    """
    pixels = pixel_axis(domain.num_pix, domain.instrument.pixel_scale)
    ss = domain.supersampling_factor
    rays = np.empty(domain.num_pix * ss)
    step = pixels[1] - pixels[0]
    for j in range(ss):
        rays[j::ss] = pixels + step * (-1 / 2.0 + 1 / (2.0 * ss) + j / float(ss))
    return rays
