"""Both bounds of the physical limit on problems whose best AUC is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import binom, lognorm

from lensml.evaluation.limit.bounds import pair_rows
from lensml.evaluation.limit.classifier import lower_bound, regressed_mean
from lensml.evaluation.limit.lenses import Lenses
from lensml.schema.training import Evaluation

CLASSES = ["no_sub", "cdm"]
EVALUATION = Evaluation(
    n_bootstrap=100,
    confidence=0.95,
    false_positive_rates=[0.1],
    calibration_bins=5,
    n_embedded=20,
)
N_SYSTEMS, N_BANK, N_TEMPLATES, N_DRAWS = 60, 8, 40, 20
PIXELS = 5
PRIOR = 2.0  # width of the nuisance parameter
SPREAD = 0.4  # of ln d' from system to system
RESOLUTION = 1e-3  # near 1, rare systems decide that no sample of 60 may hold
D_PRIME = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)


def lenses_of(signals) -> Lenses:
    """Lenses without light in white noise; the nuisance parameter moves pixel 1.

    Args:
        signals: (system, number) -> (number, PIXELS).
    """
    nuisance = np.zeros((N_SYSTEMS, PIXELS, 1))
    nuisance[:, 1] = 1
    return Lenses(
        image=np.zeros((N_SYSTEMS, PIXELS)),
        light=np.zeros((N_SYSTEMS, PIXELS)),
        jacobian=nuisance,
        width=np.array([PRIOR]),
        background_rms=np.ones(N_SYSTEMS),
        exposure_time=np.full(N_SYSTEMS, 1e30),
        signal={"cdm": np.concatenate([signals(i, 1) for i in range(N_SYSTEMS)])},
        templates={"cdm": [signals(i, N_TEMPLATES) for i in range(N_BANK)]},
        draws={"cdm": [signals(i, N_DRAWS) for i in range(N_BANK)]},
    )


def rows_of(lenses: Lenses, seed: int = 0) -> dict:
    (row,) = pair_rows(lenses, 1.0, classes=CLASSES, evaluation=EVALUATION, seed=seed)
    return row


def strengths(d_prime: float, rng: np.random.Generator) -> np.ndarray:
    return d_prime * np.exp(SPREAD * rng.standard_normal(N_SYSTEMS))


def mean_over_systems(auc, d_prime: float) -> float:
    """Mean of an AUC of d' over the distribution that systems are drawn from."""
    quantile = (np.arange(4000) + 0.5) / 4000
    return float(np.mean(auc(d_prime * lognorm.ppf(quantile, SPREAD))))


def two_signs(d: np.ndarray, rng: np.random.Generator):
    """Signals +s or -s, of which the third lies along the nuisance parameter; marginal d' is d.

    Of a signal of components a and b, the latter along the nuisance of width w, the marginal
    d'^2 is a^2 + b^2 / (1 + w^2).
    """
    direction = np.zeros(PIXELS)
    direction[:2] = np.sqrt(2 / 3), np.sqrt((1 + PRIOR**2) / 3)

    def signals(i: int, n: int) -> np.ndarray:
        return rng.choice([-1.0, 1.0], (n, 1)) * d[i] * direction

    return signals


def bayes_of_two_signs(d: np.ndarray) -> np.ndarray:
    """The likelihood ratio rises with |x|; |x + d| > |y| where x + d - y and x + d + y agree."""
    known = ndtr(d / np.sqrt(2))
    return known**2 + (1 - known) ** 2


@pytest.mark.parametrize("d_prime", D_PRIME)
def test_the_interval_of_the_lower_bound_covers_the_best_auc_as_often_as_it_says(d_prime):
    """Signals of either sign, which a bank of templates knows all: its bound is the best AUC."""
    best = mean_over_systems(bayes_of_two_signs, d_prime)
    trials, hits, values = 120, 0, []
    for trial in range(trials):
        rng = np.random.default_rng([trial, round(10 * d_prime)])
        row = rows_of(lenses_of(two_signs(strengths(d_prime, rng), rng)), seed=trial)
        assert 0.5 <= row["bank_low"] <= row["auc_bank"] <= row["bank_high"] <= 1
        hits += row["bank_low"] - RESOLUTION <= best <= row["bank_high"] + RESOLUTION
        values.append(row["auc_bank"])
    # 95 % less four standard errors; a bound that stops at chance or at 1 covers more
    assert hits >= binom.ppf(1e-4, trials, 0.95)
    # a mean over trials; that no bound is below chance lifts it by less than half an error of one
    error = np.std(values) / np.sqrt(trials)
    lift = 0.4 * np.std(values) * (d_prime < 1)
    assert -4 * error - 0.002 < np.mean(values) - best < 4 * error + lift + 0.002


