"""A masked autoencoder's encoder as the start of a classifier's."""

from __future__ import annotations

from collections.abc import Mapping

from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

PARTS = ("patch_embed", "blocks", "norm", "pos_embed")


def start_from_mae(encoder: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy the encoder of a masked autoencoder into a vision transformer of its sizes.

    Args:
        encoder: of kind ``vit``, without LayerScale.
        weights: of :class:`lensml.models.mae.MaskedAutoencoder`.

    Raises:
        ValueError: the two encoders differ.
    """
    if not isinstance(encoder, VisionTransformer):
        raise ValueError("only encoders of kind 'vit' can start from a masked autoencoder")
    p = encoder.patch_embed.patch_size[0]
    renamed = {}
    for name, tensor in weights.items():
        if not name.startswith(PARTS):
            continue
        if name == "patch_embed.weight":
            name, tensor = "patch_embed.proj.weight", tensor.reshape(len(tensor), -1, p, p)
        elif name == "patch_embed.bias":
            name = "patch_embed.proj.bias"
        elif name.startswith("norm."):
            name = f"fc_{name}"  # after the mean over tokens
        renamed[name] = tensor
    try:
        encoder.load_state_dict(renamed)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            "the encoder must have the masked autoencoder's patch_size, embed_dim, depth, "
            f"num_heads and mlp_ratio, and init_values null: {reason}"
        ) from None
