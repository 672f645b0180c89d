"""Any model of timm as an encoder of one-channel images."""

from __future__ import annotations

import difflib
import warnings

import timm
import torch
from torch import Tensor, nn

from lensml.schema.encoders import Timm


class TimmEncoder(nn.Module):
    """A model of timm without its head: (N, 1, H, W) -> (N, D)."""

    def __init__(self, model: nn.Module, num_features: int) -> None:
        super().__init__()
        self.model = model
        self.num_features = num_features

    def forward(self, x: Tensor) -> Tensor:
        """Embedding of an image batch."""
        return self.model(x)


class RefusedByTimm(ValueError):
    """A model that cannot be built, or does not take its images.

    Attributes:
        key: of the configuration's section, that is wrong.
        problem: with it, and what is allowed.
    """

    def __init__(self, spec: Timm, key: str, problem: str) -> None:
        self.key, self.problem = key, problem
        super().__init__(f"encoder of kind 'timm', {key} = {getattr(spec, key)!r}: {problem}")


def build_timm(spec: Timm, img_size: int, in_chans: int = 1) -> TimmEncoder:
    """Encoder of a model's name, checked with an image.

    Args:
        spec: name of the model and arguments of ``timm.create_model``.
        img_size: pixels per axis.
        in_chans: channels of an image.

    Raises:
        RefusedByTimm: timm has no such model, it does not take the arguments or images of this
            size, or it does not return one vector per image.
    """
    known = timm.list_models()
    if spec.model_name.split(".")[0] not in known:
        near = difflib.get_close_matches(spec.model_name, known, n=3)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        problem = f"timm {timm.__version__} has no such model{hint}"
        raise RefusedByTimm(spec, "model_name", problem)
    try:
        model = _create(spec, img_size, in_chans)
        embedding = _try(model, img_size, in_chans)
    except Exception as error:  # each model refuses in a way of its own
        reason = " ".join(str(error).split()) or type(error).__name__
        problem = (
            f"'{spec.model_name}' does not take images of {img_size} x {img_size} pixels and "
            f"{in_chans} channels with these: {reason}"
        )
        raise RefusedByTimm(spec, "model_kwargs", problem) from None
    return TimmEncoder(model, embedding.shape[1])


def _create(spec: Timm, img_size: int, in_chans: int) -> nn.Module:
    """The model, told the size of the images if it wants to know it."""
    given = {"pretrained": False, "in_chans": in_chans, "num_classes": 0, **spec.model_kwargs}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if "img_size" not in given:
            state = torch.get_rng_state()
            try:
                return timm.create_model(spec.model_name, img_size=img_size, **given)
            except TypeError:  # a network of convolutions alone: any size will do
                torch.set_rng_state(state)
        return timm.create_model(spec.model_name, **given)


@torch.no_grad()
def _try(model: nn.Module, img_size: int, in_chans: int) -> Tensor:
    state = torch.get_rng_state()
    model.eval()
    embedding = model(torch.zeros(2, in_chans, img_size, img_size))
    model.train()
    torch.set_rng_state(state)
    if not isinstance(embedding, Tensor) or embedding.ndim != 2:
        raise ValueError("it does not return one vector per image")
    return embedding
