"""Training of convolutional autoencoders on images without substructure."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lensml.data.torch_dataset import Images
from lensml.models.autoencoders import (
    Coded,
    ConvAutoencoder,
    code_discriminator,
    kl_to_standard_normal,
    squared_error,
)
from lensml.models.discriminator import Discriminator
from lensml.models.symmetry import apply_elements, random_elements
from lensml.schema.anomaly import Autoencoder, AutoencoderMethod
from lensml.training.engine.execution import FLOAT32, Execution
from lensml.training.engine.optimizer import optimise, optimizer_of, set_learning_rate
from lensml.training.engine.order import BatchOrder, step_generator
from lensml.training.engine.prediction import PREDICTION_BATCH

PRIOR, ENCODED = 0.0, 1.0  # what a code is, to the discriminator


class AutoencoderTask:
    """Mean squared error, and what a method adds to it; the last weights are kept."""

    def __init__(
        self,
        model: ConvAutoencoder,
        train: Images,
        validation: Images,
        *,
        method: AutoencoderMethod,
        spec: Autoencoder,
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
            method: what is added to the reconstruction error: nothing, the divergence of the code
                from N(0, 1) (vae), or an adversary that knows draws of N(0, 1) (aae).
            spec: optimiser, weights of what is added, adversary.
            steps: in total.
            seed: of data order, augmentation, noise and the adversary.
            symmetry: augmentation, key of ``SYMMETRIES``.
            device: of model and batches.
            execution: precision and compilation.
        """
        self.model = model.to(device).to(memory_format=torch.channels_last).train()
        execution.prepare(self.model)
        self.device, self.execution = device, execution
        self.method, self.spec = method, spec
        self.train, self.validation = train, validation
        self.steps, self.seed, self.symmetry = steps, seed, symmetry
        self.order = BatchOrder(len(train), spec.batch_size, seed)
        self.optimizer = optimizer_of(self.model, spec)
        self.discriminator: Discriminator | None = None
        if method == "aae":
            torch.manual_seed(seed)
            self.discriminator = code_discriminator(spec).to(device)
            self.optimizer_d = torch.optim.AdamW(
                self.discriminator.parameters(),
                lr=spec.learning_rate_discriminator,
                betas=(spec.betas[0], spec.betas[1]),
                weight_decay=0.0,
                fused=True,
            )

    def step(self, step: int) -> dict[str, Tensor]:
        """One batch: of the aae, the discriminator learns first, then the autoencoder."""
        self.learning_rate = set_learning_rate(self.optimizer, self.spec, step, self.steps)
        index = self.order(step)
        elements = random_elements(len(index), self.symmetry, step_generator(self.seed, step, 1))
        x = apply_elements(self.train.batch(index), self.symmetry, elements)
        normal = self._normal(len(index), step)
        with self.execution.autocast(self.device):
            coded = self.model(x, normal if self.method == "vae" else None)
        error = squared_error(coded.reconstruction, x).mean()
        added, measured = self._added(coded, normal, step)
        optimise(self.optimizer, error + added, self.model, self.spec.clip_grad_norm)
        return {"train_loss": error.detach(), **measured}

    def _normal(self, n: int, step: int) -> Tensor:
        """Noise of the vae's codes, or draws of the aae's prior."""
        generator = step_generator(self.seed, step, 2)
        return torch.randn(n, self.spec.latent_dim, generator=generator).to(self.device)

    def _added(
        self, coded: Coded, normal: Tensor, step: int
    ) -> tuple[Tensor | float, dict[str, Tensor]]:
        """What a method adds to the reconstruction error, and columns of the history."""
        if coded.log_variance is not None:
            kl = kl_to_standard_normal(coded.mean, coded.log_variance).mean()
            return kl_weight_at(step, self.steps, self.spec) * kl, {"kl": kl.detach()}
        if self.discriminator is not None:
            return self._play(self.discriminator, coded.mean.float(), normal)
        return 0.0, {}

    def _play(
        self, discriminator: Discriminator, code: Tensor, prior: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The discriminator's step, and what the encoder is to lower in turn."""
        # On the encoder's schedule: an adversary at full rate beats an encoder that hardly moves.
        rate = self.spec.learning_rate_discriminator * self.learning_rate / self.spec.learning_rate
        for group in self.optimizer_d.param_groups:
            group["lr"] = rate
        loss_d = discriminator_loss(discriminator, prior, code.detach())
        optimise(self.optimizer_d, loss_d, discriminator, self.spec.clip_grad_norm)
        loss_e = deception_loss(discriminator, code)
        measured = {"discriminator_loss": loss_d.detach(), "encoder_loss": loss_e.detach()}
        return self.spec.adversarial_weight * loss_e, measured

    def evaluate(self, step: int) -> dict[str, float]:
        """Mean squared error on validation images."""
        with self.execution.evaluating():
            error = image_errors(self.model, self.validation)
        self.model.train()
        return {
            "epoch": step / self.order.per_epoch,
            "val_loss": float(error.mean()),
            "learning_rate": self.learning_rate,
        }

    def _resumable(self) -> dict[str, Any]:
        parts: dict[str, Any] = {"model": self.model, "optimizer": self.optimizer}
        if self.discriminator is not None:
            parts |= {"discriminator": self.discriminator, "optimizer_d": self.optimizer_d}
        return parts

    def state_dict(self) -> dict[str, Any]:
        """Model and optimiser, and those of the discriminator where there is one."""
        return {name: part.state_dict() for name, part in self._resumable().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state_dict`."""
        for name, part in self._resumable().items():
            part.load_state_dict(state[name])


def kl_weight_at(step: int, steps: int, spec: Autoencoder) -> float:
    """Weight of the divergence, rising linearly from 0 (Bowman et al. 2015, arXiv:1511.06349).

    At full weight from the start, codes fall to the prior before the decoder has learned to read
    them, and stay there.
    """
    warmup = spec.kl_warmup * steps
    return spec.kl_weight * (min(step / warmup, 1.0) if warmup else 1.0)


def discriminator_loss(discriminator: Discriminator, prior: Tensor, code: Tensor) -> Tensor:
    """Cross-entropy of telling codes from draws of the prior, (N, latent_dim) each, nats."""
    of_prior = _cross_entropy(discriminator(prior), PRIOR)
    return (of_prior + _cross_entropy(discriminator(code), ENCODED)) / 2


def deception_loss(discriminator: Discriminator, code: Tensor) -> Tensor:
    """Cross-entropy with the label inverted: codes are to look like draws of the prior, nats."""
    return _cross_entropy(discriminator(code), PRIOR)


def _cross_entropy(logit: Tensor, label: float) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logit, torch.full_like(logit, label))


@torch.no_grad()
def image_errors(model: ConvAutoencoder, images: Images) -> np.ndarray:
    """Mean squared reconstruction error of every image on the network's scale, (N,) float64.

    The model is switched to evaluation: batch norm takes its running statistics, so that no image
    changes the score of another, and a variational code is its mean.
    """
    model.eval()
    errors = []
    for start in range(0, len(images), PREDICTION_BATCH):
        x = images.batch(np.arange(start, min(start + PREDICTION_BATCH, len(images))))
        errors.append(squared_error(model(x).reconstruction, x).double().cpu().numpy())
    return np.concatenate(errors)
