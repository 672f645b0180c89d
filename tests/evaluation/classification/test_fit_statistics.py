"""A classifier on numbers of the fits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from toy.stores import setting

from lensml.data.fits import open_fits
from lensml.evaluation.classification.fit_statistics import features_of, predict_fit_statistics

CLASSES = ("no_sub", "cdm")


def test_a_few_labelled_fits_suffice(fitted, tmp_path):
    output = str(tmp_path / "predictions.csv")
    predict_fit_statistics(
        fitted.fits("val"),
        fitted.fits("test"),
        fitted.stores("test"),
        output,
        classes=CLASSES,
        setting=setting(tmp_path),
    )
    table = pd.read_csv(output)
    np.testing.assert_allclose(table["p_no_sub"] + table["p_cdm"], 1)
    assert roc_auc_score(table["label"] == "cdm", table["p_cdm"]) > 0.95


def test_features_are_finite_also_of_images_without_a_fit(fitted):
    fits = open_fits(fitted.fits("test")[0])
    x = features_of(fits)
    assert x.shape == (16, len(fits.statistics) + 3 + 4)  # chi2, z, evidence; four of the map
    fits.columns["z"][2] = np.nan  # type: ignore[index]
    assert np.isfinite(features_of(fits)).all()


def test_fits_of_other_images_are_refused(fitted, tmp_path):
    with pytest.raises(ValueError, match="16 fits for 32 images"):
        predict_fit_statistics(
            fitted.fits("val"),
            fitted.fits("test")[:1],
            fitted.stores("test"),
            str(tmp_path / "predictions.csv"),
            classes=CLASSES,
            setting=setting(tmp_path),
        )
