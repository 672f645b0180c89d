"""A classifier without a network: logistic regression on numbers that fits of smooth lenses leave.

It takes few labels, and is fitted on the validation images, whose fits have a convergence map.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from lensml.data.fits import Fits, open_fits
from lensml.evaluation.statistics.predictions import write_predictions
from lensml.training.engine.setting import Setting

COLUMNS = ("chi2", "z", "evidence")  # beside the statistics of the residual
KAPPA_UNITS = 0.002  # of the map's statistics
PIECE = 500  # maps that are read at once


def predict_fit_statistics(
    fits: Sequence[str],
    test_fits: Sequence[str],
    test: Sequence[str],
    output: str,
    *,
    classes: Sequence[str],
    setting: Setting,
) -> None:
    """Multinomial logistic regression on statistics of the residual and of the convergence.

    Args:
        fits: stores of fits of labelled images, one per class.
        test_fits: of the test images, one per class.
        test: stores of these.
        output: predictions.csv of the test images.
        classes: names in the order of the stores.
        setting: see :class:`lensml.training.engine.setting.Setting`.

    Raises:
        ValueError: the fits are of other images than the test's.
    """
    labelled = [open_fits(path) for path in fits]
    label = np.repeat(np.arange(len(labelled)), [len(one) for one in labelled])
    model = statistics_model().fit(np.concatenate([features_of(one) for one in labelled]), label)
    images = setting.arrays(test)
    x = np.concatenate([features_of(open_fits(path)) for path in test_fits])
    if len(x) != len(images):
        raise ValueError(f"{test_fits[0]}: {len(x)} fits for {len(images)} images")
    write_predictions(output, model.predict_proba(x), images, classes)


def statistics_model() -> Pipeline:
    """Logistic regression on standardised features."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000))


def features_of(fits: Fits) -> np.ndarray:
    """Numbers of every image, (N, K), compressed by a logarithm; 0 where there are none."""
    columns = [fits.statistics[name] for name in fits.statistics]
    columns += [fits.columns[name] for name in COLUMNS if name in fits.columns]
    x = np.stack([np.asarray(c, dtype=float) for c in columns], axis=1)
    if "kappa" in fits.maps:
        x = np.concatenate([x, _of_maps(fits)], axis=1)
    x = np.nan_to_num(x)
    return np.sign(x) * np.log1p(np.abs(x))


def _of_maps(fits: Fits) -> np.ndarray:
    """Spread, extremes and fourth moment of every convergence map, (N, 4)."""
    rows = []
    for start in range(0, len(fits), PIECE):
        kappa = fits.maps["kappa"][np.arange(start, min(start + PIECE, len(fits)))]
        flat = kappa.reshape(len(kappa), -1).astype(float) / KAPPA_UNITS
        fourth = (flat**4).mean(1) ** 0.25
        rows.append(np.stack([flat.std(1), flat.max(1), -flat.min(1), fourth], axis=1))
    return np.concatenate(rows)
