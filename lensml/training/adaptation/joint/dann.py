"""Domain-adversarial training of neural networks (arXiv:1505.07818)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lensml.models.discriminator import Discriminator
from lensml.training.adaptation.adda import SOURCE, TARGET, embedding_statistics
from lensml.training.adaptation.joint.task import TRAINED, Batch, JointTask
from lensml.training.engine.optimizer import optimise

STEEPNESS = 10.0  # of the weight's rise (section 5.2.2 of the paper)


class DannTask(JointTask):
    """Class loss on the source, and the reversed loss of a discriminator of the domains.

    The discriminator learns on the embeddings of the step first; the encoder then climbs its loss,
    which is what a gradient-reversal layer does in one pass.
    """

    passes = 2 * TRAINED

    def __init__(self, *args: Any, **options: Any) -> None:
        """Prepare adaptation; see :class:`JointTask`."""
        super().__init__(*args, **options)
        mean, std = embedding_statistics(self.average.encoder, self.batches.source, self.seed)
        torch.manual_seed(self.seed)
        discriminator = Discriminator(mean, std, self.method.hidden_dim)
        self.discriminator = discriminator.to(self.device)
        self.optimizer_d = torch.optim.AdamW(
            self.discriminator.parameters(),
            lr=self.method.learning_rate_discriminator,
            weight_decay=0.0,
            fused=True,
        )

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Class loss and the weighted, reversed loss of the discriminator."""
        source, target = self.embedded(batch)
        class_loss = self.class_loss(self.network.head(source), batch.labels)
        source, target = source.float(), target.float()
        learned = self._domain_loss(source.detach(), target.detach())
        optimise(self.optimizer_d, learned, self.discriminator, self.spec.clip_grad_norm)
        weight = self.method.weight * rise(batch.step / self.steps)
        return {"class": class_loss, "reversed": -weight * self._domain_loss(source, target)}

    def _domain_loss(self, source: Tensor, target: Tensor) -> Tensor:
        logits = self.discriminator(source), self.discriminator(target)
        losses = [
            functional.binary_cross_entropy_with_logits(logit, torch.full_like(logit, label))
            for logit, label in zip(logits, (SOURCE, TARGET), strict=True)
        ]
        return torch.stack(losses).mean()

    def parts(self) -> dict[str, Any]:
        """The discriminator and its optimiser too."""
        return {
            **super().parts(),
            "discriminator": self.discriminator,
            "optimizer_d": self.optimizer_d,
        }


def rise(progress: float) -> float:
    """Weight of the reversed gradient, from 0 at the start to 1 at the end of the steps."""
    return 2 / (1 + math.exp(-STEEPNESS * progress)) - 1
