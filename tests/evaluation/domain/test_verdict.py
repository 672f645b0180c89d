"""A judge refuses as many of a domain's images as it says, and others with a reason."""

from __future__ import annotations

import numpy as np
import pytest

from lensml.evaluation.domain.verdict import FALSE_ALARMS, Judge

ABOUT = {"size": "size, arcsec", "flux": "flux, e-/s", "noise": "noise"}


def drawn(n: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Size and flux that go together but for a shift, and noise with a long tail."""
    rng = np.random.default_rng(seed)
    size, noise = rng.normal(2, 0.5, n), rng.exponential(1, n)
    return np.stack([size + shift, size + rng.normal(0, 0.05, n), noise], axis=1)


@pytest.fixture(scope="module")
def judge() -> Judge:
    """Of two classes, the second with sizes ten larger."""
    facts = np.concatenate([drawn(400, 0), drawn(400, 1, 10)])
    return Judge.of(facts, np.repeat([0, 1], 400), ABOUT)


@pytest.mark.parametrize("shift", [0, 10])
def test_of_either_class_no_more_are_refused_than_is_said(judge, shift):
    fresh = drawn(4000, 2, shift)
    refused = np.mean([not verdict.within for verdict in judge.judge(fresh)])
    assert 0.4 * FALSE_ALARMS < refused < 1.8 * FALSE_ALARMS


def test_what_lies_between_the_classes_is_refused(judge):
    (verdict,) = judge.judge(drawn(1, 3, 5))
    assert not verdict.within
    assert verdict.distance > 1


def test_the_worst_fact_is_the_reason(judge):
    odd = np.array([[2.0, 2.0, 60.0]])
    (verdict,) = judge.judge(odd)
    assert verdict.reason.startswith("noise: 60, of the domain's images ")


def test_facts_that_do_not_go_together_are_refused():
    judge = Judge.of(drawn(400, 0), np.zeros(400, int), ABOUT)
    (verdict,) = judge.judge(np.array([[1.2, 2.8, 1.0]]))
    assert not verdict.within
    assert "all facts together" in verdict.reason


def test_without_a_fit_there_is_no_verdict_but_a_refusal(judge):
    verdicts = judge.judge(np.array([[np.nan] * 3, [2.0, 2.0, 1.0]]))
    assert [verdict.within for verdict in verdicts] == [False, True]
    assert verdicts[0].reason == "no lens could be fitted to it"


def test_a_fact_that_is_left_out_refuses_nobody():
    judge = Judge.of(drawn(400, 0), np.zeros(400, int), ABOUT, without=("noise",))
    (verdict,) = judge.judge(np.array([[2.0, 2.0, 60.0]]))
    assert verdict.within
