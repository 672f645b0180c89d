"""Supervised training of a substructure classifier, selected on validation images."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional

from lensml.data.torch_dataset import Images
from lensml.models.encoders import Classifier
from lensml.models.symmetry import SYMMETRIES, apply_elements, random_elements, transform
from lensml.schema.training import Optimization
from lensml.training.averaging import WeightAverage
from lensml.training.execution import FLOAT32, Execution
from lensml.training.loop import BatchOrder, learning_rate_at, step_generator
from lensml.training.muon import Muon, suits_muon
from lensml.training.parallel import share, shared, synchronised, weight_of
from lensml.training.stopwatch import no_lap

PREDICTION_BATCH = 64  # small enough for the caches of a CPU: a quarter faster than 250

MUON_MOMENTUM = 0.95  # as published

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
        self.labels = torch.from_numpy(_labels(train)).to(device)
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
        x = _last(apply_elements(x, self.symmetry, elements[torch.from_numpy(rows)]))
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
        labels = _labels(self.validation)
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


def batch_order(images: Images, batch_size: int, seed: int, *, paired: bool) -> BatchOrder:
    """Order of the training images.

    The classes share their systems: lens, source and noise are equal at equal index. A batch of
    whole systems holds each of them once per class, so that what has nothing to do with the class
    cancels in the gradient, and learning starts hundreds of steps earlier.

    Args:
        images: labelled, the stores of the classes one after the other.
        batch_size: images; whole systems take a multiple of the number of classes.
        seed: of the order.
        paired: whole systems; False draws images one by one.

    Raises:
        ValueError: the classes do not share their systems.
    """
    if not paired:
        return BatchOrder(len(images), batch_size, seed)
    labels = _labels(images)
    classes = int(labels.max()) + 1
    if len(set(np.bincount(labels))) > 1:
        raise ValueError("paired batches need the same number of images in every class")
    groups = np.arange(len(images)).reshape(classes, -1)
    ids = images.system_id
    if ids is None or any(not np.array_equal(ids[groups[0]], ids[row]) for row in groups):
        raise ValueError("paired batches need classes that share their lens systems")
    return BatchOrder(groups.shape[1], max(batch_size // classes, 1), seed, groups=groups)


def _labels(images: Images) -> np.ndarray:
    if images.labels is None:
        raise ValueError("these images have no labels")
    return images.labels


def optimizer_of(module: nn.Module, spec: Optimization) -> torch.optim.Optimizer:
    """AdamW, or Muon for the matrices between input and output.

    Biases, norms and scales (one-dimensional weights) are not decayed. Muon (Jordan et al. 2024,
    https://kellerjordan.github.io/posts/muon) makes the update of a matrix orthogonal; steps are
    scaled to the size of AdamW's (Liu et al. 2025, arXiv 2502.16982), so that one learning rate
    serves both. The first and the last layer, and what is no matrix, get NAdamW.

    Args:
        module: its parameters are optimised.
        spec: optimiser and its settings.
    """
    weights = [p for p in module.parameters() if p.ndim > 1]
    others = [p for p in module.parameters() if p.ndim <= 1]
    if spec.optimizer == "muon":
        return _muon(weights, others, spec)
    groups = [{"params": weights}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        groups,
        lr=spec.learning_rate,
        betas=(spec.betas[0], spec.betas[1]),
        weight_decay=spec.weight_decay,
        fused=True,
    )


def _muon(weights: list[nn.Parameter], others: list[nn.Parameter], spec: Optimization) -> Muon:
    """Muon on all matrices but the first and the last, in the order of their definition."""
    matrices = [p for p in weights if p.shape[0] > 1]  # embeddings of positions: (1, L, D)
    inner = [p for p in matrices[1:-1] if suits_muon(p)]
    kept = {id(p) for p in inner}
    outer = [p for p in weights if id(p) not in kept]
    groups = [
        {"params": inner},
        {"params": outer, "use_fallback": True},
        {"params": others, "use_fallback": True, "weight_decay": 0.0},
    ]
    return Muon(
        groups,
        lr=spec.learning_rate,
        weight_decay=spec.weight_decay,
        momentum=MUON_MOMENTUM,
        nesterov=True,
        betas=(spec.betas[0], spec.betas[1]),
    )


def set_learning_rate(
    optimizer: torch.optim.Optimizer, spec: Optimization, step: int, steps: int
) -> float:
    """Set and return the learning rate of a step."""
    rate = learning_rate_at(
        step,
        steps=steps,
        warmup=max(round(steps * spec.warmup_fraction), 1),
        learning_rate=spec.learning_rate,
        min_learning_rate=spec.min_learning_rate,
    )
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate


def optimise(
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
    module: nn.Module,
    clip_grad_norm: float,
    lap: Callable[[str], None] = no_lap,
) -> None:
    """Backward pass, clipping, one step."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    lap("backward")
    nn.utils.clip_grad_norm_(module.parameters(), clip_grad_norm)
    optimizer.step()
    lap("optimizer")


@torch.inference_mode()
def predict_probabilities(model: nn.Module, images: Images, *, symmetry: str) -> np.ndarray:
    """Class probabilities, averaged over the elements of a symmetry group.

    Args:
        model: classifier; switched to evaluation.
        images: N images.
        symmetry: key of ``SYMMETRIES``; 'none' for a single pass.

    Returns:
        (N, K) float64, rows sum to 1.
    """
    model.eval()
    out = []
    for start in range(0, len(images), PREDICTION_BATCH):
        x = images.batch(np.arange(start, min(start + PREDICTION_BATCH, len(images))))
        passes = [model(_last(transform(x, e))).softmax(1) for e in SYMMETRIES[symmetry]]
        out.append(torch.stack(passes).double().mean(0).cpu().numpy())
    return np.concatenate(out)


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def macro_auc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean one-vs-rest area under the ROC curve.

    Args:
        labels: (N,) int.
        probabilities: (N, K).
    """
    classes = range(probabilities.shape[1])
    return float(np.mean([roc_auc_score(labels == k, probabilities[:, k]) for k in classes]))
