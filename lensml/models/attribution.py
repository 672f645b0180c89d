"""Where in an image a classifier finds its class: Grad-CAM and attention rollout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from lensml.models.encoders import Classifier, ConvNet, ConvStem
from lensml.models.symmetry import SYMMETRIES, transform, untransform
from lensml.models.timm_encoder import TimmEncoder

Layer = Literal["tokens", "stem"]


class Cells(NamedTuple):
    """Cells of a feature map on the image: cell i is centred on pixel ``first + step i``."""

    first: float
    step: float


def class_score(logits: Tensor, target: Tensor) -> Tensor:
    """Logit of the target class minus the mean logit of the others.

    Probabilities do not change when all logits rise together; a single logit does. The difference
    is what the probabilities depend on: evidence for one class and not for every one.

    Args:
        logits: (N, K).
        target: (N,) int64.

    Returns:
        (N,).
    """
    own = logits.gather(1, target[:, None])[:, 0]
    return own - (logits.sum(1) - own) / (logits.shape[1] - 1)


def grad_cam(network: Classifier, x: Tensor, target: Tensor, *, layer: Layer) -> Tensor:
    """Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391, eqs. 1 and 2) of :func:`class_score`.

    The channels of a feature map, each weighted by the mean of its gradient, summed; the ReLU
    keeps what speaks for the class.

    Args:
        network: classifier in evaluation mode.
        x: (N, 1, H, H) on the network's scale.
        target: (N,) int64, the class that is explained.
        layer: ``tokens``, the last map before pooling (of a transformer, its tokens on their
            grid); ``stem``, the map of convolutions before their last halving.

    Returns:
        (N, H, H), not negative.

    Raises:
        ValueError: the encoder has no such map.
    """
    with torch.enable_grad():
        features, embedding = _features(network.encoder, x, layer)
        score = class_score(network.head(embedding), target).sum()
        (gradient,) = torch.autograd.grad(score, features)
    maps, gradient = (_on_grid(network.encoder, t.detach(), layer) for t in (features, gradient))
    cam = (gradient.mean((2, 3), keepdim=True) * maps).sum(1).relu()
    return enlarge(cam, x.shape[2], _cells(network.encoder, x.shape[2], cam.shape[1], layer))


@torch.no_grad()
def rollout(network: Classifier, x: Tensor) -> Tensor:
    """Attention rollout (Abnar & Zuidema 2020, arXiv:2005.00928), of no class in particular.

    Args:
        network: classifier in evaluation mode with an encoder that :func:`has_rollout`.
        x: (N, 1, H, H) on the network's scale.

    Returns:
        (N, H, H): how much the mean over tokens attends to every place.
    """
    attended = rollout_matrix(network.encoder, x).mean(1)
    maps = _on_grid(network.encoder, attended[:, :, None], "tokens")[:, 0]
    return enlarge(maps, x.shape[2], _cells(network.encoder, x.shape[2], maps.shape[1], "tokens"))


@torch.no_grad()
def rollout_matrix(encoder: nn.Module, x: Tensor) -> Tensor:
    """Product over blocks of (attention + identity) / 2, attention as the mean over heads.

    Returns:
        (N, L, L): row i says how much token i of the last block draws on every token of the
        first; rows sum to one.

    Raises:
        ValueError: the encoder does not have rollout.
    """
    if not has_rollout(encoder):
        raise ValueError(
            "attention rollout is for vision transformers without a class token (kinds vit and "
            f"vit_conv_stem), not for {_name(encoder)}"
        )
    assert isinstance(encoder, VisionTransformer)
    attentions: list[Any] = [block.attn for block in encoder.blocks]
    with _inputs_of(attentions) as kept:
        encoder(x)
    product = torch.eye(kept[0].shape[1], device=x.device).expand(len(x), -1, -1)
    for attention, tokens in zip(attentions, kept, strict=True):
        weights = _attention_weights(attention, tokens).mean(1)
        product = (weights @ product + product) / 2
    return product


def has_rollout(encoder: nn.Module) -> bool:
    """Is every token of the encoder a place in the image, and attention all that mixes them?"""
    return isinstance(encoder, VisionTransformer) and encoder.num_prefix_tokens == 0


def over_symmetries(method: Callable[[Tensor], Tensor], x: Tensor, symmetry: str) -> Tensor:
    """Mean of the maps of an image's symmetric copies, each mapped back.

    Args:
        method: (N, 1, H, H) images to (N, H, H) maps.
        x: (N, 1, H, H).
        symmetry: key of ``SYMMETRIES``.

    Returns:
        (N, H, H): the map of a copy is the copy of the map.
    """
    total = torch.zeros_like(x)
    for element in SYMMETRIES[symmetry]:
        total += untransform(method(transform(x, element))[:, None], element)
    return total[:, 0] / len(SYMMETRIES[symmetry])


def enlarge(maps: Tensor, size: int, cells: Cells) -> Tensor:
    """Bilinear interpolation of (N, h, h) maps to (N, size, size) pixels, constant at the edge."""
    index = torch.arange(maps.shape[1], device=maps.device)
    place = (torch.arange(size, device=maps.device) - cells.first) / cells.step
    place = place.clamp(0, maps.shape[1] - 1)
    weights = (1 - (place[:, None] - index).abs()).clamp(min=0)
    return weights @ maps @ weights.T


def _cells(encoder: nn.Module, size: int, n_cells: int, layer: Layer) -> Cells:
    """Where the cells of a map lie.

    The 3x3 convolutions that halve a map are centred on every second cell from the first one.
    Patches, and whatever timm's encoders do, divide the image evenly.
    """
    stack = _stack(encoder)
    if stack is not None:
        return Cells(0.0, float(2 ** (len(_halvings(stack)) - (layer == "stem"))))
    step = size / n_cells
    return Cells((step - 1) / 2, step)


def _stack(encoder: nn.Module) -> nn.Sequential | None:
    """The convolutions that lensml's own encoders begin with."""
    if isinstance(encoder, ConvNet):
        return encoder.layers
    embed = getattr(encoder, "patch_embed", None)
    return embed.stem if isinstance(embed, ConvStem) else None


