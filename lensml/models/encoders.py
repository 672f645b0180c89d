"""Encoders: an image to an embedding. Their size and kind come from the configuration."""

from __future__ import annotations

from typing import Any

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from lensml.models.timm_encoder import build_timm
from lensml.schema.encoders import Cnn, Encoder, Timm, Vit, VitConvStem


class ConvStem(nn.Module):
    """Pairs of 3x3 convolutions, the second of each halving the size, then a cell per token.

    Takes the place of timm's ``PatchEmbed``: (N, C, H, W) -> (N, L, D).
    """

    def __init__(
        self, img_size: int, widths: list[int], embed_dim: int, in_chans: int = 1
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels, size = in_chans, img_size
        for width in widths:
            layers += [*_conv_block(channels, width, 1), *_conv_block(width, width, 2)]
            channels, size = width, (size + 1) // 2
        self.stem = nn.Sequential(*layers)
        self.proj = nn.Conv2d(channels, embed_dim, 3, padding=1)
        self.grid_size = (size, size)
        self.num_patches = size * size

    def forward(self, x: Tensor) -> Tensor:
        """Tokens of an image batch."""
        return self.proj(self.stem(x)).flatten(2).transpose(1, 2)


class ConvNet(nn.Module):
    """Convolutional baseline: the stem's blocks, then the mean over the map.

    (N, C, H, W) -> (N, D) with D the last width.
    """

    def __init__(self, widths: list[int], in_chans: int = 1) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = in_chans
        for width in widths:
            layers += [*_conv_block(channels, width, 1), *_conv_block(width, width, 2)]
            channels = width
        self.layers = nn.Sequential(*layers)
        self.num_features = channels

    def forward(self, x: Tensor) -> Tensor:
        """Embedding of an image batch."""
        return self.pool(self.layers(x))

    def pool(self, features: Tensor) -> Tensor:
        """Embedding of the last map, (N, D, h, w) -> (N, D)."""
        return features.mean((2, 3))


def _conv_block(channels: int, width: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, width, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    ]


def build_encoder(spec: Encoder, img_size: int, in_chans: int = 1) -> nn.Module:
    """Encoder of a configuration entry.

    Args:
        spec: its kind and sizes.
        img_size: pixels per axis.
        in_chans: channels of an image.

    Returns:
        A module (N, in_chans, H, W) -> (N, D) with the attribute ``num_features`` = D.

    Raises:
        ValueError: the encoder cannot take images of this size, or timm has no such model.
    """
    if isinstance(spec, Timm):
        return build_timm(spec, img_size, in_chans)
    if isinstance(spec, Cnn):
        return ConvNet(spec.widths, in_chans)
    if isinstance(spec, Vit) and img_size % spec.patch_size:
        raise ValueError(
            f"image size {img_size} is not a multiple of patch_size {spec.patch_size}"
        )
    if isinstance(spec, Vit):
        patch: dict[str, Any] = {"patch_size": spec.patch_size}
    else:
        patch = _stem(spec, img_size, in_chans)
    return VisionTransformer(
        img_size=img_size,
        in_chans=in_chans,
        num_classes=0,
        global_pool="avg",
        class_token=False,
        embed_dim=spec.embed_dim,
        depth=spec.depth,
        num_heads=spec.num_heads,
        mlp_ratio=spec.mlp_ratio,
        init_values=spec.init_values,
        drop_path_rate=spec.drop_path_rate,
        pos_embed=spec.pos_embed,
        **patch,
    )


def _stem(spec: VitConvStem, img_size: int, in_chans: int) -> dict:
    def embed_layer(**_: object) -> ConvStem:
        return ConvStem(img_size, spec.stem_widths, spec.embed_dim, in_chans)

    return {"embed_layer": embed_layer}


class Classifier(nn.Module):
    """An encoder and a linear head: (N, C, H, W) -> (N, K) logits."""

    def __init__(self, encoder: nn.Module, num_classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(int(encoder.num_features), num_classes)  # type: ignore[arg-type]
        nn.init.trunc_normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of an image batch."""
        return self.head(self.encoder(x))


def build_classifier(
    spec: Encoder, *, img_size: int, num_classes: int, seed: int, in_chans: int = 1
) -> Classifier:
    """Classifier with weights drawn from ``seed``."""
    torch.manual_seed(seed)
    return Classifier(build_encoder(spec, img_size, in_chans), num_classes)


def batch_norm_layers(module: nn.Module) -> list[nn.BatchNorm2d]:
    """Batch-norm layers in order of definition."""
    return [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
