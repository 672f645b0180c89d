"""An encoder that predicts a number with its uncertainty."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lensml.models.encoders import build_encoder
from lensml.schema.encoders import Encoder


class Regressor(nn.Module):
    """An encoder and a linear head with two outputs, mean and log variance of a Gaussian.

    The head works on the standardised target; mean and standard deviation of the training set are
    buffers, so that weights carry their own units.
    """

    target_mean: Tensor
    target_std: Tensor

    def __init__(self, encoder: nn.Module, target_mean: float, target_std: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(int(encoder.num_features), 2)  # type: ignore[arg-type]
        nn.init.trunc_normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)  # the first prediction is the training set's own Gaussian
        self.register_buffer("target_mean", torch.tensor(target_mean, dtype=torch.float32))
        self.register_buffer("target_std", torch.tensor(target_std, dtype=torch.float32))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the standardised target: (N, C, H, W) -> (N,), (N,)."""
        mean, log_var = self.head(self.encoder(x)).unbind(1)
        return mean, log_var

    def standardise(self, target: Tensor) -> Tensor:
        """A target in the units that the head works in."""
        return (target - self.target_mean) / self.target_std

    def in_units(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the target from those of the standardised target."""
        return self.target_mean + self.target_std * mean, self.target_std.square() * variance


def build_regressor(
    spec: Encoder,
    *,
    img_size: int,
    target_mean: float,
    target_std: float,
    seed: int,
    in_chans: int = 1,
) -> Regressor:
    """Regressor with weights drawn from ``seed``."""
    torch.manual_seed(seed)
    return Regressor(build_encoder(spec, img_size, in_chans), target_mean, target_std)
