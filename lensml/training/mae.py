"""Training of the masked autoencoder on images without substructure."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from lensml.data.torch_dataset import Images
from lensml.models.mae import MaskedAutoencoder, random_masking
from lensml.models.symmetry import random_symmetry
from lensml.schema.training import Mae
from lensml.training.classifier import PREDICTION_BATCH, adamw, optimise, set_learning_rate
from lensml.training.loop import BatchOrder, step_generator

VALIDATION_SEED = 2**31  # masks of the validation loss, the same at every evaluation


class MaeTask:
    """Mean squared error on the hidden patches; the last weights are kept."""

    def __init__(
        self,
        model: MaskedAutoencoder,
        train: Images,
        validation: Images,
        *,
        spec: Mae,
        steps: int,
        seed: int,
        symmetry: str,
        device: torch.device,
    ) -> None:
        """Prepare training.

        Args:
            model: to be trained, in place.
            train, validation: images of the class ``no_sub`` alone.
            spec: optimiser and masking.
            steps: in total.
            seed: of data order, masks and augmentation.
            symmetry: augmentation, key of ``SYMMETRIES``.
            device: of model and batches.
        """
        self.model, self.spec = model.to(device), spec
        self.train, self.validation = train, validation
        self.steps, self.seed, self.symmetry = steps, seed, symmetry
        self.order = BatchOrder(len(train), spec.batch_size, seed)
        self.optimizer = adamw(self.model, spec)

    def step(self, step: int) -> dict[str, float]:
        """One batch."""
        self.model.train()
        x = self.train.batch(self.order(step))
        x = random_symmetry(x, self.symmetry, step_generator(self.seed, step, 1))
        self.learning_rate = set_learning_rate(self.optimizer, self.spec, step, self.steps)
        loss = self._loss(x, step_generator(self.seed, step, 2)).mean()
        optimise(self.optimizer, loss, self.model, self.spec.clip_grad_norm)
        return {"train_loss": loss.item()}

    def _loss(self, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        masking = random_masking(
            len(x), self.model.num_patches, self.spec.mask_ratio, generator
        ).to(x.device)
        return self.model(x, masking)[0]

    @torch.no_grad()
    def evaluate(self, step: int) -> dict[str, float]:
        """Loss on validation images under fixed masks."""
        self.model.eval()
        losses = []
        for start in range(0, len(self.validation), PREDICTION_BATCH):
            index = np.arange(start, min(start + PREDICTION_BATCH, len(self.validation)))
            generator = step_generator(VALIDATION_SEED, start)
            losses.append(self._loss(self.validation.batch(index), generator))
        return {
            "epoch": step / self.order.per_epoch,
            "val_loss": torch.cat(losses).mean().item(),
            "learning_rate": self.learning_rate,
        }

    def state_dict(self) -> dict[str, Any]:
        """Model and optimiser."""
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state_dict`."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
