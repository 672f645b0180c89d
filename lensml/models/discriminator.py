"""The adversary of domain adaptation."""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from torch.nn.utils import parametrizations


class Discriminator(nn.Module):
    """Tells the domain of an embedding: (N, D) -> (N,) logit, 0 is source and 1 is target.

    Embeddings are standardised by the statistics of the source, so that one learning rate serves
    encoders of any scale.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        embedding_mean: Tensor,
        embedding_std: Tensor,
        hidden_dim: int,
        *,
        spectral_norm: bool = False,
    ) -> None:
        """Weights from torch's generator.

        Args:
            embedding_mean, embedding_std: (D,), of the source.
            hidden_dim: of both hidden layers.
            spectral_norm: layers stretch no direction by more than 1 (Miyato et al. 2018,
                arXiv:1802.05957).
        """
        super().__init__()
        self.register_buffer("mean", embedding_mean.clone())
        self.register_buffer("std", embedding_std.clamp_min(1e-6))
        sizes = (len(embedding_mean), hidden_dim, hidden_dim, 1)
        linear = [nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
        if spectral_norm:
            linear = [parametrizations.spectral_norm(layer) for layer in linear]
        first, second, last = linear
        self.layers = nn.Sequential(first, nn.LeakyReLU(0.2), second, nn.LeakyReLU(0.2), last)

    def forward(self, embedding: Tensor) -> Tensor:
        """Logit that the embedding is of the target domain."""
        return self.layers((embedding - self.mean) / self.std).squeeze(1)
