"""AdaMatch: pseudo-labels of weakly augmented target images teach strong ones (arXiv:2106.04732).

Random logit interpolation is left out: it mixes the logits under batch norm of both domains with
those under batch norm of the source alone, and here no batch mixes the domains.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lensml.training.adaptation.joint.task import (
    FORWARD,
    SOURCE_DISTORTION,
    TARGET_DISTORTION,
    TRAINED,
    Batch,
    JointTask,
)


class AdaMatchTask(JointTask):
    """Class loss on weak and strong source images, pseudo-labels on strong target images."""

    passes = 3 * TRAINED + FORWARD

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Class loss, and the target's, whose weight rises along half a cosine."""
        weak = self.network(batch.source).float()
        strong = self.network(self.distorted(batch.source, batch.step, SOURCE_DISTORTION)).float()
        class_loss = (
            self.class_loss(weak, batch.labels) + self.class_loss(strong, batch.labels)
        ) / 2
        with torch.no_grad():
            guess = self.network(batch.target).float().softmax(1)
            goal, sure = pseudo_labels(weak.softmax(1), guess, self.method.confidence)
        seen = self.network(self.distorted(batch.target, batch.step, TARGET_DISTORTION)).float()
        entropy = -(goal * seen.log_softmax(1)).sum(1)
        weight = self.method.weight * (0.5 - math.cos(math.pi * batch.step / self.steps) / 2)
        return {"class": class_loss, "pseudo_label": weight * (entropy * sure).mean()}


def pseudo_labels(source: Tensor, target: Tensor, confidence: float) -> tuple[Tensor, Tensor]:
    """Target probabilities after distribution alignment, and which are sure enough.

    Args:
        source: (B, K) probabilities of the source batch.
        target: (B, K) of the target batch.
        confidence: share of the source's mean confidence that a pseudo-label must reach.

    Returns:
        (B, K) probabilities and (B,) ones and zeros (eq. 3 to 6 of the paper).
    """
    aligned = target * (source.mean(0) / target.mean(0).clamp_min(1e-6))
    aligned = aligned / aligned.sum(1, keepdim=True)
    threshold = confidence * source.max(1).values.mean()
    return aligned, (aligned.max(1).values >= threshold).float()
