"""Strong augmentation of the source alone: what adaptation gains without seeing the target."""

from __future__ import annotations

from torch import Tensor

from lensml.training.adaptation.joint.task import SOURCE_DISTORTION, TRAINED, Batch, JointTask


class StrongAugmentationTask(JointTask):
    """Class loss on distorted source images."""

    passes = TRAINED

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Class loss."""
        distorted = self.distorted(batch.source, batch.step, SOURCE_DISTORTION)
        return {"class": self.class_loss(self.network(distorted), batch.labels)}
