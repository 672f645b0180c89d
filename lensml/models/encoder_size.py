"""Size and cost of an encoder: what equal compute is counted in."""

from __future__ import annotations

import torch
from timm.layers.config import set_fused_attn, use_fused_attn
from torch.utils.flop_counter import FlopCounterMode

from lensml.models.encoders import build_encoder
from lensml.schema.encoders import Encoder


def encoder_size(encoder: Encoder, img_size: int, in_chans: int = 1) -> dict[str, int]:
    """Parameters and floating-point operations of an encoder.

    Args:
        encoder: architecture.
        img_size: pixels per axis.
        in_chans: channels of an image.

    Returns:
        ``parameters``, ``num_features`` and ``flops`` (of one image, forward; a multiplication
        and an addition are two).

    Raises:
        ValueError: the encoder does not take images of this size.
    """
    fused = use_fused_attn()
    set_fused_attn(False)  # torch counts the products of unfused attention only
    try:
        torch.manual_seed(0)
        module = build_encoder(encoder, img_size, in_chans).eval()
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            module(torch.zeros(1, in_chans, img_size, img_size))
    finally:
        set_fused_attn(bool(fused))
    return {
        "parameters": sum(p.numel() for p in module.parameters()),
        "num_features": int(module.num_features),  # type: ignore[arg-type]
        "flops": counter.get_total_flops(),
    }
