"""Adversarial discriminative domain adaptation (Tzeng et al. 2017, arXiv:1702.05464) and AdaBN.

Nothing here can read a target label: the target enters as a pool of images that has none. A fixed
number of steps is run and the average of the last weights is kept, so nothing is selected either.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lensml.data.torch_dataset import Images
from lensml.models.discriminator import Discriminator
from lensml.models.encoders import batch_norm_layers
from lensml.schema.adaptation import Adda
from lensml.training.adaptation.domain_batches import DomainBatches
from lensml.training.adaptation.watch import Watch
from lensml.training.engine.averaging import WeightAverage
from lensml.training.engine.execution import FLOAT32, Execution
from lensml.training.engine.optimizer import optimise
from lensml.training.engine.prediction import embed

STATISTICS_IMAGES = 2000  # source images from which the embedding's mean and scale are taken
BATCH_NORM_BATCH = 250  # images per batch whose statistics AdaBN averages
SOURCE, TARGET = 0.0, 1.0  # domain labels


class AddaTask:
    """Two encoders and a discriminator on the transformer's embedding.

    The source encoder is frozen; the target encoder starts from it and learns to be taken for it.
    The classifier's head is shared and stays as it is.
    """

    def __init__(
        self,
        source_encoder: nn.Module,
        source: Images,
        target: Images,
        *,
        spec: Adda,
        seed: int,
        source_symmetry: str,
        target_symmetry: str,
        device: torch.device,
        execution: Execution = FLOAT32,
        keep_snapshots: bool = False,
        head: nn.Module | None = None,
    ) -> None:
        """Prepare adaptation.

        Args:
            source_encoder: trained on the source domain.
            source: source images (their labels are not used).
            target: a pool of target images without labels.
            spec: steps and optimisers.
            seed: of data order, augmentation and the discriminator.
            source_symmetry, target_symmetry: augmentation, keys of ``SYMMETRIES``.
            device: of networks and batches.
            execution: precision and compilation.
            keep_snapshots: of the target encoder at every evaluation after the warm-up.
            head: of the source classifier, with which evaluations look at the target's
                predictions; None where nobody looks.

        Raises:
            ValueError: the target images carry labels.
        """
        self.keep_snapshots = keep_snapshots
        self.snapshots: dict[int, dict[str, Tensor]] = {}
        self.batches = DomainBatches(
            source,
            target,
            batch_size=spec.batch_size,
            seed=seed,
            symmetries=(source_symmetry, target_symmetry),
        )
        source_encoder = source_encoder.to(device).to(memory_format=torch.channels_last)
        self.source_encoder = source_encoder.eval().requires_grad_(False)
        self.target_encoder = copy.deepcopy(self.source_encoder).requires_grad_(True)
        self.average = copy.deepcopy(self.source_encoder)
        self.averaging = WeightAverage(self.average, self.target_encoder)
        self.target_encoder.train()
        if spec.batch_norm == "source":
            for layer in batch_norm_layers(self.target_encoder):
                layer.eval()
        self.spec = spec
        mean, std = embedding_statistics(self.source_encoder, source, seed)
        torch.manual_seed(seed)
        self.discriminator = Discriminator(
            mean, std, spec.hidden_dim, spectral_norm=spec.spectral_norm
        ).to(device)
        self.optimizer_d = self._adam(self.discriminator, spec.learning_rate_discriminator)
        self.optimizer_t = self._adam(self.target_encoder, spec.learning_rate_encoder)
        self.device, self.execution = device, execution
        for encoder in (self.source_encoder, self.target_encoder):
            execution.prepare(encoder)
        self.watch = None
        if head is not None:
            known = (head.to(device).eval(), self.source_encoder)
            self.watch = Watch(*known, source, target, seed=seed, execution=execution)

    def _adam(self, module: nn.Module, rate: float) -> torch.optim.AdamW:
        betas = (self.spec.betas[0], self.spec.betas[1])
        decay = self.spec.weight_decay
        return torch.optim.AdamW(
            module.parameters(), lr=rate, betas=betas, weight_decay=decay, fused=True
        )

    def step(self, step: int) -> dict[str, Tensor]:
        """The discriminator learns to tell the domains, then the target encoder to deceive it."""
        source, target, _ = self.batches(step)
        warming_up = step < self.spec.warmup_steps
        with self.execution.autocast(self.device):
            with torch.no_grad():
                embedded_source = self.source_encoder(source).float()
            with torch.set_grad_enabled(not warming_up):
                embedded_target = self.target_encoder(target).float()
            seen = embedded_target.detach()
            loss_d, accuracy = self._discriminate(embedded_source, seen)
        if self.spec.gradient_penalty:
            penalty = self._gradient_penalty(torch.cat([embedded_source, seen]))
            loss_d = loss_d + self.spec.gradient_penalty * penalty
        clip = self.spec.clip_grad_norm
        optimise(self.optimizer_d, loss_d, self.discriminator, clip)
        measured = self._measure(loss_d, accuracy, embedded_source, seen)
        with self.execution.autocast(self.device):
            loss_t = self._deception(embedded_target)
        # An encoder that chases an untrained discriminator follows noise: let it learn first.
        if not warming_up:
            optimise(self.optimizer_t, loss_t, self.target_encoder, clip)
            self.averaging.update(self.spec.ema_decay)
        return {**measured, "encoder_loss": loss_t.detach()}

    def _gradient_penalty(self, embedding: Tensor) -> Tensor:
        """Mean squared gradient of the logit (Mescheder et al. 2018, arXiv:1801.04406, R1 and R2).

        With respect to standardised embeddings, so that a weight means the same for every encoder.
        """
        embedding = embedding.detach().requires_grad_()
        logit = self.discriminator(embedding)
        (gradient,) = torch.autograd.grad(logit.sum(), embedding, create_graph=True)
        return (gradient * self.discriminator.std).square().sum(1).mean()

    def _deception(self, embedded_target: Tensor) -> Tensor:
        """Loss with inverted labels (eq. 9 of the paper): target is to look like source."""
        return self._cross_entropy(self.discriminator(embedded_target), SOURCE, smooth=False)

    def _measure(
        self, loss_d: Tensor, accuracy: Tensor, source: Tensor, target: Tensor
    ) -> dict[str, Tensor]:
        shift = (source.mean(0) - target.mean(0)) / self.discriminator.std
        return {
            "discriminator_loss": loss_d.detach(),
            "discriminator_accuracy": accuracy,
            "feature_distance": shift.square().mean().sqrt(),
        }

    def _discriminate(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        logit_s, logit_t = self.discriminator(source), self.discriminator(target)
        loss = self._cross_entropy(logit_s, SOURCE) + self._cross_entropy(logit_t, TARGET)
        accuracy = ((logit_s < 0).float().mean() + (logit_t >= 0).float().mean()) / 2
        return loss / 2, accuracy

    def _cross_entropy(self, logit: Tensor, label: float, *, smooth: bool = True) -> Tensor:
        smoothing = self.spec.label_smoothing if smooth else 0.0
        logit = logit.float()
        goal = torch.full_like(logit, label * (1 - smoothing) + (1 - label) * smoothing)
        return functional.binary_cross_entropy_with_logits(logit, goal)

    def evaluate(self, step: int) -> dict[str, float]:
        """What can be known without labels of the average, which is kept; weights may be kept."""
        if self.keep_snapshots and step > self.spec.warmup_steps:
            state = self.target_encoder.state_dict()
            self.snapshots[step] = {k: v.detach().cpu().clone() for k, v in state.items()}
        return self.watch.measure(self.average) if self.watch else {}

    def state_dict(self) -> dict[str, Any]:
        """Target encoder, its average and snapshots, discriminator, both optimisers."""
        return {
            "target_encoder": self.target_encoder.state_dict(),
            "average": self.average.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "optimizer_d": self.optimizer_d.state_dict(),
            "optimizer_t": self.optimizer_t.state_dict(),
            "snapshots": self.snapshots,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state_dict`."""
        self.snapshots = dict(state["snapshots"])
        for name, content in state.items():
            if name != "snapshots":
                getattr(self, name).load_state_dict(content)


def embedding_statistics(encoder: nn.Module, images: Images, seed: int) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of every embedding dimension, (D,) each."""
    count = min(STATISTICS_IMAGES, len(images))
    index = np.random.default_rng(seed).choice(len(images), count, replace=False)
    embedding = embed(encoder, images, index)
    return embedding.mean(0), embedding.std(0)


@torch.no_grad()
def adapt_batch_norm(encoder: nn.Module, target: Images, *, n_images: int, seed: int) -> None:
    """Replace batch-norm statistics by those of target images (AdaBN, Li et al. 2016), in place.

    Args:
        encoder: with or without batch norm; without, nothing changes.
        target: a pool of target images; labels are not used.
        n_images: how many of them.
        seed: chooses which.
    """
    layers = batch_norm_layers(encoder)
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a plain mean over the batches
    encoder.train()
    count = min(n_images, len(target))
    index = np.random.default_rng(seed).permutation(len(target))[:count]
    for piece in np.array_split(index, max(count // BATCH_NORM_BATCH, 1)):
        encoder(target.batch(piece))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    encoder.eval()
