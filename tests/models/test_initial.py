"""A classifier starts from a masked autoencoder's encoder."""

from __future__ import annotations

import pytest
import torch
from toy.recipes import CNN, MAE, VIT, encoder

from lensml.models.encoders import build_encoder
from lensml.models.initial import start_from_mae
from lensml.models.mae import MaskedAutoencoder


def test_a_classifier_starts_from_the_encoder_of_a_masked_autoencoder():
    torch.manual_seed(0)
    mae = MaskedAutoencoder(MAE, 16)
    built = build_encoder(encoder(VIT), 16).eval()
    x = torch.randn(3, 1, 16, 16)
    start_from_mae(built, mae.state_dict())
    tokens = mae.patch_embed(mae.patchify(x)) + mae.pos_embed
    expected = mae.norm(mae.blocks(tokens).mean(1))
    # timm's networks add 1e-6 to the variance in a norm, its blocks alone 1e-5.
    torch.testing.assert_close(built(x), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**VIT, "depth": 3}, "must have the masked autoencoder's"),
        ({**VIT, "init_values": 0.1}, "init_values null"),
        (CNN, "only encoders of kind 'vit'"),
    ],
)
def test_an_encoder_of_another_shape_cannot_start_from_a_masked_autoencoder(content, message):
    mae = MaskedAutoencoder(MAE, 16)
    with pytest.raises(ValueError, match=message):
        start_from_mae(build_encoder(encoder(content), 16), mae.state_dict())
