"""What is there beside what was found."""

from __future__ import annotations

import numpy as np
import pytest

from lensml.evaluation.anomaly.found import collect_found, correlations


def test_what_was_found_lies_where_the_substructure_is(fitted, tmp_path):
    output = tmp_path / "examples.npz"
    classes = ("no_sub", "cdm")
    stores, fits = fitted.stores("test"), fitted.fits("test")
    collect_found(stores, fits, str(output), classes=classes, n_examples=6)
    with np.load(output) as arrays:
        assert arrays["label"].tolist() == ["no_sub"] * 6 + ["cdm"] * 6
        assert arrays["true_kappa"].shape == arrays["kappa"].shape == (12, 48, 48)
        assert not arrays["true_kappa"][:6].any()
        assert np.isnan(arrays["correlation"][:6]).all()  # there is nothing to agree with
        # Waves of the field's size see the sum of many masses, none of them alone.
        assert arrays["correlation"][6:].mean() > 0.05
        assert float(arrays["pixel_scale"]) == pytest.approx(0.101)


def test_the_correlation_of_a_map_with_its_smoothed_truth_is_one():
    true = np.zeros((2, 32, 32))
    true[0, 16, 10] = 1.0
    axis = np.arange(32)
    found = np.exp(-((axis[:, None] - 16) ** 2 + (axis - 10) ** 2) / 8)
    got = correlations(np.stack([found, found]), true)
    assert got[0] == pytest.approx(1, abs=0.01)
    assert np.isnan(got[1])
