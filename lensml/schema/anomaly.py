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
    """Passes over the training images without substructure."""
    patch_size: Count
    """Pixels per axis of a patch; must divide the image."""
    mask_ratio: Annotated[float, Field(gt=0, lt=1)]
    """Share of the patches that is hidden."""
    loss: Literal["pixel", "norm_pix", "chi2"]
    """On hidden patches. `pixel`: squared error on the network's scale; `norm_pix`: of patches
    normalised each by its own mean and variance; `chi2`: in units of every pixel's noise.
    """
    embed_dim: Count
    """Width of the encoder, a multiple of 4 and of `num_heads`."""
    depth: Count
    """Blocks of the encoder."""
    num_heads: Count
    """Attention heads of the encoder."""
    mlp_ratio: Positive
    """Width of a block's hidden layer over its own."""
    decoder_embed_dim: Count
    """Width of the decoder, a multiple of 4 and of `decoder_num_heads`."""
    decoder_depth: Count
    """Blocks of the decoder."""
    decoder_num_heads: Count
    """Attention heads of the decoder."""

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
    """Passes over the training images without substructure."""
    widths: Annotated[list[Count], Field(min_length=1)]
    """Channels after each convolution of the encoder, which halves the image; the decoder mirrors
    them.
    """
    latent_dim: Count
    """Numbers that an image is reduced to."""
    kl_weight: NonNegative
    """`vae`: weight of the Kullback-Leibler divergence of the code from N(0, 1), summed over the
    code, beside the squared error averaged over pixels. Twice the noise variance over the number
    of pixels makes their sum the evidence bound.
    """
    kl_warmup: Fraction
    """`vae`: share of the steps in which the weight rises linearly from 0."""
    adversarial_weight: NonNegative
    """`aae`: weight of deceiving the discriminator, beside the squared error."""
    hidden_dim: Count
    """`aae`: of both hidden layers of the discriminator, which tells codes from draws of N(0, 1).
    """
    learning_rate_discriminator: Rate
    """`aae`: highest rate, on the schedule of the autoencoder, as are `betas` and
    `clip_grad_norm`.
    """


class Autoencoders(Autoencoder):
    """Which of the autoencoders are trained, and their common recipe."""

    methods: Annotated[list[AutoencoderMethod], AfterValidator(check_unique)]
    """Any of `conv_autoencoder`, `vae` (variational), `aae` (adversarial, arXiv:1511.05644); `[]`
    trains none.
    """

    @property
    def recipe(self) -> Autoencoder:
        """Without the list that says which runs exist."""
        return self.part(Autoencoder)


class Pca(Section):
    """Baseline: residual after projection on the principal components of no_sub images."""

    n_components: Count
    """Principal components that are kept."""
    n_images: Count
    """Images without substructure that they are computed of."""


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
    """Training images without substructure that scores compare with."""
    n_components: Count
    """`likelihood`: of the residuals' covariance, beside white noise."""
    n_neighbours: Count
    """`nearest_neighbours`: in the embedding."""

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
    """The first validation images without substructure."""
    displacement: Bounds
    """Lengths that a patch of the arc is displaced by are drawn between these, evenly in the
    logarithm, arcsec.
    """
    width: Bounds
    """Widths of the patch are drawn between these, arcsec."""


class Scoring(Section):
    """What scores of a masked autoencoder depend on."""

    masks: Literal["random", "complementary"]
    """`random`, or `complementary`: rounds that hide every patch once, a share of 1/n."""
    n_masks: Count
    """How many, the same for every image; errors are averaged over them."""
    worst_patches: Count
    """How many patches the score of that name averages."""
    reference: Reference
    """Training images without substructure with which `likelihood`, `mahalanobis` and
    `nearest_neighbours` compare.
    """
    mae: Mae
    """The masked autoencoder (arXiv:2111.06377) and its training."""


class Anomaly(Scoring):
    """Substructure as an anomaly, trained on no_sub images alone."""

    domains: list[Name]
    """Where; of a task that is not listed it is taken to be empty."""
    seeds: Seeds
    """One run each."""
    scores: Annotated[list[Score], Field(min_length=1), AfterValidator(check_unique)]
    """Of the masked autoencoder; the first is the headline; it may be chosen on `proxies`, never
    on test labels. `chi2`, `mse`: error on hidden patches, in units of the noise or on the
    network's scale, mean over masks; `mean_chi2`: error of the reconstruction averaged over masks;
    `worst_patches`: of its worst patches; `likelihood`: of the averaged residual, under the
    covariance of residuals without substructure; `mahalanobis`, `nearest_neighbours`: distances in
    the embedding.
    """
    proxies: Proxies
    """Images on which settings may be chosen: validation images without substructure with a patch
    of their arc displaced.
    """
    autoencoders: Autoencoders
    """Rivals of the masked autoencoder (after arXiv:2008.12731)."""
    pca: Pca
    """Baseline: the residual after projection on principal components."""
    smooth_fit: bool
    """Whether fits of smooth lenses (section `fit`) are scored, too. `smooth_fit`: mean square of
    the residual, smoothed by a pixel, where the arc is (`arc_low_1`), and reduced `chi2`;
    `potential_filter`: `evidence` of a random potential that explains the residual, and `z`, the
    same against noise alone. Fits know the family of lenses and sources, which networks do not; a
    lens that could not be fitted counts as most anomalous.
    """

    @property
    def scoring(self) -> Scoring:
        """What scores of a masked autoencoder depend on."""
        return self.part(Scoring)
