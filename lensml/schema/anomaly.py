"""Substructure as an anomaly: masked autoencoders, their scores, and baselines."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from lensml.schema.base import Count, Name, Positive, Section, Seeds
from lensml.schema.encoders import check_heads
from lensml.schema.training import Optimization


class Mae(Optimization):
    """Masked autoencoder (He et al. 2021, arXiv:2111.06377)."""

    epochs: Count
    patch_size: Count
    mask_ratio: Annotated[float, Field(gt=0, lt=1)]  # share of the patches that is hidden
    norm_pix_loss: bool
    embed_dim: Count
    depth: Count
    num_heads: Count
    mlp_ratio: Positive
    decoder_embed_dim: Count
    decoder_depth: Count
    decoder_num_heads: Count

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        check_heads(self, self.embed_dim, self.num_heads)
        if self.embed_dim % 4 or self.decoder_embed_dim % 4:
            raise ValueError("embed_dim and decoder_embed_dim must be multiples of 4")
        return self

    @model_validator(mode="after")
    def _decoder_heads_divide(self) -> Self:
        return check_heads(self, self.decoder_embed_dim, self.decoder_num_heads)


class Pca(Section):
    """Baseline: residual after projection on the principal components of no_sub images."""

    n_components: Count
    n_images: Count


class Anomaly(Section):
    """Substructure as an anomaly, trained on no_sub images alone."""

    domains: list[Name]
    seeds: Seeds
    n_masks: Count  # the score is the mean error over this many random masks
    mae: Mae
    pca: Pca
