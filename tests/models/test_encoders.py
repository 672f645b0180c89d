"""Encoders and classifiers."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor, nn
from toy.networks import noise, without_gradient

from lensml.models.encoders import (
    Classifier,
    ConvStem,
    batch_norm_layers,
    build_classifier,
    build_encoder,
)
from lensml.schema.encoders import Cnn, Encoder, Vit, VitConvStem

STEM = VitConvStem(
    kind="vit_conv_stem",
    stem_widths=[4, 4, 8],
    embed_dim=16,
    depth=1,
    num_heads=2,
    mlp_ratio=2.0,
    init_values=0.1,
    drop_path_rate=0.0,
)
VIT = Vit(
    kind="vit",
    patch_size=8,
    embed_dim=16,
    depth=1,
    num_heads=2,
    mlp_ratio=2.0,
    init_values=0.1,
    drop_path_rate=0.0,
)
CNN = Cnn(kind="cnn", widths=[4, 8])
ENCODERS = [
    pytest.param(STEM, 16, id="vit_conv_stem"),
    pytest.param(VIT, 16, id="vit"),
    pytest.param(CNN, 8, id="cnn"),
]
SPECS = [pytest.param(spec, id=spec.kind) for spec in (STEM, VIT, CNN)]

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.mark.parametrize(("spec", "width"), ENCODERS)
def test_an_encoder_maps_64_pixels_to_its_features(spec: Encoder, width: int):
    encoder = build_encoder(spec, 64).eval()
    assert encoder.num_features == width
    assert encoder(noise(2, 1, 64, 64)).shape == (2, width)


@pytest.mark.parametrize(("spec", "width"), [ENCODERS[0], ENCODERS[2]])
def test_a_convolutional_encoder_takes_150_pixels(spec: Encoder, width: int):
    encoder = build_encoder(spec, 150).eval()
    assert encoder(noise(2, 1, 150, 150)).shape == (2, width)


def test_a_plain_transformer_refuses_150_pixels_in_patches_of_8():
    with pytest.raises(ValueError, match="image size 150 is not a multiple of patch_size 8"):
        build_encoder(VIT, 150)


@pytest.mark.parametrize("img_size", [15, 16, 17, 64, 150])
def test_the_stem_knows_how_many_tokens_it_makes(img_size):
    stem = ConvStem(img_size, [2, 2, 2], 8).eval()
    tokens = stem(noise(1, 1, img_size, img_size))
    assert tokens.shape == (1, stem.num_patches, 8)
    assert stem.grid_size == (math.ceil(img_size / 8), math.ceil(img_size / 8))


@pytest.mark.parametrize("spec", SPECS)
def test_the_same_seed_gives_the_same_weights(spec: Encoder):
    def weights(seed: int) -> dict[str, Tensor]:
        return build_classifier(spec, img_size=16, num_classes=3, seed=seed).state_dict()

    first = weights(1)
    torch.rand(7)  # what was drawn before must not matter
    second, other = weights(1), weights(2)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])
    name = next(k for k, v in first.items() if k.startswith("encoder") and v.ndim == 4)
    assert not torch.equal(first[name], other[name])


@pytest.mark.parametrize("spec", SPECS)
def test_a_classifier_is_a_linear_map_of_its_embedding(spec: Encoder):
    model = build_classifier(spec, img_size=16, num_classes=3, seed=0).eval()
    x = noise(4, 1, 16, 16)
    logits = model(x)
    assert logits.shape == (4, 3)
    embedding = model.encoder(x)
    for i, k in itertools.product(range(4), range(3)):
        by_hand = sum((embedding[i] * model.head.weight[k]).tolist()) + model.head.bias[k].item()
        assert logits[i, k].item() == pytest.approx(by_hand, abs=1e-5)


@pytest.mark.parametrize("spec", SPECS)
def test_an_embedding_does_not_depend_on_the_rest_of_its_batch(spec: Encoder):
    encoder, x = build_encoder(spec, 16).eval(), noise(3, 1, 16, 16)
    alone = torch.cat([encoder(x[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(encoder(x), alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("spec", SPECS)
def test_every_weight_of_a_classifier_gets_a_gradient(spec: Encoder):
    model = build_classifier(spec, img_size=16, num_classes=3, seed=0).train()
    nn.functional.cross_entropy(model(noise(6, 1, 16, 16)), torch.arange(6) % 3).backward()
    assert without_gradient(model) == []


def test_batch_norm_layers_come_in_order_of_definition():
    encoder = build_encoder(CNN, 16)
    assert [layer.num_features for layer in batch_norm_layers(encoder)] == [4, 4, 8, 8]
    assert batch_norm_layers(build_encoder(VIT, 16)) == []
    assert len(batch_norm_layers(Classifier(encoder, 2))) == 4
