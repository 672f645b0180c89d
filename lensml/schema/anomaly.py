"""Substructure as an anomaly: autoencoders, their scores, and baselines."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from lensml.schema.base import (
    Count,
    Fraction,
    Name,
    NonNegative,
    Positive,
    Rate,
    Section,
    Seeds,
    WrongKey,
    check_unique,
)
from lensml.schema.encoders import check_heads
from lensml.schema.training import Optimization

AutoencoderMethod = Literal["conv_autoencoder", "vae", "aae"]


class Mae(Optimization):
    """Masked autoencoder (He et al. 2021, arXiv:2111.06377)."""

    epochs: Count
    patch_size: Count
    mask_ratio: Annotated[float, Field(gt=0, lt=1)]  # share of the patches that is hidden
    loss: Literal["pixel", "norm_pix", "chi2"]
    embed_dim: Count
    depth: Count
    num_heads: Count
    mlp_ratio: Positive
    decoder_embed_dim: Count
    decoder_depth: Count
    decoder_num_heads: Count

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        check_heads(self, "embed_dim", "num_heads")
        for key in ("embed_dim", "decoder_embed_dim"):
            if getattr(self, key) % 4:
                raise WrongKey(key, "must be a multiple of 4")
        return self

    @model_validator(mode="after")
    def _decoder_heads_divide(self) -> Self:
        return check_heads(self, "decoder_embed_dim", "decoder_num_heads")


class Autoencoder(Optimization):
    """Convolutional, variational and adversarial autoencoders (after arXiv:2008.12731)."""

    epochs: Count
    widths: Annotated[list[Count], Field(min_length=1)]  # channels; each convolution halves
    latent_dim: Count
    kl_weight: NonNegative  # vae: of the divergence summed over the code, beside the mean error
    kl_warmup: Fraction  # vae: share of the steps in which that weight rises from 0
    adversarial_weight: NonNegative  # aae: of deceiving the discriminator, beside the mean error
    hidden_dim: Count  # aae: of the discriminator
    learning_rate_discriminator: Rate  # aae


class Autoencoders(Autoencoder):
    """Which of the autoencoders are trained, and their common recipe."""

    methods: Annotated[list[AutoencoderMethod], AfterValidator(check_unique)]

    @property
    def recipe(self) -> Autoencoder:
        """Without the list that says which runs exist."""
        return self.part(Autoencoder)


class Pca(Section):
    """Baseline: residual after projection on the principal components of no_sub images."""

    n_components: Count
    n_images: Count


Score = Literal[
    "chi2",
    "mse",
    "mean_chi2",
    "worst_patches",
    "likelihood",
    "mahalanobis",
    "nearest_neighbours",
]
HIDDEN_FLUX = (
    "hides fluxes, which anomaly scores in units of "
    "noise need; allowed are asinh and linear, or no anomaly.domains"
)
COMPARING = ("likelihood", "mahalanobis", "nearest_neighbours")  # with a reference


class Reference(Section):
    """Training images without substructure with which some scores compare."""

    n_images: Annotated[int, Field(ge=2)]
    n_components: Count  # of the residuals' covariance, beside white noise
    n_neighbours: Count  # in the embedding

    @model_validator(mode="after")
    def _has_neighbours(self) -> Self:
        if self.n_neighbours > self.n_images:
            raise WrongKey("n_neighbours", f"must not exceed n_images ({self.n_images})")
        return self


def _check_rising(bounds: list[float]) -> list[float]:
    if bounds[0] >= bounds[1]:
        raise ValueError(f"the first of the two must be below the second, got {bounds}")
    return bounds


Bounds = Annotated[
    list[Positive], Field(min_length=2, max_length=2), AfterValidator(_check_rising)
]


class Proxies(Section):
    """Distorted images of smooth lenses: stand in for anomalies where something is chosen."""

    n_images: Annotated[int, Field(ge=2)]
    displacement: Bounds  # arcsec
    width: Bounds  # arcsec


class Scoring(Section):
    """What scores of a masked autoencoder depend on."""

    masks: Literal["random", "complementary"]
    n_masks: Count  # whose errors are averaged
    worst_patches: Count  # of the score of that name
    reference: Reference
    mae: Mae


class Anomaly(Scoring):
    """Substructure as an anomaly, trained on no_sub images alone."""

    domains: list[Name]
    seeds: Seeds
    scores: Annotated[list[Score], Field(min_length=1), AfterValidator(check_unique)]
    proxies: Proxies
    autoencoders: Autoencoders
    pca: Pca
    smooth_fit: bool  # what fits of smooth lenses leave over, as detectors

    @property
    def scoring(self) -> Scoring:
        """What scores of a masked autoencoder depend on."""
        return self.part(Scoring)
