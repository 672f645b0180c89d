"""Rivals of ADDA: their losses against their papers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional
from toy.joint import DISTORTION, OFF, generator, images, task_of

from lensml.models.encoders import batch_norm_layers, build_encoder
from lensml.models.masked_image import TokenDecoder, hidden_pixels
from lensml.models.tokens import tokens_of
from lensml.training.adaptation.joint.adamatch import pseudo_labels
from lensml.training.adaptation.joint.coral import coral_distance
from lensml.training.adaptation.joint.dann import rise
from lensml.training.adaptation.joint.task import TARGET_MASKS, JointTask
from lensml.training.engine.order import step_generator

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def outspoken(task: JointTask) -> JointTask:
    """The same with logits fifty times as large: the toy classifier is hardly sure of anything."""
    for network in (task.network, task.average):
        with torch.no_grad():
            for parameter in network.head.parameters():
                parameter *= 50
    return task


def test_the_distance_of_coral_is_the_papers():
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(30, 5)), rng.normal(size=(40, 5)) * 2
    expected = np.square(np.cov(source.T) - np.cov(target.T)).sum() / (4 * 5**2)
    found = coral_distance(torch.from_numpy(source), torch.from_numpy(target))
    assert found.item() == pytest.approx(expected)
    assert coral_distance(torch.from_numpy(source), torch.from_numpy(source + 3)).item() < 1e-20


def test_pseudo_labels_are_aligned_with_the_classes_of_the_source():
    source = torch.tensor([[0.9, 0.1], [0.3, 0.7]])  # mean .6 .4, mean confidence .8
    target = torch.tensor([[0.9, 0.1], [0.7, 0.3]])  # mean .8 .2
    aligned, sure = pseudo_labels(source, target, 0.9)
    # Ratios .75 and 2: (.675, .2) / .875 and (.525, .6) / 1.125.
    expected = [[0.675 / 0.875, 0.2 / 0.875], [0.525 / 1.125, 0.6 / 1.125]]
    torch.testing.assert_close(aligned, torch.tensor(expected))
    assert sure.tolist() == [1.0, 0.0]  # .771 and .533 against .9 x .8 = .72


@pytest.mark.parametrize("img_size", [16, 18])
def test_hidden_squares_are_a_share_of_the_image(img_size):
    hidden = hidden_pixels(200, img_size, 4, 0.5, generator())
    assert hidden.shape == (200, 1, img_size, img_size)
    squares = hidden[:, 0, :16, :16].reshape(200, 4, 4, 4, 4)
    assert (squares.all((2, 4)) | ~squares.any((2, 4))).all()  # whole squares
    share = hidden.float().mean((1, 2, 3))
    assert share.mean() == pytest.approx(0.5, abs=4 * 0.12 / np.sqrt(200))  # 25 cut squares
    if img_size == 16:
        assert (share == 0.5).all()
    assert len({x.numpy().tobytes() for x in hidden}) > 190


def test_pixels_of_a_token_lie_where_the_token_saw(study):
    """Each token of a convolution of stride 4 is made to predict itself."""
    decoder = TokenDecoder(num_tokens=16, num_features=16, img_size=16)
    torch.nn.init.eye_(decoder.layer.weight)
    torch.nn.init.zeros_(decoder.layer.bias)
    x = images(3, 16)
    tokens = functional.unfold(x, 4, stride=4).transpose(1, 2)
    torch.testing.assert_close(decoder(tokens), x)
    assert TokenDecoder(100, 8, 150)(torch.zeros(2, 100, 8)).shape == (2, 1, 150, 150)
    assert TokenDecoder(25, 8, 64)(torch.zeros(2, 25, 8)).shape == (2, 1, 64, 64)


@pytest.mark.parametrize("kind", ["cnn", "vit_conv_stem", "resnet18", "swin", "vit_relpos"])
def test_the_mean_of_the_tokens_is_what_the_encoder_knows(default_config, kind):
    """Of encoders that average over a map, tokens in the order of the image's rows."""
    encoder = build_encoder(default_config.encoders[kind], 64).eval()
    x = torch.randn(2, 1, 64, 64, generator=generator())
    with torch.no_grad():
        tokens, embedding = tokens_of(encoder, x), encoder(x)
        here = x.clone()
        here[:, :, :16, -16:] += 3  # upper right
        changed = (tokens_of(encoder, here) - tokens).abs().sum((0, 2))
    assert tokens.shape[2] == embedding.shape[1]
    grid = int(np.sqrt(tokens.shape[1]))
    if kind in ("cnn", "resnet18"):
        torch.testing.assert_close(tokens.mean(1), embedding)
    if grid > 2:  # at 2 x 2 every token has seen everything
        row, column = divmod(int(changed.argmax()), grid)
        assert row < grid / 2 <= column


def test_only_hidden_pixels_of_the_target_are_predicted(study):
    """What is visible can be copied: the error of a decoder of zeros is the hidden pixels' own."""
    task = task_of(study, "masked_reconstruction", mask_ratio=0.5)
    torch.nn.init.zeros_(task.decoder.layer.weight)  # type: ignore[attr-defined]
    torch.nn.init.zeros_(task.decoder.layer.bias)  # type: ignore[attr-defined]
    target = task.batches(0)[1]
    hidden = hidden_pixels(len(target), 16, 4, 0.5, step_generator(0, 0, TARGET_MASKS))
    found = task.step(0)["reconstruction_loss"]
    torch.testing.assert_close(found, target[hidden].square().mean())
    assert not torch.isclose(found, target[~hidden].square().mean())


