"""The audit's statistics."""

from __future__ import annotations

import numpy as np
import pytest

from lensml.evaluation.audit.statistics import (
    auc_standard_error,
    boosted_trees,
    macro_auc,
    split_systems,
)


@pytest.mark.parametrize("counts", [(40, 40), (40, 40, 40), (30, 60, 30)])
def test_standard_error_of_scores_that_know_nothing(counts):
    """Against the spread over 2000 draws of a score's ranks, averaged over classes."""
    rng = np.random.default_rng(0)
    total = sum(counts)
    label = np.repeat(np.arange(len(counts)), counts)
    areas = []
    for _ in range(2000):
        rank = rng.permutation(total) + 1.0
        m = np.array(counts)
        sums = np.array([rank[label == k].sum() for k in range(len(counts))])
        areas.append((sums - m * (m + 1) / 2) / (m * (total - m)))
    spread = np.std(areas, axis=0).mean()
    # the spread of 2000 draws has a relative error of 1.6 %
    assert auc_standard_error(counts) == pytest.approx(spread, rel=0.05)
    if counts == (40, 40):
        assert auc_standard_error(counts) == pytest.approx(0.41 / np.sqrt(40), rel=0.01)


def test_halves_share_no_system():
    systems = [np.arange(50), np.arange(50), np.arange(25, 75)]
    fit, measured = split_systems([s[:, None] for s in systems], systems, seed=0)
    assert not set(np.concatenate(fit).ravel()) & set(np.concatenate(measured).ravel())
    assert sum(map(len, fit)) + sum(map(len, measured)) == 150


def test_an_empty_class_is_an_error():
    x = np.zeros((3, 1))
    with pytest.raises(ValueError, match="images of every class"):
        macro_auc(boosted_trees(), [x, x], [x, x[:0]])
