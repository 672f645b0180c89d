"""The lower bound of the physical limit: classifiers that exist, on systems whose lens they know.

A classifier averages the likelihood ratio over simulated substructure. It is judged on a few
systems, and the mean over all of them follows by regression on the oracle's AUC, which is known
there as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.stats import t

from lensml.evaluation.limit.fisher import (
    Noise,
    auc,
    bank_evidence,
    gaussian_evidence,
    oracle_auc,
)
from lensml.evaluation.limit.lenses import SPLIT, Lenses
from lensml.simulate.streams import generator, seed_sequence

NOISES_PER_DRAW = 4
EVIDENCE = {"templates": bank_evidence, "gaussian": gaussian_evidence}
LEAST_FOR_SLOPE = 4  # systems, below which the oracle's AUC is not used
# AUC of classifier over that of the oracle: one on average, since they agree at chance and at 1.
SLOPES = (0.0, 2.0)
CHANCE = 0.5  # which a guess reaches
Judged = Mapping[str, np.ndarray]  # see judge_system


def judge_system(
    lenses: Lenses, i: int, flux: float, pairs: Sequence[tuple[str, str]], seed: int
) -> dict[tuple[str, str], Judged]:
    """AUC of each classifier and of the oracle, on either half of fresh draws of one system.

    Args:
        lenses: what the bounds are made of.
        i: the system.
        flux: factor on the source's.
        pairs: of classes, the smooth one first.
        seed: of the noise.

    Returns:
        Pair -> kind of classifier, or ``oracle`` -> (2,) AUC.
    """
    noise = lenses.noise(i, flux)
    sequence = seed_sequence(seed, purpose="limit/noise", domain="", split=SPLIT, index=i)
    rng = generator(sequence)
    signals = {name: flux * draws[i] for name, draws in lenses.draws.items()}
    smooth = np.zeros_like(next(iter(signals.values())))
    truth = {pairs[0][0]: smooth, **signals}
    data = {name: _noisy(lenses, i, flux, x, noise, rng) for name, x in truth.items()}
    banks = {name: noise.whiten(flux * t[i]) for name, t in lenses.templates.items()}
    score = {kind: _scores(evidence, data, banks) for kind, evidence in EVIDENCE.items()}
    out: dict[tuple[str, str], Judged] = {}
    for a, b in pairs:
        known = oracle_auc(noise.d_marginal(truth[b] - truth[a]))
        found = {"oracle": [half.mean() for half in np.array_split(known, 2)]}
        for kind, own in score.items():
            # the evidence of the smooth lens is the zero point of every other
            ratio = [_halves(own[x, b] - own.get((x, a), 0.0)) for x in (a, b)]
            found[kind] = [auc(*half) for half in zip(*ratio, strict=True)]
        out[a, b] = {kind: np.array(values) for kind, values in found.items()}
    return out


def _halves(score: np.ndarray) -> list[np.ndarray]:
    """Scores of the first and of the last draws, with every noise that a draw has."""
    by_draw = score.reshape(-1, NOISES_PER_DRAW)
    return [half.ravel() for half in np.array_split(by_draw, 2)]


def _scores(
    evidence: Callable, data: Mapping[str, np.ndarray], banks: Mapping[str, np.ndarray]
) -> dict[tuple[str, str], np.ndarray]:
    """(class of the data, class of the templates) -> log evidence of every datum."""
    stacked = np.concatenate(list(data.values()))
    ends = np.cumsum([len(x) for x in data.values()])[:-1]
    return {
        (observed, name): part
        for name, bank in banks.items()
        for observed, part in zip(data, np.split(evidence(stacked, bank), ends), strict=True)
    }


def _noisy(
    lenses: Lenses,
    i: int,
    flux: float,
    signal: np.ndarray,
    noise: Noise,
    rng: np.random.Generator,
) -> np.ndarray:
    """Whitened residuals from the smooth image, several noises and nuisances per signal."""
    signal = np.repeat(signal, NOISES_PER_DRAW, axis=0)
    rms = np.sqrt(lenses.variance(i, flux * lenses.image[i] + signal, flux))
    observed = signal + rms * rng.standard_normal(signal.shape)
    return noise.whiten(observed + noise.nuisance(len(signal), rng))


def lower_bound(upper: np.ndarray, judged: Sequence[Judged], *, confidence: float) -> dict:
    """Mean AUC of the better classifier over the systems of the upper bound.

    Either half of the draws chooses the classifier that the other half judges: the better of two
    on the draws that judge it would be better by luck. No bound is below one half, which a guess
    reaches.

    Args:
        upper: (N,) oracle's AUC on every system.
        judged: of the first systems.
        confidence: of the interval.
    """
    mean = {kind: np.mean([system[kind] for system in judged], axis=0) for kind in EVIDENCE}
    chosen = [max(EVIDENCE, key=lambda kind: mean[kind][other]) for other in (1, 0)]
    reached = np.array(
        [np.mean([s[kind][half] for half, kind in enumerate(chosen)]) for s in judged]
    )
    oracle = np.array([system["oracle"].mean() for system in judged])
    ends = regressed_mean(reached, oracle, upper, confidence=confidence)
    value, low, high = (float(np.clip(x, CHANCE, 1.0)) for x in ends)
    return {
        "n_bank_systems": len(judged),
        "classifier": " / ".join(dict.fromkeys(chosen)),
        "auc_bank": value,
        "bank_low": low,
        "bank_high": high,
    }


def regressed_mean(
    y: np.ndarray, x: np.ndarray, everywhere: np.ndarray, *, confidence: float
) -> tuple[float, float, float]:
    """Mean of y where it is known on a few systems and a related x on many more.

    The control variate's coefficient is the slope of y over x among the few, not one: what a
    classifier loses to the oracle vanishes with the signal and is largest between its extremes.
    (Cochran 1977, Sampling Techniques, section 7.7: regression estimates in double sampling.)

    Args:
        y, x: (n,) of the systems that both are known of.
        everywhere: (N,) x of all systems.
        confidence: of the interval, by Student's t.

    Returns:
        The mean and the ends of its interval.
    """
    n, off = len(y), x - x.mean()
    spread = float(off @ off)
    use = n >= LEAST_FOR_SLOPE and spread > 0
    slope = float(np.clip(off @ y / spread, *SLOPES)) if use else 0.0
    step = float(everywhere.mean() - x.mean())
    rest = y - y.mean() - slope * off
    freedom = np.array([n - 1 - use, len(everywhere) - 1])
    of_few = float(rest @ rest) / freedom[0] * (1 / n + (step**2 / spread if use else 0.0))
    of_many = slope**2 * float(everywhere.var(ddof=1)) / len(everywhere)
    parts, value = np.array([of_few, of_many]), float(y.mean()) + slope * step
    if not parts.any():
        return value, value, value
    # Welch and Satterthwaite's degrees of freedom of a sum of two estimated variances.
    quantile = t.ppf((1 + confidence) / 2, parts.sum() ** 2 / (parts**2 / freedom).sum())
    reach = float(quantile * np.sqrt(parts.sum()))
    return value, value - reach, value + reach