@pytest.mark.parametrize("d_prime", D_PRIME)
def test_the_oracle_of_two_signs_is_above_the_best_auc_and_known(d_prime):
    rng = np.random.default_rng(1)
    d = strengths(d_prime, rng)
    row = rows_of(lenses_of(two_signs(d, rng)))
    assert row["auc_oracle"] == pytest.approx(ndtr(d / np.sqrt(2)).mean(), abs=1e-9)
    assert row["auc_oracle"] >= bayes_of_two_signs(d).mean() - 1e-12
    if 0 < d_prime < 10:
        assert row["auc_oracle"] > bayes_of_two_signs(d).mean() + 0.01
    assert row["auc_pooled"] >= row["auc_oracle"] - 1e-12


@pytest.mark.parametrize("sigma", [0.01, 0.3, 1.0, 3.0, 10.0])
def test_bounds_of_a_gaussian_signal_enclose_its_best_auc(sigma):
    """In two pixels the likelihood ratio rises with |x|^2, exponential of mean 2 and 2 + 2 s^2."""
    best = (1 + sigma**2) / (2 + sigma**2)
    rng = np.random.default_rng(2)

    def signals(_: int, n: int) -> np.ndarray:
        found = np.zeros((n, PIXELS))
        found[:, 2:4] = sigma * rng.standard_normal((n, 2))
        return found

    rows = [rows_of(lenses_of(signals), seed) for seed in range(20)]
    oracle, bank = (np.array([row[k] for row in rows]) for k in ("auc_oracle", "auc_bank"))
    # Rayleigh-distributed d': the mean of Phi(d' / sqrt 2) is [1 + s / sqrt(2 + s^2)] / 2
    told = (1 + sigma / np.sqrt(2 + sigma**2)) / 2
    assert oracle.mean() == pytest.approx(told, abs=5 * oracle.std() / np.sqrt(20) + 1e-6)
    error = bank.std() / np.sqrt(20)
    assert bank.mean() < max(best, 0.5) + 4 * error + 0.4 * bank.std()
    assert bank.mean() > 0.5 + 0.8 * (best - 0.5) - 4 * error  # 40 templates do not know all
    assert oracle.mean() > best


def test_the_classifier_is_not_chosen_on_the_draws_that_judge_it():
    """Two classifiers that guess: the better one of two on the same draws would be above 1/2."""
    rng = np.random.default_rng(3)
    upper, found = np.full(N_SYSTEMS, 0.9), []
    for _ in range(400):
        judged = [
            {
                "oracle": np.full(2, 0.9),
                "templates": 0.7 + 0.05 * rng.standard_normal(2),
                "gaussian": 0.7 + 0.05 * rng.standard_normal(2),
            }
            for _ in range(N_BANK)
        ]
        found.append(lower_bound(upper, judged, confidence=0.95)["auc_bank"])
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - 0.7) < 4 * error  # chosen where it is judged: 0.7 + 0.007


def test_a_regressed_mean_covers_the_truth_by_students_t():
    """y = 0.5 + 0.4 (x - 0.5): a coefficient of one would be off by 0.6 of what x is off."""
    rng = np.random.default_rng(4)
    trials, hits = 2000, 0
    for _ in range(trials):
        x = rng.uniform(0.5, 1.0, N_SYSTEMS)
        y = 0.5 + 0.4 * (x[:N_BANK] - 0.5) + 0.02 * rng.standard_normal(N_BANK)
        _, low, high = regressed_mean(y, x[:N_BANK], x, confidence=0.95)
        hits += low <= 0.6 <= high
    assert abs(hits / trials - 0.95) < 4 * np.sqrt(0.95 * 0.05 / trials)


def test_a_regression_does_not_run_away_where_the_few_are_all_alike():
    x = np.append(np.full(7, 1.0), 1 - 1e-7)
    y = np.append(np.full(7, 1.0), 1 - 1e-4)  # a slope of 1000
    value, *_ = regressed_mean(y, x, np.linspace(0.9, 1, 50), confidence=0.95)
    assert value > 0.89


def test_without_a_spread_of_the_oracle_the_mean_is_that_of_the_few():
    y = np.array([0.5, 0.6, 0.7, 0.8])
    value, low, high = regressed_mean(y, np.full(4, 0.9), np.full(9, 0.9), confidence=0.95)
    assert value == pytest.approx(0.65)
    # t of 3 degrees of freedom: 3.182 standard errors of 0.129 / 2
    assert (low, high) == pytest.approx((0.65 - 0.2054, 0.65 + 0.2054), abs=1e-4)
