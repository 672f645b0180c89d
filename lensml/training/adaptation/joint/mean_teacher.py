"""Self-ensembling: the average of the weights teaches the trained ones (arXiv:1706.05208)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lensml.models.encoders import batch_norm_layers
from lensml.training.adaptation.joint.task import (
    FORWARD,
    TARGET_DISTORTION,
    TRAINED,
    Batch,
    JointTask,
)


class MeanTeacherTask(JointTask):
    """Class loss on the source; on the target the student is to answer as its teacher.

    The teacher sees the target image, the student a distorted one. The teacher is the average that
    is kept at the end.
    """

    passes = 2 * TRAINED + FORWARD

    def __init__(self, *args: Any, **options: Any) -> None:
        """Prepare adaptation; see :class:`JointTask`."""
        super().__init__(*args, **options)
        if self.method.batch_norm == "target":  # running statistics are of both domains
            for layer in batch_norm_layers(self.average):
                layer.train()

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
