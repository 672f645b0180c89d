"""Self-ensembling: the average of the weights teaches the trained ones (arXiv:1706.05208)."""

from __future__ import annotations

import torch
from torch import Tensor

from lensml.training.joint.task import FORWARD, TARGET_DISTORTION, TRAINED, Batch, JointTask


class MeanTeacherTask(JointTask):
    """Class loss on the source; on the target the student is to answer as its teacher.

    The teacher sees the target image, the student a distorted one. The teacher is the average that
    is kept at the end.
    """

    passes = 2 * TRAINED + FORWARD

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Class loss, and the squared difference of probabilities where the teacher is sure."""
        class_loss = self.class_loss(self.network(batch.source), batch.labels)
        with torch.no_grad():
            teacher = self.average(batch.target).float().softmax(1)
        sure = (teacher.max(1).values > self.method.confidence).float()
        distorted = self.distorted(batch.target, batch.step, TARGET_DISTORTION)
        student = self.network(distorted).float().softmax(1)
        consistency = ((student - teacher).square().mean(1) * sure).mean()
        return {"class": class_loss, "consistency": self.method.weight * consistency}
