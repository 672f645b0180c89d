"""Statistics of batch norm: the source's or the target's."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from toy.runs import run_adda, same_weights, source_encoder
from toy.stores import blobs, setting, write_store
from toy.study import ADABN, ADDA, CNN, images_of, results_in

from lensml.data.torch_dataset import Images
from lensml.models.encoders import Classifier, batch_norm_layers, build_classifier, build_encoder
from lensml.schema import encoders as encoder_schema
from lensml.training.adaptation.adda import adapt_batch_norm, embedding_statistics
from lensml.training.adaptation.run import adapt_adabn
from lensml.training.engine.checkpoint import load_weights
from lensml.training.engine.prediction import embed
from lensml.training.engine.record import data_fingerprint, file_checksum

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def test_adapted_batch_norm_keeps_the_source_statistics_or_takes_the_targets(study, tmp_path):
    statistics = {}
    for choice in ("source", "target"):
        adda = ADDA.model_copy(update={"steps": 10, "batch_norm": choice})
        run_adda(study, tmp_path / choice, encoder=CNN, adda=adda)
        weights = load_file(tmp_path / choice / "weights.safetensors")
        statistics[choice] = {k: v for k, v in weights.items() if "running_" in k}
    source = load_file(study.weights["cnn"])
    assert len(statistics["source"]) == 8
    for name, kept in statistics["source"].items():
        torch.testing.assert_close(kept, source[name], rtol=1e-6, atol=0)
    network = build_classifier(CNN, img_size=16, num_classes=2, seed=0)
    load_weights(tmp_path / "target" / "weights.safetensors", network)
    assert_statistics_are_of(network.encoder, images_of([study.pool], labelled=False))


def test_embedding_statistics_are_the_mean_and_deviation_over_the_images(study):
    encoder, images = source_encoder(study, CNN), images_of(study.train)
    mean, std = embedding_statistics(encoder, images, seed=0)
    embedding = embed(encoder, images, np.arange(len(images))).numpy()
    for d in range(embedding.shape[1]):
        values = embedding[:, d].tolist()
        center = sum(values) / len(values)
        assert mean[d].item() == pytest.approx(center, rel=1e-4)
        spread = math.sqrt(sum((v - center) ** 2 for v in values) / (len(values) - 1))
        assert std[d].item() == pytest.approx(spread, rel=1e-3)


def assert_statistics_are_of(encoder: nn.Module, images: Images) -> None:
    """Every batch norm of a ConvNet holds the mean and variance of what reaches it."""
    x = images.batch(np.arange(len(images))).double()
    seen = 0
    for layer in copy.deepcopy(encoder).double().layers:  # type: ignore[union-attr]
        if isinstance(layer, nn.BatchNorm2d):
            seen += 1
            assert layer.running_mean is not None
            assert layer.running_var is not None
            normalised = torch.empty_like(x)
            for c in range(x.shape[1]):
                values = x[:, c].flatten().detach().numpy()
                center = values.sum() / len(values)
                squares = ((values - center) ** 2).sum()
                assert layer.running_mean[c].item() == pytest.approx(center, rel=1e-3, abs=1e-5)
                assert layer.running_var[c].item() == pytest.approx(
                    squares / (len(values) - 1), rel=1e-3
                )
                scale = layer.weight[c] / math.sqrt(squares / len(values) + layer.eps)
                normalised[:, c] = (x[:, c] - center) * scale + layer.bias[c]
            x = normalised
        else:
            x = layer(x)
    assert seen == 4


@pytest.mark.parametrize("momentum", [0.1, 0.3])
def test_adabn_takes_the_statistics_of_the_target_and_restores_momentum(study, momentum):
    encoder, target = source_encoder(study, CNN), images_of([study.pool], labelled=False)
    for layer in batch_norm_layers(encoder):
        layer.momentum = momentum
    before = copy.deepcopy(dict(encoder.named_parameters()))
    adapt_batch_norm(encoder, target, n_images=1000, seed=0)
    assert_statistics_are_of(encoder, target)
    assert [layer.momentum for layer in batch_norm_layers(encoder)] == [momentum] * 4
    assert not encoder.training
    assert same_weights(dict(encoder.named_parameters()), before)  # type: ignore[arg-type]


def test_adabn_over_several_batches_is_the_mean_over_all_images(study, tmp_path):
    rng = np.random.default_rng(0)
    store = write_store(tmp_path / "train.zarr", blobs(600, rng), images_per_block=600)
    encoder, target = source_encoder(study, CNN), images_of([store], labelled=False)
    adapt_batch_norm(encoder, target, n_images=1000, seed=0)
    first_convolution, first_norm = encoder.layers[0], encoder.layers[1]  # type: ignore[index]
    with torch.no_grad():
        x = first_convolution(target.batch(np.arange(600)))  # type: ignore[operator]
    mean = first_norm.running_mean  # type: ignore[union-attr]
    torch.testing.assert_close(mean, x.mean((0, 2, 3)), rtol=1e-3, atol=1e-5)


def test_adabn_uses_as_many_images_as_it_is_told(study):
    target, found = images_of([study.pool], labelled=False), []
    for n_images in (5, 48, 1000):
        encoder = source_encoder(study, CNN)
        adapt_batch_norm(encoder, target, n_images=n_images, seed=0)
        found.append(batch_norm_layers(encoder)[0].running_mean)
    assert torch.equal(found[1], found[2])  # there are 48
    assert not torch.allclose(found[0], found[1], rtol=1e-3)


def test_adabn_leaves_an_encoder_without_batch_norm_as_it_is(study):
    spec = encoder_schema.Vit(
        kind="vit",
        patch_size=8,
        embed_dim=8,
        depth=1,
        num_heads=2,
        mlp_ratio=2.0,
        init_values=0.1,
        drop_path_rate=0.0,
    )
    encoder = build_encoder(spec, 16)
    before = copy.deepcopy(encoder.state_dict())
    target = images_of([study.pool], labelled=False)
    adapt_batch_norm(encoder, target, n_images=1000, seed=0)
    assert same_weights(encoder.state_dict(), before)


def test_an_adabn_run_writes_the_source_classifier_with_target_statistics(study, tmp_path):
    results = results_in(tmp_path)
    adapt_adabn(
        study.pool,
        study.weights["cnn"],
        results,
        encoder=CNN,
        adabn=ADABN,
        num_classes=2,
        setting=setting(tmp_path),
    )
    source, adapted = load_file(study.weights["cnn"]), load_file(results.weights)
    for name, before in source.items():
        moved = "running_" in name
        assert torch.equal(before, adapted[name]) != moved or "num_batches" in name
    network = Classifier(build_encoder(CNN, 16), 2)
    load_weights(results.weights, network)
    assert_statistics_are_of(network.encoder, images_of([study.pool], labelled=False))
    made_of = [*data_fingerprint([study.pool]), file_checksum(study.weights["cnn"])]
    assert json.loads(Path(results.run).read_text())["data"] == made_of
