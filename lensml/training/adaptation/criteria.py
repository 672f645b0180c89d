"""What can be known of an adapted classifier without a label of the target.

Numbers of logits, probabilities and embeddings; what is done about them is said elsewhere
(:mod:`lensml.evaluation.adaptation.criteria`).
"""

from __future__ import annotations

import numpy as np

MMD_WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # squared, over the median squared distance
SMALLEST = 1e-12  # probability


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of (N, K) logits."""
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True)


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Entropy of the last axis, nats."""
    return -(probabilities * np.log(np.maximum(probabilities, SMALLEST))).sum(-1)


def information(probabilities: np.ndarray) -> float:
    """Mutual information of image and predicted class, nats.

    The entropy of the mean prediction less the mean entropy (information maximisation, IM: Liang
    et al. 2020, arXiv:2002.08546): high where predictions are sure and spread over the classes,
    0 where every image gets the same.

    Args:
        probabilities: (N, K), rows sum to 1.
    """
    return float(entropy(probabilities.mean(0)) - entropy(probabilities).mean())


def predicted_shares(probabilities: np.ndarray) -> np.ndarray:
    """Share of the images that every class is given, (K,)."""
    n, k = probabilities.shape
    return np.bincount(probabilities.argmax(1), minlength=k) / n


def logit_spread(logits: np.ndarray, reference: np.ndarray) -> float:
    """Spread of logits over images, relative to that of others.

    Of logits less their mean over the classes, which says nothing, the root of the total variance.
    A network far from what it knows is saturated: the spread is small, and no gradient with it.

    Args:
        logits: (N, K), of the target.
        reference: (M, K), of the source.
    """
    spreads = [np.sqrt((x - x.mean(1, keepdims=True)).var(0).sum()) for x in (logits, reference)]
    return float(spreads[0] / max(spreads[1], SMALLEST))


def mmd(source: np.ndarray, target: np.ndarray) -> float:
    """Squared maximum mean discrepancy of embeddings (Gretton et al. 2012).

    The mean over Gaussian kernels of five widths about the median distance, of embeddings in units
    of the source's standard deviation per dimension.

    Args:
        source, target: (N, D) and (M, D).
    """
    scale = np.maximum(source.std(0), 1e-6)
    both = np.concatenate([source, target]).astype(float) / scale
    square = np.square(both).sum(1)
    distance = np.maximum(square[:, None] + square - 2 * both @ both.T, 0)
    median = max(float(np.median(distance[np.triu_indices(len(both), 1)])), SMALLEST)
    kernel = np.mean([np.exp(-distance / (w * median)) for w in MMD_WIDTHS], axis=0)
    n = len(source)
    return float(kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean())
