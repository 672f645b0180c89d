"""Training of autoencoders."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from toy.autoencoders import every_method, spec, task_of
from toy.stores import blobs, write_store
from toy.study import AUTOENCODER, images_of

from lensml.data.torch_dataset import Images
from lensml.models.autoencoders import code_discriminator
from lensml.training.anomaly.autoencoders import deception_loss, discriminator_loss, kl_weight_at

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture
def few(tmp_path: Path) -> Images:
    """A few images of a spot that moves."""
    return images_of([write_store(tmp_path / "few.zarr", blobs(16, np.random.default_rng(0)))])


@every_method
def test_the_reconstruction_error_falls_on_a_few_images(few, method):
    task = task_of(few, method, kl_weight=1e-5, adversarial_weight=1e-3)
    losses = [float(task.step(step)["train_loss"]) for step in range(100)]
    assert np.mean(losses[-5:]) < 0.3 * np.mean(losses[:5])
    # Better than one and the same image for all of them.
    assert task.evaluate(100)["val_loss"] < 0.8 * few.batch(np.arange(16)).var(0).mean().item()


def test_the_weight_of_the_divergence_rises_from_zero_and_stays():
    recipe = spec(kl_weight=2.0, kl_warmup=0.5)
    found = [kl_weight_at(step, 100, recipe) for step in (0, 25, 50, 99)]
    assert found == pytest.approx([0.0, 1.0, 2.0, 2.0])
    assert kl_weight_at(0, 100, spec(kl_weight=2.0, kl_warmup=0.0)) == 2.0


def test_a_heavy_divergence_takes_the_image_out_of_the_code(few):
    divergence = {}
    for weight in (1e-5, 10.0):
        task = task_of(few, "vae", kl_weight=weight, kl_warmup=0.1)
        divergence[weight] = [float(task.step(step)["kl"]) for step in range(60)][-1]
    assert divergence[10.0] < 0.1 * divergence[1e-5]


def test_noise_of_a_step_follows_from_the_step_alone(few):
    task, other = task_of(few, "vae"), task_of(few, "vae")
    torch.rand(7)
    assert torch.equal(task._normal(4, 3), other._normal(4, 3))
    assert not torch.equal(task._normal(4, 3), task._normal(4, 4))


def test_discriminator_and_encoder_pull_codes_in_opposite_directions():
    torch.manual_seed(0)
    adversary = code_discriminator(spec())
    prior, code = torch.randn(2, 6, AUTOENCODER.latent_dim)
    code.requires_grad_()
    (easier,) = torch.autograd.grad(discriminator_loss(adversary, prior, code), code)
    (like_prior,) = torch.autograd.grad(deception_loss(adversary, code), code)
    alignment = torch.cosine_similarity(easier, like_prior, dim=1)
    torch.testing.assert_close(alignment, torch.full_like(alignment, -1.0))


def test_the_discriminator_learns_to_tell_codes_from_the_prior():
    torch.manual_seed(0)
    adversary = code_discriminator(spec())
    optimizer = torch.optim.Adam(adversary.parameters(), lr=1e-2)
    code = torch.randn(64, AUTOENCODER.latent_dim) + 3
    for _ in range(100):
        optimizer.zero_grad()
        discriminator_loss(adversary, torch.randn(64, AUTOENCODER.latent_dim), code).backward()
        optimizer.step()
    assert adversary(code).min() > 0
    assert adversary(torch.randn(64, AUTOENCODER.latent_dim)).mean() < 0


def test_deceiving_the_discriminator_leaves_it_as_it_is(few):
    task = task_of(few, "aae", learning_rate_discriminator=1e-30, adversarial_weight=10.0)
    assert task.discriminator is not None
    before = copy.deepcopy(task.discriminator.state_dict())
    encoder = copy.deepcopy(task.model.to_code.weight)
    for step in range(3):
        task.step(step)
    after = task.discriminator.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert not torch.equal(task.model.to_code.weight, encoder)


def test_the_adversary_draws_codes_to_the_prior(few):
    centre = {}
    for weight in (0.0, 1.0):
        game = {"learning_rate_discriminator": 1e-3, "betas": [0.5, 0.9]}
        task = task_of(few, "aae", adversarial_weight=weight, **game)
        torch.nn.init.constant_(task.model.to_code.bias, 3.0)
        for step in range(60):
            task.step(step)
        with torch.no_grad():
            centre[weight] = task.model.eval()(few.batch(np.arange(16))).mean.mean().item()
    assert centre[0.0] > 2  # nothing else moves them
    assert abs(centre[1.0]) < 0.5
