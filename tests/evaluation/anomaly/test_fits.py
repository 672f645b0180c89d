"""Fits as detectors: what they find, and images that could not be fitted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from toy.stores import setting

from lensml.data.fits import OUTCOMES, open_fits
from lensml.evaluation.anomaly.fits import score_fits, score_of
from lensml.evaluation.statistics.predictions import Scored


def test_the_filter_finds_subhalos_in_what_a_smooth_lens_leaves_over(fitted, tmp_path):
    outputs = {name: str(tmp_path / f"{name}.csv") for name in ("evidence", "arc_low_1")}
    part = Scored(stores=fitted.stores("test"), classes=("no_sub", "cdm"), outputs=outputs)
    score_fits([fitted.fits("test")], [part], setting=setting(tmp_path))
    for path in outputs.values():
        table = pd.read_csv(path)
        assert roc_auc_score(table["label"] != "no_sub", table["score"]) > 0.95
        assert table["label"].tolist() == ["no_sub"] * 16 + ["cdm"] * 16


def test_a_lens_that_could_not_be_fitted_is_most_anomalous_of_all(fitted):
    fits = open_fits(fitted.fits("test")[0])
    outcome = np.asarray(fits.columns["outcome"]).copy()
    outcome[5] = OUTCOMES.index("failed")
    evidence = np.asarray(fits.columns["evidence"]).copy()
    evidence[7] = np.nan
    columns = {**fits.columns, "outcome": outcome, "evidence": evidence}
    score = score_of(replace(fits, columns=columns), "evidence")
    assert set(np.argsort(score)[-2:]) == {5, 7}
    others = np.delete(np.arange(len(score)), [5, 7])
    np.testing.assert_array_equal(score[others], evidence[others])


def test_fits_of_other_images_are_refused(fitted, tmp_path):
    outputs = {"chi2": str(tmp_path / "chi2.csv")}
    part = Scored(stores=fitted.stores("test"), classes=("no_sub", "cdm"), outputs=outputs)
    with pytest.raises(ValueError, match="16 fits for 32 images"):
        score_fits([fitted.fits("test")[:1]], [part], setting=setting(tmp_path))


def test_a_score_that_no_fit_has_is_named(fitted):
    with pytest.raises(ValueError, match=r"holds no chi3; it has .*evidence"):
        score_of(open_fits(fitted.fits("test")[0]), "chi3")
