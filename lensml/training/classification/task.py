"""Supervised training of a substructure classifier, selected on validation images."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lensml.data.torch_dataset import Images
from lensml.models.encoders import Classifier
from lensml.models.symmetry import apply_elements, random_elements
from lensml.schema.training import Optimization
from lensml.training.engine.averaging import WeightAverage
from lensml.training.engine.execution import FLOAT32, Execution
from lensml.training.engine.optimizer import (
    optimise,
    optimizer_of,
    set_learning_rate,
)
from lensml.training.engine.order import batch_order, labels_of, step_generator
from lensml.training.engine.prediction import channels_last, predict_probabilities
from lensml.training.engine.ranks import share, shared, synchronised, weight_of
from lensml.training.engine.stopwatch import no_lap

NOISE = 3  # purpose of the generator of noise that is drawn anew, and the first row of a share


class ClassifierTask:
    """Cross-entropy; an exponential moving average of the weights is what is kept.

    The weights with the best validation AUC are kept; test images are not seen here.
    """

    def __init__(
        self,
        model: Classifier,
        train: Images,
        validation: Images,
        *,
        spec: Optimization,
        steps: int,
        seed: int,
        symmetry: str,
        label_smoothing: float,
        ema_decay: float,
        paired: bool,
        device: torch.device,
        execution: Execution = FLOAT32,
        watch: Callable[[float, float], None] | None = None,
    ) -> None:
        """Prepare training.

        Args:
            model: to be trained, in place.
            train, validation: labelled images.
            spec: optimiser and schedule.
            steps: in total.
            seed: of data order and augmentation.
            symmetry: augmentation, key of ``SYMMETRIES``.
            label_smoothing: of the cross-entropy.
            ema_decay: 0 keeps the trained weights themselves.
            paired: batches hold whole systems, see :func:`batch_order`.
            device: of model and batches.
            execution: precision and compilation.
            watch: called after every evaluation with the fraction of the steps and the AUC.
        """
        model = model.to(device).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(model).requires_grad_(False).eval()
        self.model = synchronised(model, device).train()
        execution.prepare(self.model)
        self.network = shared(self.model, device)  # what a step calls
        self.averaging = WeightAverage(self.average, self.model)
        self.device, self.execution = device, execution
        self.train, self.validation, self.spec = train, validation, spec
        self.steps, self.seed, self.symmetry = steps, seed, symmetry
        self.label_smoothing, self.ema_decay = label_smoothing, ema_decay
        self.order = batch_order(train, spec.batch_size, seed, paired=paired)
        self.labels = torch.from_numpy(labels_of(train)).to(device)
        self.optimizer = optimizer_of(self.model, spec)
        self.best: dict[str, Tensor] = {}
        self.best_auc = -1.0
        self.watch = watch
        self.lap: Callable[[str], None] = no_lap

    def step(self, step: int) -> dict[str, Tensor]:
        """One batch, or this process's share of it."""
        self.lap("bookkeeping")  # since the step before
        self.learning_rate = set_learning_rate(self.optimizer, self.spec, step, self.steps)
        index, copies = self.order(step), self.order.copies
        rows = share(len(index), copies)
        noise = step_generator(self.seed, step, NOISE + int(rows[0]))
        x = self.train.batch(index[rows], noise, copies=copies)
        target = self.labels[torch.from_numpy(index[rows]).to(self.device)]
        self.lap("batch")
        generator = step_generator(self.seed, step)
        elements = random_elements(len(index), self.symmetry, generator, copies=copies)
        x = channels_last(apply_elements(x, self.symmetry, elements[torch.from_numpy(rows)]))
        self.lap("augmentation")
        with self.execution.autocast(self.device):
            loss = functional.cross_entropy(
                self.network(x), target, label_smoothing=self.label_smoothing
            )
        loss = loss * weight_of(rows, len(index))
        self.lap("forward")
        optimise(self.optimizer, loss, self.model, self.spec.clip_grad_norm, self.lap)
        self.averaging.update(min(self.ema_decay, (1 + step) / (10 + step)))
        self.lap("average")
        return {"train_loss": loss.detach()}

    def evaluate(self, step: int) -> dict[str, float]:
        """Loss and AUC on the validation images; keeps the best weights so far."""
        with self.execution.evaluating():
            p = predict_probabilities(self.average, self.validation, symmetry="none")
        labels = labels_of(self.validation)
        auc = macro_auc(labels, p)
        loss = -np.log(np.clip(p[np.arange(len(p)), labels], 1e-12, 1)).mean()
        if auc > self.best_auc:
            self.best_auc = auc
            self.best = {k: v.detach().clone().cpu() for k, v in self.average.state_dict().items()}
        if self.watch:
            self.watch(step / self.steps, auc)
        return {
            "epoch": step / self.order.per_epoch,
            "val_loss": float(loss),
            "val_roc_auc_ovr_macro": auc,
            "learning_rate": self.learning_rate,
        }

    def state_dict(self) -> dict[str, Any]:
        """Model, average, optimiser and the best weights so far."""
        return {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
            "best_auc": self.best_auc,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state_dict`."""
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best, self.best_auc = state["best"], state["best_auc"]


def macro_auc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean one-vs-rest area under the ROC curve.

    Args:
        labels: (N,) int.
        probabilities: (N, K).
    """
    from sklearn.metrics import roc_auc_score  # a job that validates nothing starts without it

    classes = range(probabilities.shape[1])
    return float(np.mean([roc_auc_score(labels == k, probabilities[:, k]) for k in classes]))
