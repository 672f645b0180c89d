"""Deep CORAL: second moments of the embeddings are made equal (arXiv:1607.01719)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lensml.training.adaptation.adda import embedding_statistics
from lensml.training.adaptation.joint.task import TRAINED, Batch, JointTask


class CoralTask(JointTask):
    """Class loss on the source, and the distance of the domains' covariances."""

    passes = 2 * TRAINED

    def __init__(self, *args: Any, **options: Any) -> None:
        """Prepare adaptation; see :class:`JointTask`."""
        super().__init__(*args, **options)
        # On the source's scale a weight means the same for every encoder.
        self.std = embedding_statistics(self.average.encoder, self.batches.source, self.seed)[1]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Class loss and alignment."""
        source, target = self.embedded(batch)
        class_loss = self.class_loss(self.network.head(source), batch.labels)
        scale = self.std.clamp_min(1e-6)
        source, target = source.float() / scale, target.float() / scale
        distance = coral_distance(source, target)
        if self.method.match_mean:
            distance = distance + (source.mean(0) - target.mean(0)).square().mean()
        return {"class": class_loss, "alignment": self.method.weight * distance}


def coral_distance(source: Tensor, target: Tensor) -> Tensor:
    """Squared Frobenius distance of the covariances over 4 D^2 (eq. 1 of the paper).

    Args:
        source, target: (B, D) embeddings.
    """
    difference = source.T.cov() - target.T.cov()
    return difference.square().sum() / (4 * source.shape[1] ** 2)
