"""Criteria of an adapted classifier that need no label of the target, and verdicts from them.

Every criterion is a function of :class:`Evidence`, larger where the classifier should be better on
the target; :data:`CRITERIA` lists them. None may choose what it is judged on: which one is used
for what was settled on pairs of development.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lensml.training.adaptation.criteria import (
    SMALLEST,
    entropy,
    information,
    logit_spread,
    mmd,
    predicted_shares,
    softmax,
)

N_PAIRED = 800  # images at most whose distances are all computed
TEMPERATURE = 0.05  # of the neighbourhood density, as published
WEIGHTS = (1e-3, 1 - 1e-3)  # bounds of a probability of the target from which weights follow


@dataclass(frozen=True)
class Evidence:
    """What a classifier says of images of both domains; no label of the target is among it.

    Attributes:
        source_embedding: (N, D) of source images that it was not trained on.
        source_logits: (N, K).
        source_labels: (N,) int.
        target_embedding: (M, D) of unlabelled images.
        target_logits: (M, K).
    """

    source_embedding: np.ndarray
    source_logits: np.ndarray
    source_labels: np.ndarray
    target_embedding: np.ndarray
    target_logits: np.ndarray


def information_maximisation(evidence: Evidence) -> float:
    """IM of the target's predictions, nats; worthless for methods that train on it."""
    return information(softmax(evidence.target_logits))


def certainty(evidence: Evidence) -> float:
    """Less the mean entropy of the target's predictions, nats."""
    return -float(entropy(softmax(evidence.target_logits)).mean())


def diversity(evidence: Evidence) -> float:
    """Entropy of the mean of the target's predictions, nats."""
    return float(entropy(softmax(evidence.target_logits).mean(0)))


def balance(evidence: Evidence) -> float:
    """Less the share of target images that would have to change class to make shares equal.

    Assumes equal shares of the classes in the target.
    """
    shares = predicted_shares(evidence.target_logits)
    return -float(np.abs(shares - 1 / len(shares)).sum() / 2)


def spread(evidence: Evidence) -> float:
    """Spread of the target's logits over the source's."""
    return logit_spread(evidence.target_logits, evidence.source_logits)


def closeness(evidence: Evidence) -> float:
    """Less the squared MMD of the embeddings."""
    sides = evidence.source_embedding, evidence.target_embedding
    return -mmd(*(x[:N_PAIRED] for x in sides))


def confusion(evidence: Evidence) -> float:
    """Less the proxy A-distance 2 (1 - 2 error) of the embeddings (Ben-David et al. 2007).

    The error of a linear classifier of domains, trained on one half and tested on the other.
    """
    domains, (first, second) = _domains(evidence)
    truth = np.repeat([0, 1], [len(first), len(second)])
    error = 1 - domains.score(np.concatenate([first, second]), truth)
    return -2 * (1 - 2 * error)


def deep_embedded_validation(evidence: Evidence) -> float:
    """Less the source's risk, weighted to the target's embeddings (You et al. 2019, DEV).

    Weights are the odds of a classifier of domains, with the variance that they bring taken away
    by a control variate.
    """
    domains, _ = _domains(evidence)
    target = domains.predict_proba(_standardised(evidence)[0])[:, 1].clip(*WEIGHTS)
    weight = target / (1 - target)
    weight *= len(evidence.source_embedding) / len(evidence.target_embedding)
    own = softmax(evidence.source_logits)[np.arange(len(weight)), evidence.source_labels]
    risk = -weight * np.log(np.maximum(own, SMALLEST))
    slope = -np.cov(risk, weight)[0, 1] / max(float(weight.var(ddof=1)), SMALLEST)
    return -float(risk.mean() + slope * weight.mean() - slope)


def neighbourhood_density(evidence: Evidence) -> float:
    """Soft neighbourhood density of the target's predictions (Saito et al. 2021), nats."""
    p = softmax(evidence.target_logits[:N_PAIRED])
    p = p / np.linalg.norm(p, axis=1, keepdims=True)
    similarity = p @ p.T / TEMPERATURE
    np.fill_diagonal(similarity, -np.inf)
    return float(entropy(softmax(similarity)).mean())


def nuclear_norm(evidence: Evidence) -> float:
    """Nuclear norm of the target's predictions over the root of their number (Cui et al. 2020)."""
    p = softmax(evidence.target_logits)
    return float(np.linalg.norm(p, ord="nuc") / np.sqrt(len(p)))


CRITERIA: dict[str, Callable[[Evidence], float]] = {
    "im": information_maximisation,
    "certainty": certainty,
    "diversity": diversity,
    "balance": balance,
    "logit_spread": spread,
    "mmd": closeness,
    "a_distance": confusion,
    "dev": deep_embedded_validation,
    "snd": neighbourhood_density,
    "bnm": nuclear_norm,
}


def criteria_of(evidence: Evidence) -> dict[str, float]:
    """Every criterion by name."""
    return {name: criterion(evidence) for name, criterion in CRITERIA.items()}


def _standardised(evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of source and target in units of the source's standard deviations."""
    mean = evidence.source_embedding.mean(0)
    scale = np.maximum(evidence.source_embedding.std(0), 1e-6)
    return (evidence.source_embedding - mean) / scale, (evidence.target_embedding - mean) / scale


def _domains(evidence: Evidence):  # noqa: ANN202  scikit-learn is imported on use
    """A linear classifier of domains and the embeddings that it was not trained on."""
    from sklearn.linear_model import LogisticRegression

    source, target = _standardised(evidence)
    halves = [(x[: len(x) // 2], x[len(x) // 2 :]) for x in (source, target)]
    truth = np.repeat([0, 1], [len(half[0]) for half in halves])
    model = LogisticRegression(C=0.1, max_iter=500)
    model.fit(np.concatenate([half[0] for half in halves]), truth)
    return model, (halves[0][1], halves[1][1])


@dataclass(frozen=True)
class Verdict:
    """A decision without labels.

    Attributes:
        accepted: what was in question is done, or kept.
        text: what was seen, in a sentence.
    """

    accepted: bool
    text: str


def harmonising_verdict(im_source: float, im_target: float) -> Verdict:
    """Whether to bring cameras together (``harmonise: auto``).

    A source classifier that is as sure of target images as of the source's own loses by it: the
    better camera would be brought down to the worse.

    Args:
        im_source: IM of the source classifier on source images that it was not trained on, nats.
        im_target: on the target's pool.
    """
    lower = im_target < im_source
    what = "harmonised" if lower else "left as they are"
    relation = "below" if lower else "not below"
    return Verdict(
        lower,
        f"{what}: IM of the source classifier is {im_target:.3f} on the target's pool, {relation} "
        f"the {im_source:.3f} on source images",
    )


def adaptation_verdict(im_before: float, im_after: float, *, max_im_loss: float) -> Verdict:
    """Whether to keep an adapted classifier, or what it started from.

    Args:
        im_before, im_after: IM on the target's pool, nats.
        max_im_loss: by which it may fall.
    """
    loss = im_before - im_after
    kept = loss <= max_im_loss
    change = f"IM on the pool went from {im_before:.3f} to {im_after:.3f}"
    if kept:
        return Verdict(True, f"kept: {change}")
    return Verdict(False, f"refused: {change}, by more than {max_im_loss:g}; the start is kept")
