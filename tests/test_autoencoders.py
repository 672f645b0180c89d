"""Convolutional, variational and adversarial autoencoders: networks, training, scores."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Normal, kl_divergence
from toy_stores import blobs, noise, setting, write_store
from toy_study import AUTOENCODER, images_of, results_in

from lensml.data.torch_dataset import Images
from lensml.evaluation.anomaly.autoencoders import score_autoencoder
from lensml.evaluation.statistics.predictions import Scored
from lensml.models.autoencoders import (
    build_autoencoder,
    code_discriminator,
    kl_to_standard_normal,
)
from lensml.schema.anomaly import Autoencoder, AutoencoderMethod
from lensml.training.anomaly.autoencoder_run import train_autoencoder
from lensml.training.anomaly.autoencoders import (
    AutoencoderTask,
    deception_loss,
    discriminator_loss,
    image_errors,
    kl_weight_at,
)
from lensml.training.engine.checkpoint import load_weights, save_weights

METHODS: tuple[AutoencoderMethod, ...] = get_args(AutoencoderMethod)
every_method = pytest.mark.parametrize("method", METHODS)
pytestmark = pytest.mark.usefixtures("one_torch_thread")


def spec(**changes: Any) -> Autoencoder:
    return AUTOENCODER.model_copy(update=changes)


@pytest.fixture
def few(tmp_path: Path) -> Images:
    """A few images of a spot that moves."""
    return images_of([write_store(tmp_path / "few.zarr", blobs(16, np.random.default_rng(0)))])


def task_of(images: Images, method: AutoencoderMethod, **changes: Any) -> AutoencoderTask:
    model = build_autoencoder(method, spec(**changes), images.img_size, seed=0)
    return AutoencoderTask(
        model,
        images,
        images,
        method=method,
        spec=spec(**changes),
        steps=100,
        seed=0,
        symmetry="none",
        device=torch.device("cpu"),
    )


# Networks


@given(size=st.integers(4, 23), method=st.sampled_from(METHODS))
def test_reconstructions_have_the_size_of_the_images(size, method):
    model = build_autoencoder(method, spec(), size, seed=0).eval()
    coded = model(torch.zeros(2, 1, size, size))
    assert coded.reconstruction.shape == (2, 1, size, size)
    assert coded.mean.shape == (2, AUTOENCODER.latent_dim)
    assert (coded.log_variance is not None) == (method == "vae")


def test_reconstructions_are_not_bounded_below(few):
    """A background fluctuates about zero."""
    model = build_autoencoder("conv_autoencoder", spec(), 16, seed=0).eval()
    assert model(few.batch(np.arange(16))).reconstruction.min() < 0


def test_an_image_too_small_for_the_widths_is_refused():
    with pytest.raises(ValueError, match="image size 7 cannot be halved 3 times"):
        build_autoencoder("aae", spec(widths=[2, 2, 2]), 7, seed=0)


def test_the_divergence_is_the_closed_form():
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)
    prior = Normal(torch.zeros_like(mean), torch.ones_like(mean))
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), prior).sum(1)
    torch.testing.assert_close(kl_to_standard_normal(mean, log_variance), expected)


def test_a_variational_code_is_sampled_with_its_own_standard_deviation(few):
    model = build_autoencoder("vae", spec(), 16, seed=0).eval()
    x = few.batch(np.arange(2))
    mean, log_variance = model.encode(x)
    assert log_variance is not None
    noise_ = torch.full_like(mean, 3.0)
    expected = model.decode(mean + 3 * log_variance.exp().sqrt())
    torch.testing.assert_close(model(x, noise_).reconstruction, expected)
    torch.testing.assert_close(model(x).reconstruction, model.decode(mean))


# Training


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


# Scores


@every_method
def test_the_score_is_the_mean_squared_error_of_the_reconstruction(few, tmp_path, method):
    model = build_autoencoder(method, spec(), 16, seed=1).eval()
    weights, output = str(tmp_path / "weights.safetensors"), str(tmp_path / "scores.csv")
    save_weights(weights, model.state_dict(), {})
    rng = np.random.default_rng(1)
    stores = [
        write_store(tmp_path / name / "test.zarr", x, substructure=name)
        for name, x in {"no_sub": noise(5, rng), "cdm": blobs(4, rng)}.items()
    ]
    score_autoencoder(
        [Scored(stores, ["no_sub", "cdm"], {"mse": output})],
        weights,
        method=method,
        autoencoder=spec(),
        setting=setting(tmp_path),
    )
    table, images = pd.read_csv(output), images_of(stores)
    identity = ["system_id", "index", "label"]
    assert table.columns.tolist() == [*identity, "score", "flux", "theta_E_total"]
    assert table["label"].tolist() == ["no_sub"] * 5 + ["cdm"] * 4
    for i, score in enumerate(table["score"]):
        x = images.batch(np.array([i]))
        with torch.no_grad():
            difference = model.decode(model.encode(x)[0]) - x
        assert score == pytest.approx(float((difference**2).mean()), rel=1e-5)


@every_method
def test_no_image_changes_the_score_of_another(tmp_path, method):
    rng = np.random.default_rng(0)
    image, faint, bright = blobs(3, rng), noise(70, rng), blobs(70, rng, peak=50.0)
    task = task_of(
        images_of([write_store(tmp_path / "train.zarr", blobs(16, rng))]), method, batch_size=8
    )
    for step in range(10):
        task.step(step)
    scores = [
        image_errors(
            task.model, images_of([write_store(tmp_path / f"{k}.zarr", np.concatenate(both))])
        )
        for k, both in enumerate(([image, faint], [image, bright]))
    ]
    np.testing.assert_allclose(scores[0][:3], scores[1][:3], rtol=1e-5)
    assert not np.allclose(scores[0][3:], scores[1][3:])


@every_method
def test_a_trained_autoencoder_finds_what_it_has_never_seen(tmp_path, method):
    rng = np.random.default_rng(0)
    splits = {"train": blobs(48, rng), "val": blobs(16, rng), "test": blobs(16, rng)}
    stores = {k: write_store(tmp_path / "no_sub" / f"{k}.zarr", x) for k, x in splits.items()}
    strange = write_store(tmp_path / "cdm" / "test.zarr", blobs(16, rng)[:, :, ::-1] * 3)
    results, recipe = results_in(tmp_path), spec(epochs=15, kl_weight=1e-5)
    train_autoencoder(
        stores["train"],
        stores["val"],
        results,
        method=method,
        autoencoder=recipe,
        symmetry="square",
        setting=setting(tmp_path),
    )
    loss = pd.read_csv(results.history)["val_loss"]
    assert loss.iloc[-1] < loss.iloc[0]
    model = build_autoencoder(method, recipe, 16, seed=5)
    load_weights(results.weights, model)
    errors = image_errors(model, images_of([stores["test"], strange]))
    assert errors[:16].mean() == pytest.approx(loss.iloc[-1], rel=0.3)
    assert np.median(errors[16:]) > np.median(errors[:16])
