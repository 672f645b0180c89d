"""Detectability of a known signal in Gaussian noise, with nuisance parameters marginalised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp, ndtr

from lensml.evaluation.statistics.bootstrap import weighted_auc


@dataclass(frozen=True)
class Noise:
    """Noise C = diag(variance) and nuisance J theta, theta ~ N(0, P): covariance S = C + J P J^T.

    By Woodbury's identity S^-1 = C^-1 - C^-1 J (J^T C^-1 J + P^-1)^-1 J^T C^-1.
    With the singular value decomposition C^-1/2 J P^1/2 = U s V^T it has the symmetric root
    (1 - U [1 - (1 + s^2)^-1/2] U^T) C^-1/2, which is what :meth:`whiten` applies.

    Attributes:
        rms: (pixels,) standard deviation of the noise.
        basis: (pixels, k) U.
        strength: (k,) s.
    """

    rms: np.ndarray
    basis: np.ndarray
    strength: np.ndarray

    @classmethod
    def of(cls, variance: np.ndarray, jacobian: np.ndarray, prior_width: np.ndarray) -> Self:
        """From the noise's variance (pixels,), the derivatives (pixels, k) and priors (k,)."""
        rms = np.sqrt(variance)
        basis, strength, _ = np.linalg.svd(
            jacobian * prior_width / rms[:, None], full_matrices=False
        )
        return cls(rms, basis, strength)

    def whiten(self, x: np.ndarray) -> np.ndarray:
        """S^-1/2 x for (..., pixels): data of covariance S become white."""
        scaled = x / self.rms
        loss = 1 - 1 / np.sqrt(1 + self.strength**2)
        return scaled - ((scaled @ self.basis) * loss) @ self.basis.T

    def nuisance(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draws of J theta, (n, pixels)."""
        return (rng.standard_normal((n, len(self.strength))) * self.strength) @ (
            self.basis * self.rms[:, None]
        ).T

    def d_fixed(self, signal: np.ndarray) -> np.ndarray:
        """Detectability d' of (..., pixels) signals where the nuisance parameters are known."""
        return np.linalg.norm(signal / self.rms, axis=-1)

    def d_marginal(self, signal: np.ndarray) -> np.ndarray:
        """Detectability d' of (..., pixels) signals with the nuisance marginalised."""
        return np.linalg.norm(self.whiten(signal), axis=-1)


def oracle_auc(d_prime: ArrayLike) -> np.ndarray:
    """AUC Phi(d' / sqrt 2) of an observer who is told the signal: an upper bound."""
    return ndtr(np.asarray(d_prime) / np.sqrt(2))


def pooled_oracle_auc(d_prime: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """AUC of the same observer where images of different systems are ranked together.

    The log-likelihood ratio of system i is N(-d_i^2 / 2, d_i^2) without and N(d_i^2 / 2, d_i^2)
    with the signal, so system i with it outranks system j without it with the probability
    Phi(sqrt(d_i^2 + d_j^2) / 2). Where d' varies this exceeds the mean of :func:`oracle_auc`,
    because the ratio also says how much each image can tell. It bounds the AUC of a network on a
    test set of many systems; the mean of :func:`oracle_auc` does not.

    Args:
        d_prime: (N,)
        weights: (B, N) of the systems.

    Returns:
        (B,)
    """
    squared = np.square(d_prime)
    outranks = ndtr(np.sqrt(squared[:, None] + squared) / 2)
    share = weights / weights.sum(1, keepdims=True)
    return np.einsum("bi,ij,bj->b", share, outranks, share, optimize=True)


def bank_evidence(data: np.ndarray, templates: np.ndarray) -> np.ndarray:
    """Log of the likelihood ratio against no signal, averaged over equally likely templates.

    Args:
        data: (M, pixels) whitened.
        templates: (K, pixels) whitened.

    Returns:
        (M,) log [1/K sum_k exp(t_k . x - |t_k|^2 / 2)].
    """
    exponent = data @ templates.T - 0.5 * np.square(templates).sum(1)
    return logsumexp(exponent, axis=1) - np.log(len(templates))


def gaussian_evidence(data: np.ndarray, templates: np.ndarray) -> np.ndarray:
    """Log-likelihood ratio, against no signal, of the templates' mean and covariance.

    The signals are taken as Gaussian, which reaches further than the bank where no template
    resembles the data.

    Args:
        data: (M, pixels) whitened.
        templates: (K, pixels) whitened.

    Returns:
        (M,)
    """
    mean = templates.mean(0)
    _, s, axes = np.linalg.svd((templates - mean) / np.sqrt(len(templates)), full_matrices=False)
    along = (data - mean) @ axes.T
    gain = 0.5 * np.square(along) @ (s**2 / (1 + s**2)) - 0.5 * np.log1p(s**2).sum()
    return data @ mean - 0.5 * mean @ mean + gain


def auc(negative: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve of two samples of scores."""
    score = np.concatenate([negative, positive])
    truth = np.repeat([False, True], [len(negative), len(positive)])
    return float(weighted_auc(score, truth, np.ones((1, len(score))))[0])
