"""Regression of the substructure's strength with a Gaussian likelihood."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lensml.data.torch_dataset import Images
from lensml.models.regressor import Regressor
from lensml.models.symmetry import SYMMETRIES, random_symmetry, transform
from lensml.schema.training import Optimization
from lensml.training.engine.averaging import WeightAverage
from lensml.training.engine.execution import FLOAT32, Execution
from lensml.training.engine.optimizer import optimise, optimizer_of, set_learning_rate
from lensml.training.engine.order import BatchOrder, step_generator
from lensml.training.engine.prediction import batches_of, channels_last


class RegressionTask:
    """Gaussian negative log-likelihood with AdamW; an average of the weights is what is kept.

    Mean and variance are learned together (Nix & Weigend 1994). The weights with the lowest
    validation loss are kept; test images are not seen here.
    """

    def __init__(
        self,
        model: Regressor,
        train: Images,
        validation: Images,
        *,
        targets: tuple[np.ndarray, np.ndarray],
        spec: Optimization,
        epochs: int,
        seed: int,
        symmetry: str,
        ema_decay: float,
        device: torch.device,
        execution: Execution = FLOAT32,
    ) -> None:
        """Prepare training.

        Args:
            model: to be trained, in place.
            train, validation: images.
            targets: of the training and of the validation images, (N,) each, dex.
            spec: optimiser and schedule.
            epochs: passes over the training images.
            seed: of data order and augmentation.
            symmetry: augmentation, key of ``SYMMETRIES``.
            ema_decay: 0 keeps the trained weights themselves.
            device: of model and batches.
            execution: precision and compilation.
        """
        self.model = model.to(device).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.averaging = WeightAverage(self.average, self.model)
        execution.prepare(self.model)
        self.device, self.execution = device, execution
        self.train, self.validation, self.spec = train, validation, spec
        self.seed, self.symmetry, self.ema_decay = seed, symmetry, ema_decay
        self.order = BatchOrder(len(train), spec.batch_size, seed)
        self.steps = epochs * self.order.per_epoch
        self.targets, self.validation_targets = (
            self.model.standardise(torch.from_numpy(t).to(device, torch.float32)) for t in targets
        )
        self.optimizer = optimizer_of(self.model, spec)
        self.best: dict[str, Tensor] = {}
        self.best_loss = float("inf")

    def step(self, step: int) -> dict[str, Tensor]:
        """One batch."""
        self.model.train()
        index = self.order(step)
        x = self.train.batch(index)
        x = random_symmetry(x, self.symmetry, step_generator(self.seed, step))
        target = self.targets[torch.from_numpy(index).to(self.targets.device)]
        with self.execution.autocast(self.device):
            mean, log_var = self.model(channels_last(x))
            loss = gaussian_nll(mean.float(), log_var.float(), target)
        self.learning_rate = set_learning_rate(self.optimizer, self.spec, step, self.steps)
        optimise(self.optimizer, loss, self.model, self.spec.clip_grad_norm)
        self.averaging.update(min(self.ema_decay, (1 + step) / (10 + step)))
        return {"train_loss": loss.detach()}

    @torch.inference_mode()
    def evaluate(self, step: int) -> dict[str, float]:
        """Loss and error on the validation images; keeps the best weights so far."""
        self.average.eval()
        with self.execution.evaluating():
            passes = [self.average(channels_last(x)) for x in batches_of(self.validation)]
        mean, log_var = (torch.cat(parts) for parts in zip(*passes, strict=True))
        loss = gaussian_nll(mean, log_var, self.validation_targets).item()
        error = (mean - self.validation_targets) * self.average.target_std
        if loss < self.best_loss:
            self.best_loss = loss
            self.best = {k: v.detach().clone().cpu() for k, v in self.average.state_dict().items()}
        return {
            "epoch": step / self.order.per_epoch,
            "val_loss": loss,
            "val_rmse": error.square().mean().sqrt().item(),
            "learning_rate": self.learning_rate,
        }

    def state_dict(self) -> dict[str, Any]:
        """Model, average, optimiser and the best weights so far."""
        return {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
            "best_loss": self.best_loss,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state_dict`."""
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best, self.best_loss = state["best"], state["best_loss"]


def gaussian_nll(mean: Tensor, log_var: Tensor, target: Tensor) -> Tensor:
    """Mean of (log variance + squared error / variance) / 2, without the constant.

    Args:
        mean, log_var, target: (N,) each.
    """
    return functional.gaussian_nll_loss(mean, target, log_var.exp())


@torch.inference_mode()
def predict_gaussian(
    model: Regressor, images: Images, *, symmetry: str
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation, averaged over the elements of a symmetry group.

    The passes are an equal mixture of Gaussians: its mean is the mean of the means, its variance
    the mean of the variances and the variance of the means together.

    Args:
        model: regressor; switched to evaluation.
        images: N images.
        symmetry: key of ``SYMMETRIES``; 'none' for a single pass.

    Returns:
        (N,) and (N,) float64, dex.
    """
    model.eval()
    means, stds = [], []
    for x in batches_of(images):
        passes = [model(channels_last(transform(x, e))) for e in SYMMETRIES[symmetry]]
        mean, log_var = (torch.stack(p).double() for p in zip(*passes, strict=True))
        mean, variance = model.in_units(mean, log_var.exp())
        variance = variance.mean(0) + mean.var(0, correction=0)
        means.append(mean.mean(0).cpu().numpy())
        stds.append(variance.sqrt().cpu().numpy())
    return np.concatenate(means), np.concatenate(stds)