def test_the_encoder_does_not_see_what_is_hidden(study):
    task = task_of(study, "masked_reconstruction")
    seen = []
    first = next(m for m in task.network.modules() if isinstance(m, torch.nn.Conv2d))
    first.register_forward_pre_hook(lambda m, args: seen.append(args[0]))
    target = task.batches(0)[1]
    task.step(0)
    hidden = hidden_pixels(len(target), 16, 4, 0.5, step_generator(0, 0, TARGET_MASKS))
    assert (seen[-1][hidden] == 0).all()
    assert torch.equal(seen[-1][~hidden], target[~hidden])


def test_the_weight_of_the_adversary_rises_from_nothing_to_one():
    values = [rise(t) for t in np.linspace(0, 1, 11)]
    assert values[0] == 0
    assert values == sorted(values)
    assert values[-1] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("method", "learning_rate"), [("coral", 5e-3), ("dann", 3e-4)])
def test_alignment_brings_the_embeddings_together(study, method, learning_rate):
    task = task_of(study, method, steps=150, batch_size=16, learning_rate=learning_rate)

    @torch.no_grad()
    def distance() -> float:
        batches = [x.batch(np.arange(len(x))) for x in (task.batches.source, task.batches.target)]
        source, target = (task.average.encoder(x) for x in batches)
        return ((source.mean(0) - target.mean(0)).norm() / source.std(0).norm()).item()

    before = distance()
    for step in range(150):
        task.step(step)
    assert distance() < 0.7 * before  # over five seeds 0.17 to 0.69 and 0.35 to 0.39


def test_the_adversary_learns_to_tell_the_domains_and_the_encoder_climbs_its_loss(study):
    task = task_of(study, "dann")
    before = {k: v.clone() for k, v in task.discriminator.state_dict().items()}  # type: ignore[attr-defined]
    found = task.step(50)
    after = task.discriminator.state_dict()  # type: ignore[attr-defined]
    assert any(not torch.equal(before[k], after[k]) for k in before if "layers" in k)
    assert found["reversed_loss"] < 0
    # ln 2 is the loss of guessing: where nothing is told apart, nothing is left to climb.
    assert found["reversed_loss"] > -1.5 * np.log(2)


@pytest.mark.parametrize("method", ["adamatch", "mean_teacher"])
def test_what_the_target_teaches_counts_only_where_it_is_sure(study, method):
    name = "pseudo_label_loss" if method == "adamatch" else "consistency_loss"
    task = task_of(study, method)
    assert task.step(50)[name] > 0
    sure = 1.0 if method == "mean_teacher" else 2.0
    assert task_of(study, method, confidence=sure).step(50)[name] == 0


@pytest.mark.parametrize("method", ["strong_augmentation", "adamatch", "mean_teacher"])
def test_methods_of_strong_augmentation_train_on_distorted_images(study, method):
    found = [
        outspoken(task_of(study, method, distortion=spec)).step(50) for spec in (DISTORTION, OFF)
    ]
    name = {"adamatch": "pseudo_label_loss", "mean_teacher": "consistency_loss"}.get(method)
    for loss in filter(None, (name, None if method == "mean_teacher" else "class_loss")):
        assert abs(found[0][loss] - found[1][loss]) > 1e-5, loss  # without, roundings


def test_coral_matches_means_only_where_it_is_told_to(study):
    both, covariance = (
        task_of(study, "coral", match_mean=match).step(0)["alignment_loss"]
        for match in (True, False)
    )
    assert both > covariance > 0


def test_pseudo_labels_count_for_nothing_at_first_and_for_all_at_the_end(study):
    """Half a cosine: nothing at step 0, half at the middle, all at the end."""
    first, middle, last = (task_of(study, "adamatch").step(k) for k in (0, 50, 100))
    assert first["pseudo_label_loss"] == 0
    assert last["pseudo_label_loss"] > middle["pseudo_label_loss"] > 0


def test_the_teacher_is_the_average_of_the_weights(study):
    task = outspoken(task_of(study, "mean_teacher", confidence=0.51))
    assert task.step(0)["consistency_loss"] > 0
    torch.nn.init.zeros_(task.average.head.weight)
    torch.nn.init.zeros_(task.average.head.bias)
    assert task.step(1)["consistency_loss"] == 0  # one half for either class is not sure


def test_a_teacher_sees_every_batch_by_its_own_statistics_where_the_student_does(study):
    task = task_of(study, "mean_teacher", batch_norm="target")
    assert all(layer.training for layer in batch_norm_layers(task.average))
    task = task_of(study, "mean_teacher")
    assert not any(layer.training for layer in batch_norm_layers(task.average))


@pytest.mark.parametrize("symmetries", [("none", "square"), ("square", "none")])
def test_each_domain_is_augmented_by_its_own_symmetries(study, symmetries):
    batches = task_of(study, "coral", symmetries=symmetries).batches
    source, target, index = batches(0)
    raw = batches.source.batch(index), batches.target.batch(batches.target_order(0))
    for found, before, symmetry in zip((source, target), raw, symmetries, strict=True):
        assert torch.equal(found, before) == (symmetry == "none")
        values = (x.flatten(1).sort(1).values for x in (found, before))
        torch.testing.assert_close(*values)  # the same pixels elsewhere
