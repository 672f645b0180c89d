"""More training on the source alone: what the rivals would gain without adapting anything."""

from __future__ import annotations

from torch import Tensor

from lensml.training.adaptation.joint.task import TRAINED, Batch, JointTask


class SourceContinuedTask(JointTask):
    """Class loss on source images."""

    passes = TRAINED

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Class loss."""
        return {"class": self.class_loss(self.network(batch.source), batch.labels)}
