"""Numbers that say how much, how coherently and where a smooth lens leaves something over.

All are of the residual r in units of its noise. ``low`` stands for the residual smoothed by a
Gaussian, squared and over the variance that white noise would have; ``arc`` for means weighted by
clip(S/N of the arcs / 5, 0, 1), where a deflection changes something.
"""

from __future__ import annotations

import numpy as np

from lensml.fit.statistics_kernel import measure

SCALES = (1.0, 1.5, 2.5)  # pixels, standard deviations of the smoothing
LAGS = (1, 2, 3)  # pixels, of the autocorrelation along the axes
TRUNCATION = 4.0  # standard deviations

# Column -> what it is.
STATISTICS = {
    "arc_chi2": "sum of weight (r^2 - 1) over its standard deviation in white noise",
    **{f"max_{s:g}": f"largest |r smoothed by {s:g} pixels|, over its noise" for s in SCALES},
    **{f"low_{s:g}": f"mean of low at {s:g} pixels" for s in SCALES},
    **{f"arc_low_{s:g}": f"mean of low at {s:g} pixels on the arc" for s in SCALES},
    **{f"correlation_{k}": f"mean of r(x) r(x + {k}), both axes together" for k in LAGS},
    **{f"arc_correlation_{k}": f"the same on the arc, lag {k}" for k in LAGS},
    "skewness": "mean of r^3",
    "kurtosis": "mean of r^4",
    "log_snr2": "log of the sum of squares of the arcs' S/N",
    "arc_area": "mean weight: share of the image on the arc",
}


def smoothing_taps(sigma: float) -> np.ndarray:
    """Gaussian weights of sum one, (2 radius + 1,) float32."""
    radius = int(TRUNCATION * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return (weights / weights.sum()).astype(np.float32)


TAPS = tuple(smoothing_taps(s) for s in SCALES)


def residual_statistics(residual: np.ndarray, arcs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Statistics of one image, (len(STATISTICS),), in the order of ``STATISTICS``.

    Args:
        residual: (n, n) over noise.
        arcs: (n, n) model of the lensed source, e-/s per pixel.
        weights: (n, n) 1 / noise.
    """
    out = np.empty(len(STATISTICS))
    measure(out, residual, arcs, weights, TAPS)
    return out
