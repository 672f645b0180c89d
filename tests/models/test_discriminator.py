"""The discriminator of embeddings."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor
from toy.networks import noise

from lensml.models.discriminator import Discriminator

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def test_the_discriminator_standardises_embeddings():
    mean, std = noise(6), noise(6, seed=1).abs() + 0.1
    torch.manual_seed(0)
    model = Discriminator(mean, std, hidden_dim=8)
    embedding = noise(5, 6, seed=2) * std + mean
    standard = torch.empty(5, 6)
    for i, j in itertools.product(range(5), range(6)):
        standard[i, j] = (embedding[i, j].item() - mean[j].item()) / std[j].item()
    logit = model(embedding)
    assert logit.shape == (5,)
    torch.testing.assert_close(logit, model.layers(standard)[:, 0], rtol=1e-4, atol=1e-5)


def test_the_discriminator_does_not_see_the_scale_of_the_encoder():
    mean, std, embedding = noise(6), noise(6, seed=1).abs() + 0.1, noise(5, 6, seed=2)

    def logit(scale: float) -> Tensor:
        torch.manual_seed(0)
        return Discriminator(scale * mean, scale * std, hidden_dim=8)(scale * embedding)

    torch.testing.assert_close(logit(1.0), logit(1000.0), rtol=1e-4, atol=1e-5)


def test_a_dimension_that_never_varies_does_not_break_the_discriminator():
    model = Discriminator(torch.zeros(3), torch.tensor([1.0, 0.0, 1.0]), hidden_dim=4)
    assert model(torch.zeros(2, 3)).isfinite().all()
    assert model(torch.ones(2, 3)).isfinite().all()


def test_the_discriminator_keeps_its_statistics_with_its_weights():
    model = Discriminator(torch.full((3,), 2.0), torch.full((3,), 4.0), hidden_dim=4)
    state = model.state_dict()
    assert state["mean"].tolist() == [2.0] * 3
    assert state["std"].tolist() == [4.0] * 3
