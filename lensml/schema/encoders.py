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
    """Convolutional stem, then transformer blocks on its feature map's cells as tokens."""
    stem_widths: Annotated[list[Count], Field(min_length=1)]
    """Channels of the stem's convolutions, each of which halves the size."""
    embed_dim: Count
    """Width of the tokens, a multiple of `num_heads`."""
    depth: Count
    """Transformer blocks."""
    num_heads: Count
    """Attention heads."""
    mlp_ratio: Positive
    """Width of a block's hidden layer over that of the tokens."""
    init_values: Positive
    """Of LayerScale."""
    drop_path_rate: Annotated[float, Field(ge=0, lt=1)]
    """Share of the blocks that is left out at random in training."""
    pos_embed: PosEmbed = "learn"
    """`learn`, or `none`: the tokens know their place only from the border that convolutions see.
    """

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        return check_heads(self, "embed_dim", "num_heads")


class Vit(Section):
    """Plain vision transformer on square patches."""

    kind: Literal["vit"]
    """Plain vision transformer on square patches."""
    patch_size: Count
    """Pixels per axis of a patch; must divide the image."""
    embed_dim: Count
    """Width of the tokens, a multiple of `num_heads`."""
    depth: Count
    """Transformer blocks."""
    num_heads: Count
    """Attention heads."""
    mlp_ratio: Positive
    """Width of a block's hidden layer over that of the tokens."""
    init_values: Positive | None
    """Of LayerScale; `null` leaves it out, as in a masked autoencoder."""
    drop_path_rate: Annotated[float, Field(ge=0, lt=1)]
    """Share of the blocks that is left out at random in training."""
    pos_embed: PosEmbed = "learn"
    """`learn`, or `none`."""

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        return check_heads(self, "embed_dim", "num_heads")


class Cnn(Section):
    """Convolutional baseline: pairs of 3x3 convolutions, halving the size after each pair."""

    kind: Literal["cnn"]
    """Convolutional baseline: pairs of 3x3 convolutions."""
    widths: Annotated[list[Count], Field(min_length=1)]
    """Channels of the pairs, each of which halves the size."""


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
    """A model of timm."""
    model_name: str
    """Any model of timm, without its head, for one channel. One that does not exist, does not take
    the arguments or cannot take the images is refused with the reason before any job.
    """
    model_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Arguments of `timm.create_model`."""


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
    """What a network sees, in this order: `image`; `residual` of the smooth lens that was fitted;
    `kappa`, the convergence that explains it.
    """
    residual_units: Units = 2.0
    """Of `asinh(residual / residual_units)`, the residual being in units of the noise."""
    kappa_units: Annotated[float, Field(gt=0, le=10)] = 0.002
    """Of `asinh(kappa / kappa_units)`, a convergence."""
    stretch: Literal["asinh", "linear", "per_image_max"]
    """`asinh`; `linear`: the same without the asinh; `per_image_max`: over the image's own
    maximum, which hides flux (for comparison).
    """
    noise_units: Units
    """Of asinh and linear: standard deviations of the background."""
    scale: Units
    """Of asinh and linear: what the result is divided by."""
    center_crop: Count | None
    """Pixels per axis that are kept about the centre, or `null`; what is left out must be equal on
    both sides.
    """

    @property
    def fitted(self) -> bool:
        """Whether a channel comes from the fit of a smooth lens."""
        return bool({"residual", "kappa"} & set(self.channels))

    def img_size(self, num_pix: int) -> int:
        """Pixels per axis of what a network sees of an image of ``num_pix``."""
        return self.center_crop or num_pix
