"""Models of timm as encoders."""

from __future__ import annotations

import pytest
import torch
from toy.recipes import encoder

from lensml.models.encoders import build_classifier, build_encoder


def timm_encoder(name: str, **kwargs):
    return encoder({"kind": "timm", "model_name": name, "model_kwargs": kwargs})


@pytest.mark.parametrize(
    "name", ["resnet18", "levit_128s", "vit_tiny_r_s16_p8_224", "coatnet_pico_rw_224"]
)
def test_a_model_of_timm_embeds_one_channel_images(name):
    torch.manual_seed(0)
    built = build_encoder(timm_encoder(name), 64).eval()
    with torch.no_grad():
        embedding = built(torch.randn(2, 1, 64, 64))
    assert embedding.shape == (2, built.num_features)
    assert torch.isfinite(embedding).all()


def test_weights_of_a_model_of_timm_follow_from_the_seed():
    spec = timm_encoder("resnet10t")
    a, b, c = (
        build_classifier(spec, img_size=32, num_classes=2, seed=seed).state_dict()
        for seed in (1, 1, 2)
    )
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["head.weight"], c["head.weight"])


@pytest.mark.parametrize(
    ("name", "kwargs", "message"),
    [
        ("resnet81", {}, "no such model; did you mean resnet"),
        ("efficientformer_l1", {}, "does not take one-channel images of 64 x 64 pixels"),
        ("resnet18", {"patch_size": 8}, "patch_size"),
    ],
)
def test_what_timm_cannot_build_is_refused_in_one_line(name, kwargs, message):
    with pytest.raises(ValueError, match=message) as caught:
        build_encoder(timm_encoder(name, **kwargs), 64)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
