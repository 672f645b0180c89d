"""Training of the masked autoencoder on images without substructure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lensml.data.torch_dataset import Images
from lensml.models.mae import MaskedAutoencoder, Masking, random_masking
from lensml.models.symmetry import apply_elements, random_elements
from lensml.schema.anomaly import Mae
from lensml.training.engine.execution import FLOAT32, Execution
from lensml.training.engine.optimizer import optimise, optimizer_of, set_learning_rate
from lensml.training.engine.order import BatchOrder, step_generator
from lensml.training.engine.prediction import PREDICTION_BATCH
from lensml.training.engine.ranks import share, shared, weight_of
from lensml.training.engine.stopwatch import no_lap

VALIDATION_SEED = 2**31  # masks of the validation loss, the same at every evaluation


class MaeTask:
    """Mean squared error on the hidden patches, or chi2; the last weights are kept."""

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
        execution: Execution = FLOAT32,
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
            execution: precision and compilation.
        """
        self.model, self.spec = model.to(device).train(), spec
        execution.prepare(self.model)
        self.network = shared(self.model, device)  # what a step calls
        self.device, self.execution = device, execution
        self.train, self.validation = train, validation
        self.steps, self.seed, self.symmetry = steps, seed, symmetry
        self.order = BatchOrder(len(train), spec.batch_size, seed)
        self.optimizer = optimizer_of(self.model, spec)
        self.lap: Callable[[str], None] = no_lap

    def step(self, step: int) -> dict[str, Tensor]:
        """One batch, or this process's share of it."""
        self.lap("bookkeeping")  # since the step before
        self.learning_rate = set_learning_rate(self.optimizer, self.spec, step, self.steps)
        index = self.order(step)
        rows = share(len(index))
        chosen = torch.from_numpy(rows)
        x = self.train.batch(index[rows])
        self.lap("batch")
        elements = random_elements(len(index), self.symmetry, step_generator(self.seed, step, 1))
        x = apply_elements(x, self.symmetry, elements[chosen])
        masking = self._masking(len(index), step_generator(self.seed, step, 2)).rows(chosen)
        noise = self._noise(self.train, x, index[rows])
        self.lap("augmentation")
        with self.execution.autocast(self.device):
            loss = self.network(x, masking.to(self.device), noise)[0].mean()
        loss = loss * weight_of(rows, len(index))
        self.lap("forward")
        optimise(self.optimizer, loss, self.model, self.spec.clip_grad_norm, self.lap)
        return {"train_loss": loss.detach()}

    def _noise(self, images: Images, x: Tensor, index: np.ndarray) -> Tensor | None:
        return images.noise_on_scale(x, index) if self.spec.loss == "chi2" else None

    def _masking(self, n: int, generator: torch.Generator) -> Masking:
        return random_masking(n, self.model.num_patches, self.spec.mask_ratio, generator)

    @torch.no_grad()
    def evaluate(self, step: int) -> dict[str, float]:
        """Loss on validation images under fixed masks."""
        self.model.eval()
        losses = []
        for start in range(0, len(self.validation), PREDICTION_BATCH):
            index = np.arange(start, min(start + PREDICTION_BATCH, len(self.validation)))
            masking = self._masking(len(index), step_generator(VALIDATION_SEED, start))
            x = self.validation.batch(index)
            with self.execution.evaluating():
                noise = self._noise(self.validation, x, index)
                losses.append(self.model(x, masking.to(self.device), noise)[0])
        self.model.train()
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
