"""Noise of a cut-out at its own pixels: what a map says, and whether the border agrees.

The border's measured rms is what a map is held against: it tells an rms from a variance or an
inverse variance, and how far neighbouring pixels share their noise (drizzled images do).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import legendre

from lensml.data.observed.errors import UnusableImageError
from lensml.schema.observed import NoiseKind

MAD_PER_SIGMA = 0.6745
BORDER = 0.1  # share of the field's width at each edge in which the background is measured
ENOUGH = 0.25  # share of these pixels that must hold data; else the outermost that do are taken
OUTERMOST = 0.2  # of the pixels with data
FEWEST = 20  # pixels in which an rms can be measured
DEGREE = 3  # of the polynomial that light varies by along the border; what is left is noise
ROUNDS = 3  # of fitting it, each without what the last one left outside of the noise
ROUNDING = 1e-10  # of the border's background: less is no noise
FLAGGED = 1e4  # variance above so many times the map's tenth percentile marks a pixel without data
FEW = 3.0  # times by which a map's rms may differ from the border's
MANY = 4.0  # the same where no other kind of map would agree: 3.5 in drizzled JWST images
LAGS = 3  # pixels over which drizzling correlates noise
CLIP = 4.0  # rms beyond which a pixel of the border is no noise
SIGNIFICANT = 4.0  # standard errors of a correlation


@dataclass(frozen=True)
class Noise:
    """Noise of a map.

    Attributes:
        variance: (H, W) of every pixel in the image's unit squared; finite where data are.
        correlation: (2 LAGS + 1, 2 LAGS + 1) of two pixels by their distance, 1 in the middle.
        claimed: variance that the map says over this one: above 1 of a drizzled image whose map
            is of pixels that share nothing, which is closer to what a smooth signal sees.
    """

    variance: np.ndarray
    correlation: np.ndarray
    claimed: float = 1.0


def border_of(known: np.ndarray) -> np.ndarray:
    """Pixels in which the background is measured, (H, W) bool.

    A frame along the edges; where it holds too few data, the data farthest from the middle.

    Args:
        known: (H, W) bool, pixels that hold data.
    """
    frame = _frame(known.shape)
    if frame_holds_data(known):
        return frame & known
    y, x = (np.arange(n) - (n - 1) / 2 for n in known.shape)
    radius = np.hypot(y[:, None], x)
    if np.count_nonzero(known) < FEWEST / OUTERMOST:
        return known
    return known & (radius >= np.quantile(radius[known], 1 - OUTERMOST))


def frame_holds_data(known: np.ndarray) -> bool:
    """Whether the background can be measured along the edges of ``known`` (H, W) bool."""
    frame = _frame(known.shape)
    needed = max(ENOUGH * np.count_nonzero(frame), FEWEST)
    return bool(np.count_nonzero(frame & known) >= needed)


def _frame(shape: tuple[int, ...]) -> np.ndarray:
    frame = np.ones(shape, bool)
    rows, columns = (max(int(BORDER * n), 1) for n in shape)
    frame[rows:-rows, columns:-columns] = False
    return frame


def robust_rms(values: np.ndarray) -> float:
    """Standard deviation by the median deviation from the median."""
    return float(np.median(np.abs(values - np.median(values))) / MAD_PER_SIGMA)


def without_light(image: np.ndarray, border: np.ndarray) -> np.ndarray:
    """What is left at the border without a polynomial in both axes, (H, W), 0 elsewhere.

    A smoothed image would take more: noise that neighbours share is smooth over some pixels.
    """
    y, x = (np.linspace(-1, 1, n) for n in image.shape)
    at = np.nonzero(border)
    basis = legendre.legvander2d(y[at[0]], x[at[1]], [DEGREE, DEGREE])
    low = np.add.outer(np.arange(DEGREE + 1), np.arange(DEGREE + 1)).ravel() <= DEGREE
    basis, values = basis[:, low], image[at]
    scale = max(np.abs(values).max(), 1e-300)
    values, used = values / scale, np.ones(len(values), bool)
    for _ in range(ROUNDS):
        fit = np.linalg.lstsq(basis[used], values[used], rcond=None)[0]
        left = values - basis @ fit
        used = np.abs(left) <= CLIP * robust_rms(left)
    out = np.zeros(image.shape)
    out[at] = left * scale
    return out


def border_rms(image: np.ndarray, known: np.ndarray) -> float:
    """Rms of the pixels at the border.

    Raises:
        UnusableImageError: there are too few, or they have no noise.
    """
    border = border_of(known)
    if np.count_nonzero(border) < FEWEST:
        raise UnusableImageError(f"only {np.count_nonzero(known)} pixels near the lens hold data")
    rms = robust_rms(without_light(image, border)[border])
    if rms <= ROUNDING * np.median(np.abs(image[border])):
        raise UnusableImageError("its border has no noise")
    return rms


def variance_of(noise: np.ndarray, kind: NoiseKind) -> np.ndarray:
    """Variance that a noise map means, (H, W); infinite where it marks pixels without data.

    Args:
        noise: (H, W) map.
        kind: of it; the scale of a weight is arbitrary.

    Raises:
        UnusableImageError: the map is nowhere above 0 and finite.
    """
    known = np.isfinite(noise) & (noise > 0)
    if not known.any():
        raise UnusableImageError("the noise map is not above 0 and finite near the lens")
    positive = np.where(known, noise, 1.0)
    power = {"rms": 2, "variance": 1}.get(kind, -1)
    with np.errstate(over="ignore", under="ignore"):
        variance = positive**power
    known &= np.isfinite(variance) & (variance > 0)
    if not known.any():
        raise UnusableImageError(f"the noise map as {kind} is beyond all numbers near the lens")
    variance = np.where(known, variance, np.inf)
    variance[variance / FLAGGED > np.percentile(variance[known], 10)] = np.inf
    return variance


def noise_of(
    image: np.ndarray, variance: np.ndarray, known: np.ndarray, kind: NoiseKind, rms: float
) -> Noise:
    """Noise by a map that agrees with the border.

    Args:
        image: (H, W).
        variance: (H, W) by :func:`variance_of`.
        known: (H, W) bool, pixels that hold data in image and map.
        kind: of the map.
        rms: of the border, by :func:`border_rms`.

    Raises:
        UnusableImageError: the map says something else than the border; names the likely kind.
    """
    border = border_of(known)
    with np.errstate(over="ignore"):
        middle = float(np.median(variance[border]))
    if not np.isfinite(middle):
        raise UnusableImageError(f"the noise map as {kind} is beyond all numbers near the lens")
    if kind == "weight":
        variance, middle = variance * (rms**2 / middle), rms**2
    _check(np.sqrt(middle), rms, kind)
    relative = without_light(image, border) / np.sqrt(np.where(known, variance, 1.0))
    correlation = correlation_of(relative, border)
    variance = np.where(known, variance, middle)
    kept = 1.0
    if np.count_nonzero(correlation) > 1:
        # Maps of drizzled images often say what the rms of a pixel would be without correlation.
        kept = min(rms**2 / middle, 1.0)
    return Noise(variance * kept, correlation, 1 / kept)


def _check(expected: float, measured: float, kind: NoiseKind) -> None:
    """Refuse a map of another kind than is said.

    ``expected`` is the rms at the border if the map is of this kind.
    """
    if kind == "weight" or abs(np.log(expected) - np.log(measured)) <= np.log(FEW):
        return
    power = {"rms": 1.0, "variance": 0.5, "inverse_variance": -0.5}
    value = np.log(expected) / power[kind]  # logarithm of the map itself
    off = {name: abs(p * value - np.log(measured)) for name, p in power.items() if name != kind}
    likely = min(off, key=lambda name: off[name])
    if off[likely] <= np.log(FEW):
        advice = f"it looks like noise_kind: {likely}"
    elif abs(np.log(expected) - np.log(measured)) <= np.log(MANY):
        return
    else:
        advice = "it fits no kind; if its scale is arbitrary, noise_kind: weight"
    raise UnusableImageError(
        f"noise map as {kind}: {expected:.3g} at the border, where the image's rms is "
        f"{measured:.3g}; {advice}"
    )


def correlation_of(relative: np.ndarray, border: np.ndarray) -> np.ndarray:
    """Correlation of the noise of two pixels by their distance, (2 LAGS + 1, 2 LAGS + 1).

    What could be chance is 0.

    Args:
        relative: (H, W) image in units of its noise, without light that varies slowly.
        border: (H, W) bool, where it is measured.
    """
    scale = max(robust_rms(relative[border]), 1e-300)
    used = border & (np.abs(relative) < CLIP * scale)
    z = np.where(used, relative, 0.0)
    found = np.zeros((2 * LAGS + 1, 2 * LAGS + 1))
    found[LAGS, LAGS] = 1.0
    power = float((z**2).sum() / max(np.count_nonzero(used), 1))
    for dy in range(LAGS + 1):
        for dx in range(-LAGS, LAGS + 1):
            if dy == 0 and dx <= 0:
                continue
            pairs = np.count_nonzero(_product(used, dy, dx))
            value = _product(z, dy, dx).sum() / max(pairs, 1) / max(power, 1e-300)
            if abs(value) > SIGNIFICANT / np.sqrt(max(pairs, 1)):
                found[LAGS + dy, LAGS + dx] = found[LAGS - dy, LAGS - dx] = value
    return found


def _product(x: np.ndarray, dy: int, dx: int) -> np.ndarray:
    """x(y, x) x(y + dy, x + dx) of all pairs, ``dy`` >= 0."""
    height, width = x.shape
    left, right = max(-dx, 0), max(dx, 0)
    first = x[: height - dy, left : width - right]
    return first * x[dy:, right : width - left]
