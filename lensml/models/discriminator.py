"""The adversary of domain adaptation."""

from __future__ import annotations

from torch import Tensor, nn


class Discriminator(nn.Module):
    """Tells the domain of an embedding: (N, D) -> (N,) logit, 0 is source and 1 is target.

    Embeddings are standardised by the statistics of the source, so that one learning rate serves
    encoders of any scale.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, embedding_mean: Tensor, embedding_std: Tensor, hidden_dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", embedding_mean.clone())
        self.register_buffer("std", embedding_std.clamp_min(1e-6))
        self.layers = nn.Sequential(
            nn.Linear(len(embedding_mean), hidden_dim),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden_dim, hidden_dim),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden_dim, 1),
        )

    def forward(self, embedding: Tensor) -> Tensor:
        """Logit that the embedding is of the target domain."""
        return self.layers((embedding - self.mean) / self.std).squeeze(1)