def _halvings(stack: nn.Sequential) -> list[nn.Module]:
    return [m for m in stack if isinstance(m, nn.Conv2d) and m.stride == (2, 2)]


def _features(encoder: nn.Module, x: Tensor, layer: Layer) -> tuple[Tensor, Tensor]:
    """Feature map as the encoder has it, and the embedding that is computed from it."""
    stack = _stack(encoder)
    if layer == "stem":
        if stack is None:
            raise ValueError(f"layer 'stem' is of convolutions; {_name(encoder)} has none")
        return _entering(encoder, _halvings(stack)[-1], x)
    if isinstance(encoder, ConvNet):
        features = encoder.layers(x)
        return features, encoder.pool(features)
    model: Any = encoder.model if isinstance(encoder, TimmEncoder) else encoder
    if getattr(model, "num_prefix_tokens", 0) and hasattr(model, "blocks"):
        # Where a class token alone is pooled, the others matter up to the last attention only.
        return _entering(encoder, model.blocks[-1], x)
    features = model.forward_features(x)
    return features, model.forward_head(features)


def _entering(encoder: nn.Module, module: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    with _inputs_of([module]) as kept:
        embedding = encoder(x)
    return kept[0], embedding


@contextmanager
def _inputs_of(modules: list[nn.Module]) -> Iterator[list[Tensor]]:
    """What enters each module while the block runs, in the order of the calls."""
    kept: list[Tensor] = []
    hooks = [
        m.register_forward_pre_hook(lambda _module, args: kept.append(args[0])) for m in modules
    ]
    try:
        yield kept
    finally:
        for hook in hooks:
            hook.remove()


def _attention_weights(attention: Any, tokens: Tensor) -> Tensor:
    """Softmax of timm's ``Attention``, (N, heads, L, L), which its fused product does not give."""
    n, length, _ = tokens.shape
    heads = attention.num_heads
    q, k, _ = attention.qkv(tokens).reshape(n, length, 3, heads, -1).permute(2, 0, 3, 1, 4)
    q, k = attention.q_norm(q), attention.k_norm(k)
    return (q * attention.scale @ k.transpose(2, 3)).softmax(-1)


def _on_grid(encoder: nn.Module, features: Tensor, layer: Layer) -> Tensor:
    """Feature maps (N, C, h, w) from the layout that an encoder has them in.

    Raises:
        ValueError: they are no square of at least two cells on a side.
    """
    if features.ndim == 3:
        features = _tokens_on_grid(encoder, features)
    elif layer == "tokens" and features.shape[1] != _width(encoder) == features.shape[3]:
        features = features.permute(0, 3, 1, 2)
    height, width = features.shape[2:]
    if height != width or height < 2:
        raise ValueError(
            f"{_name(encoder)} has no spatial map before its pooling ({height} x {width} cells); "
            "attribution needs 2 x 2 or more"
        )
    return features


def _tokens_on_grid(encoder: nn.Module, tokens: Tensor) -> Tensor:
    model = encoder.model if isinstance(encoder, TimmEncoder) else encoder
    prefix = int(getattr(model, "num_prefix_tokens", 0))
    tokens = tokens[:, prefix:] if tokens.shape[1] > prefix else tokens
    side = round(tokens.shape[1] ** 0.5)
    if side**2 != tokens.shape[1]:
        raise ValueError(
            f"{_name(encoder)} has {tokens.shape[1]} tokens; attribution needs a square grid"
        )
    return tokens.transpose(1, 2).unflatten(2, (side, side))


def _width(encoder: nn.Module) -> int:
    return int(encoder.num_features)  # type: ignore[arg-type]


def _name(encoder: nn.Module) -> str:
    model = encoder.model if isinstance(encoder, TimmEncoder) else encoder
    return f"the encoder {type(model).__name__}"
