"""A verdict with a false-alarm rate: is an image one of a domain's?

Every fact is compared with those of a class's validation images: how far it lies outside of what
nearly all of them have, in units of how far that lies from their median. Facts that are each in
order may be out of order together, which the Mahalanobis distance sees. The farthest of all these
decides, against a threshold that is set on images whose facts were not among those compared with.
An image that could be of one class is one of the domain's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

CENTRAL = 0.99  # of the images that are compared with: the range that all but these have
FALSE_ALARMS = 0.03  # of a class's own images that are refused
N_FOLDS = 5
JOINT = "all facts together (Mahalanobis distance)"
LEAST_WIDTH = 1e-9


@dataclass(frozen=True)
class Bounds:
    """What nearly all images of a domain have, (F,) each: the joint distance is the last fact.

    Attributes:
        low, median, high: of every fact.
        center, scale: of the facts in the joint distance.
        whitening: (F - 1, F - 1) of these.
    """

    low: np.ndarray
    median: np.ndarray
    high: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    whitening: np.ndarray

    @classmethod
    def of(cls, facts: np.ndarray) -> Self:
        """Of the facts (N, F) of a domain's images."""
        ends = np.array([(1 - CENTRAL) / 2, 0.5, (1 + CENTRAL) / 2])
        low, median, high = np.quantile(facts, ends, axis=0)
        scale = np.maximum(high - low, LEAST_WIDTH)
        standard = np.clip((facts - median) / scale, -1, 1)
        covariance = np.cov(standard.T).reshape(len(median), -1)
        covariance += np.eye(len(median)) * 1e-4
        whitening = np.linalg.cholesky(np.linalg.inv(covariance))
        bounds = cls(low, median, high, median, scale, whitening)
        joint = np.quantile(bounds.joint(facts), ends)
        # One-sided: no image is too ordinary.
        low, median, high = (
            np.append(a, b)
            for a, b in zip((low, median, high), (-np.inf, *joint[1:]), strict=True)
        )
        return cls(low, median, high, bounds.center, scale, whitening)

    def outside(self, facts: np.ndarray) -> np.ndarray:
        """How far every fact lies outside, (N, F + 1): below 0 within."""
        known = np.column_stack([facts, self.joint(facts)])
        above = (known - self.high) / np.maximum(self.high - self.median, LEAST_WIDTH)
        width = np.maximum(self.median - self.low, LEAST_WIDTH)
        with np.errstate(invalid="ignore"):
            below = np.where(np.isfinite(width), (self.low - known) / width, -1)
        return np.maximum(above, below)

    def joint(self, facts: np.ndarray) -> np.ndarray:
        """Logarithm of the Mahalanobis distance, (N,)."""
        scaled = (facts - self.center) / self.scale
        return np.log(np.linalg.norm(scaled @ self.whitening, axis=1) + LEAST_WIDTH)


@dataclass(frozen=True)
class Verdict:
    """Of one image.

    Attributes:
        within: whether every fact is as the domain's images have it.
        distance: how far the worst fact lies outside, over the threshold: above 1 is refused.
        reason: the worst fact, in words; empty where it is within.
    """

    within: bool
    distance: float
    reason: str


UNFITTED = Verdict(False, np.inf, "no lens could be fitted to it")


@dataclass(frozen=True)
class Class:
    """What a class of a domain looks like.

    Attributes:
        bounds: of its images.
        threshold: of the farthest fact.
    """

    bounds: Bounds
    threshold: float

    @classmethod
    def of(cls, facts: np.ndarray, false_alarms: float) -> Self:
        """Of the facts (N, F) of a class's images, each of another system."""
        folds = np.arange(len(facts)) % N_FOLDS
        farthest = np.empty(len(facts))
        for fold in range(N_FOLDS):
            held_out = folds == fold
            bounds = Bounds.of(facts[~held_out])
            farthest[held_out] = bounds.outside(facts[held_out]).max(1)
        threshold = max(float(np.quantile(farthest, 1 - false_alarms)), LEAST_WIDTH)
        return cls(Bounds.of(facts), threshold)

    def distance(self, facts: np.ndarray) -> np.ndarray:
        """How far the farthest fact of every image lies outside, over the threshold, (N,)."""
        return self.bounds.outside(facts).max(1) / self.threshold

    def reason(self, names: Sequence[str], facts: np.ndarray) -> str:
        """The worst of an image's facts (F,), in words."""
        worst = int(self.bounds.outside(facts[None])[0].argmax())
        low, high = self.bounds.low[worst], self.bounds.high[worst]
        span = f"{low:.3g} to {high:.3g}" if np.isfinite(low) else f"up to {high:.3g}"
        value = [*facts, self.bounds.joint(facts[None])[0]][worst]
        return f"{[*names, JOINT][worst]}: {value:.3g}, of the domain's images {span}"


@dataclass(frozen=True)
class Judge:
    """Says of images whether they are of a domain.

    Attributes:
        names: of the facts that are looked at, in words.
        columns: their places among all facts.
        classes: of the domain.
    """

    names: Sequence[str]
    columns: np.ndarray
    classes: Sequence[Class]

    @classmethod
    def of(
        cls,
        facts: np.ndarray,
        labels: np.ndarray,
        about: Mapping[str, str],
        *,
        without: Collection[str] = (),
        false_alarms: float = FALSE_ALARMS,
    ) -> Self:
        """A judge by a domain's images, none of which networks were trained on.

        Args:
            facts: (N, F), finite.
            labels: (N,) int, class of each.
            about: of every fact its name and what it is, in words.
            without: names of facts that are not looked at.
            false_alarms: share of a class's images that are to be refused.
        """
        columns = np.array([k for k, name in enumerate(about) if name not in without])
        own = [facts[labels == label][:, columns] for label in np.unique(labels)]
        names = [text for name, text in about.items() if name not in without]
        return cls(names, columns, [Class.of(each, false_alarms) for each in own])

    def judge(self, facts: np.ndarray) -> list[Verdict]:
        """Verdicts on images with these facts, (N, F); NaN of images without a fit."""
        facts = facts[:, self.columns]
        verdicts = [UNFITTED] * len(facts)
        known = np.flatnonzero(np.isfinite(facts).all(axis=1))
        if len(known):
            distances = np.stack([each.distance(facts[known]) for each in self.classes], axis=1)
            for i, distance in zip(known, distances, strict=True):
                verdicts[i] = self._verdict(facts[i], distance)
        return verdicts

    def _verdict(self, facts: np.ndarray, distances: np.ndarray) -> Verdict:
        nearest = int(distances.argmin())
        distance = max(float(distances[nearest]), 0.0)
        if distance <= 1:
            return Verdict(True, distance, "")
        return Verdict(False, distance, self.classes[nearest].reason(self.names, facts))
