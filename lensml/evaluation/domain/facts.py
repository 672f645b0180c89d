"""What is measured of an image and of the smooth lens fitted to it, to say whose image it is.

Nothing of an image's truth goes in, and nothing is learnt: every fact is a number that a reader
can check by eye.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import uniform_filter

from lensml.fit.observed import Observed
from lensml.fit.parameters import NAMES
from lensml.fit.smooth import FittedImage
from lensml.fit.statistics import STATISTICS

# Fact -> what it is, as a reason has it.
FACTS = {
    "chi2": "log10 chi2 of the smooth lens, per degree of freedom",
    "off_arc_chi2": "log10 chi2 per pixel away from the arcs",
    "off_arc_peak": "log10 of the largest residual of 3 x 3 pixels away from the arcs",
    "off_arc_mean": "mean residual away from the arcs, over its noise",
    "theta_E": "fitted Einstein radius, arcsec",
    "gamma": "fitted slope of the lens",
    "ellipticity": "fitted ellipticity of the lens",
    "shear": "fitted shear",
    "center": "distance of the fitted lens from the middle, arcsec",
    "ln_flux": "ln of the source's fitted flux over the background's rms",
    "ln_R_sersic": "ln of the source's fitted radius, arcsec",
    "ln_n_sersic": "ln of the source's fitted Sersic index",
    "source_ellipticity": "fitted ellipticity of the source",
    "source_offset": "fitted distance of the source from the lens, arcsec",
    "middle": "mean residual within 0.35 arcsec of the middle, over its noise",
    "log_snr2": "ln of the arcs' squared signal over noise",
    "arc_area": "share of the image that arcs cover",
    "flux": "arsinh of the image's flux over its noise",
    "peak": "log10 of the brightest pixel over the background's rms",
    "lowest": "faintest pixel over the background's rms",
    "half_light_radius": "half-light radius about the middle, arcsec",
    "centroid": "distance of the light's centroid from the middle, arcsec",
    "border_rms": "rms of the border over the stated background's rms",
    "border_level": "mean of the border over its noise",
    "correlation": "correlation of neighbouring pixels at the border",
    "flat_pixels": "pixels that all have the image's largest value",
}
DARK = 0.5  # signal over noise of the model: pixels below it are away from the arcs
FEWEST = 0.1  # of the pixels, which are taken to be away from the arcs at least
MIDDLE = 0.35  # arcsec, where a lens galaxy would be bright
BORDER = 6  # pixels along the edges
SMALLEST = 1e-6


def facts_of(images: Observed, fitted: Sequence[FittedImage], pixel_scale: float) -> np.ndarray:
    """Facts of every image, (N, len(FACTS)); NaN of one to which no lens was fitted.

    Args:
        images: N images.
        fitted: of each what was fitted to it.
        pixel_scale: arcsec.
    """
    rows = [_facts(images, i, fit, pixel_scale) for i, fit in enumerate(fitted)]
    return np.array(rows).reshape(-1, len(FACTS))


def _facts(images: Observed, i: int, fit: FittedImage, pixel_scale: float) -> list[float]:
    if not np.isfinite(fit.chi2):
        return [np.nan] * len(FACTS)
    image, rms = images.image[i].astype(float), float(images.background_rms[i])
    found = {
        **_residual_facts(images, i, fit, pixel_scale),
        **_lens_facts(fit, rms),
        **_light_facts(image, rms, pixel_scale),
        **_border_facts(image, rms),
    }
    return [found[name] for name in FACTS]


def _residual_facts(
    images: Observed, i: int, fit: FittedImage, pixel_scale: float
) -> dict[str, float]:
    model, rms = fit.model.astype(float), float(images.background_rms[i])
    noise = np.sqrt(rms**2 + np.maximum(model, 0) / images.exposure_time[i])
    signal = model / noise
    dark = signal < max(DARK, np.quantile(signal, FEWEST))  # where light is all over, the faintest
    residual = fit.residual.astype(float)
    smooth = 3 * uniform_filter(residual, 3)[dark]
    n = int(dark.sum())
    near = _radius(len(model), pixel_scale) < MIDDLE
    statistics = dict(zip(STATISTICS, fit.statistics, strict=True))
    return {
        "chi2": np.log10(max(fit.chi2, SMALLEST)),
        "off_arc_chi2": np.log10(max(np.square(residual[dark]).sum() / n, SMALLEST)),
        "off_arc_peak": np.log10(max(np.abs(smooth).max(initial=0), SMALLEST)),
        "off_arc_mean": float(residual[dark].sum() / np.sqrt(n)),
        "middle": float(residual[near].sum() / np.sqrt(near.sum())),
        "log_snr2": float(statistics["log_snr2"]),
        "arc_area": float(statistics["arc_area"]),
    }


def _lens_facts(fit: FittedImage, rms: float) -> dict[str, float]:
    value = dict(zip(NAMES, map(float, fit.parameters), strict=True))
    offset = [value[f"source_center_{axis}"] - value[f"center_{axis}"] for axis in "xy"]
    return {
        **{name: value[name] for name in ("theta_E", "gamma", "ln_R_sersic", "ln_n_sersic")},
        "ellipticity": np.hypot(value["e1"], value["e2"]),
        "shear": np.hypot(value["gamma1"], value["gamma2"]),
        "center": np.hypot(value["center_x"], value["center_y"]),
        "ln_flux": value["ln_flux"] - np.log(rms),
        "source_ellipticity": np.hypot(value["source_e1"], value["source_e2"]),
        "source_offset": np.hypot(offset[0], offset[1]),
    }


def _light_facts(image: np.ndarray, rms: float, pixel_scale: float) -> dict[str, float]:
    n = len(image)
    radius = _radius(n, pixel_scale)
    bright = np.where(uniform_filter(image, 3) > rms, np.maximum(image, 0), 0)
    total = max(bright.sum(), SMALLEST * rms)
    order = radius.argsort(axis=None)
    within = np.searchsorted(bright.ravel()[order].cumsum(), total / 2)
    means = [float(bright.sum(k) @ _axis(n, pixel_scale) / total) for k in (0, 1)]
    return {
        "flux": float(np.arcsinh(image.sum() / (rms * n))),
        "peak": np.log10(max(image.max() / rms, SMALLEST)),
        "lowest": float(image.min() / rms),
        "half_light_radius": float(radius.ravel()[order[min(within, n * n - 1)]]),
        "centroid": float(np.hypot(means[0], means[1])),
        "flat_pixels": float(np.count_nonzero(image == image.max())),
    }


def _border_facts(image: np.ndarray, rms: float) -> dict[str, float]:
    frame = np.ones(image.shape, bool)
    frame[BORDER:-BORDER, BORDER:-BORDER] = False
    values = image[frame]
    level = float(values.mean() * np.sqrt(len(values)) / rms)
    spread = max(float(values.std()), SMALLEST * rms)
    scaled = np.where(frame, (image - values.mean()) / spread, 0)
    pairs = [(frame[:, 1:] & frame[:, :-1], scaled[:, 1:] * scaled[:, :-1])]
    pairs.append((frame[1:] & frame[:-1], scaled[1:] * scaled[:-1]))
    correlation = sum(product[both].sum() for both, product in pairs)
    return {
        "border_rms": float(values.std() / rms),
        "border_level": level,
        "correlation": float(correlation / sum(both.sum() for both, _ in pairs)),
    }


def _axis(n: int, pixel_scale: float) -> np.ndarray:
    """Positions of the pixels of an axis, (n,) arcsec."""
    return (np.arange(n) - (n - 1) / 2) * pixel_scale


def _radius(n: int, pixel_scale: float) -> np.ndarray:
    """Distance of every pixel from the middle, (n, n) arcsec."""
    axis = _axis(n, pixel_scale)
    return np.hypot(axis[:, None], axis)
