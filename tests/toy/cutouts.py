"""Observed cut-outs, and such that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from lensml.data.observed import Grid

GRID = Grid(num_pix=32, pixel_scale=0.1, psf_fwhm=0.3)
SIGMA = 1 / (2 * np.sqrt(2 * np.log(2)))  # of a FWHM


def gaussian(size: int, scale: float, sigma: float, x: float = 0.0, y: float = 0.0) -> np.ndarray:
    """Flux per pixel of a spot of flux 1, widths and place in arcsec."""
    axis = (np.arange(size) - (size - 1) / 2) * scale
    r2 = (axis[:, None] - y) ** 2 + (axis - x) ** 2
    return np.exp(-r2 / (2 * sigma**2)) * scale**2 / (2 * np.pi * sigma**2)


def moments(image: np.ndarray, scale: float) -> tuple[float, float, float, float]:
    """Flux, place in arcsec and width of a spot."""
    axis = (np.arange(len(image)) - (len(image) - 1) / 2) * scale
    flux = image.sum()
    x, y = (image.sum(0) @ axis) / flux, (image.sum(1) @ axis) / flux
    variance = (image.sum(0) @ (axis - x) ** 2 + image.sum(1) @ (axis - y) ** 2) / 2 / flux
    return flux, x, y, np.sqrt(variance)


def write(path: Path, image: Any, **header: Any) -> str:
    fits.PrimaryHDU(np.asarray(image), header=fits.Header(header)).writeto(path, overwrite=True)
    return str(path)


def noisy(size: int, rms: float = 0.1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, rms, (size, size))


def unusable(folder: Path, what: str) -> dict[str, Any]:
    """Arguments of a cut-out that cannot be used."""
    image = noisy(64)
    path = str(folder / f"{what}.fits")
    known: dict[str, Any] = {"pixel_scale": 0.1}
    if what == "holes":
        image[30, 30:33] = np.nan
    if what == "three axes":
        image = np.zeros((3, 64, 64))
    if what == "flat":
        image = np.ones((64, 64))
    if what == "pickle":
        path = str(folder / "a.npy")
        np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    elif what == "text":
        Path(path).write_text("this is no image")
    elif what != "missing":
        write(Path(path), image[:20] if what == "small" else image)
    if what == "no scale":
        known = {}
    if what == "other extension":
        known["hdu"] = "VIS"
    if what == "corner":
        known["center"] = [3.0, 32.0]
    noise = {"other noise": np.ones((9, 9)), "noise of zero": np.zeros((64, 64))}
    if what in noise:
        known["noise_map"] = write(folder / "noise.fits", noise[what])
    return {"image": path, **known}
