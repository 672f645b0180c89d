"""Networks and the scale of the images that enter them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, model_validator

from lensml.schema.base import Count, Positive, Section, WrongKey, check_unique

PosEmbed = Literal["learn", "none"]  # of the tokens; convolutions see the border without it
_Section = TypeVar("_Section", bound=Section)


class VitConvStem(Section):
    """Convolutional stem, then transformer blocks on its feature map's cells as tokens."""

    kind: Literal["vit_conv_stem"]
    stem_widths: Annotated[list[Count], Field(min_length=1)]  # one halving of the size each
    embed_dim: Count
    depth: Count
    num_heads: Count
    mlp_ratio: Positive
    init_values: Positive  # LayerScale
    drop_path_rate: Annotated[float, Field(ge=0, lt=1)]
    pos_embed: PosEmbed = "learn"

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        return check_heads(self, "embed_dim", "num_heads")


class Vit(Section):
    """Plain vision transformer on square patches."""

    kind: Literal["vit"]
    patch_size: Count
    embed_dim: Count
    depth: Count
    num_heads: Count
    mlp_ratio: Positive
    init_values: Positive | None  # LayerScale; null for none, as in a masked autoencoder
    drop_path_rate: Annotated[float, Field(ge=0, lt=1)]
    pos_embed: PosEmbed = "learn"

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        return check_heads(self, "embed_dim", "num_heads")


class Cnn(Section):
    """Convolutional baseline: pairs of 3x3 convolutions, halving the size after each pair."""

    kind: Literal["cnn"]
    widths: Annotated[list[Count], Field(min_length=1)]


def check_heads(section: _Section, width: str, heads: str) -> _Section:
    """The section, if the heads under one key divide the width under another.

    Raises:
        WrongKey: they do not.
    """
    num_heads = getattr(section, heads)
    if getattr(section, width) % num_heads:
        raise WrongKey(width, f"must be a multiple of {heads} ({num_heads})")
    return section


class Timm(Section):
    """Any model of timm, for one channel, without its head."""

    kind: Literal["timm"]
    model_name: str
    model_kwargs: dict[str, Any] = Field(default_factory=dict)  # of timm.create_model


Encoder = Annotated[VitConvStem | Vit | Cnn | Timm, Field(discriminator="kind")]


Units = Annotated[float, Field(ge=1e-3, le=1e4)]  # standard deviations of the noise
Channel = Literal["image", "residual", "kappa"]


class NetworkInput(Section):
    """What enters a network: channels, their scales, and how much of the images.

    image, asinh: asinh(image / background_rms / noise_units) / scale; linear: the same without
    the asinh; per_image_max: image / its own maximum, which hides flux (for comparison only).
    residual: asinh(r / residual_units), where r is what the fitted smooth lens leaves over in
    units of the noise. kappa: asinh(k / kappa_units), where k is the convergence that explains it.
    """

    channels: Annotated[list[Channel], Field(min_length=1), AfterValidator(check_unique)] = Field(
        default_factory=lambda: ["image"]
    )
    residual_units: Units = 2.0  # standard deviations of the noise
    kappa_units: Annotated[float, Field(gt=0, le=10)] = 0.002  # convergence
    stretch: Literal["asinh", "linear", "per_image_max"]
    noise_units: Units
    scale: Units
    center_crop: Count | None  # pixels per axis that are kept; null for all

    @property
    def fitted(self) -> bool:
        """Whether a channel comes from the fit of a smooth lens."""
        return bool({"residual", "kappa"} & set(self.channels))

    def img_size(self, num_pix: int) -> int:
        """Pixels per axis of what a network sees of an image of ``num_pix``."""
        return self.center_crop or num_pix
