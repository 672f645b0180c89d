"""Training: schedule, order of the data, interrupted runs, adaptation without labels."""

from __future__ import annotations

import copy
import itertools
import json
import math
import multiprocessing
import os
import pickle
import re
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors import safe_open
from safetensors.torch import load_file
from sklearn.metrics import roc_auc_score
from timm.optim.muon import Muon as TimmMuon
from torch import Tensor, nn
from toy_stores import (
    EXPOSURE,
    IN_MEMORY,
    MAPPED,
    NETWORK_INPUT,
    RMS,
    blobs,
    noise,
    setting,
    write_store,
)
from toy_study import (
    ADABN,
    ADDA,
    AUTOENCODER,
    CLASSIFIER,
    CNN,
    OPTIMIZATION,
    ORACLE,
    STEM,
    Study,
    images_of,
    results_in,
)

from lensml.data.images import stretch
from lensml.data.store import open_store
from lensml.data.torch_dataset import Images
from lensml.models.discriminator import Discriminator
from lensml.models.encoders import (
    Classifier,
    batch_norm_layers,
    build_classifier,
    build_encoder,
)
from lensml.models.mae import MaskedAutoencoder
from lensml.models.symmetry import SYMMETRIES, transform
from lensml.schema import adaptation as adaptation_schema
from lensml.schema import encoders as encoder_schema
from lensml.schema import training as schema
from lensml.schema.anomaly import AutoencoderMethod, Mae
from lensml.simulate.dataset import pool_unlabelled
from lensml.training.adaptation.adda import AddaTask, adapt_batch_norm, embedding_statistics
from lensml.training.adaptation.oracle import train_oracle
from lensml.training.adaptation.run import adapt_adabn, adapt_adda
from lensml.training.anomaly.autoencoder_run import train_autoencoder
from lensml.training.anomaly.autoencoders import AutoencoderTask
from lensml.training.anomaly.mae import MaeTask
from lensml.training.anomaly.mae_run import train_mae
from lensml.training.classification import task as classifier_module
from lensml.training.classification.run import train_classifier
from lensml.training.classification.task import ClassifierTask, macro_auc
from lensml.training.engine.averaging import WeightAverage
from lensml.training.engine.checkpoint import (
    FILE,
    fingerprint_of,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    save_weights,
)
from lensml.training.engine.device import prepare_device
from lensml.training.engine.loop import run_training
from lensml.training.engine.optimizer import learning_rate_at, optimizer_of, set_learning_rate
from lensml.training.engine.order import BatchOrder, batch_order, step_generator
from lensml.training.engine.prediction import embed, predict_probabilities
from lensml.training.engine.record import data_fingerprint, file_checksum

CPU = torch.device("cpu")
MAE = Mae(
    **OPTIMIZATION,
    epochs=4,
    patch_size=4,
    mask_ratio=0.5,
    loss="pixel",
    embed_dim=16,
    depth=1,
    num_heads=2,
    mlp_ratio=2.0,
    decoder_embed_dim=8,
    decoder_depth=1,
    decoder_num_heads=2,
)


pytestmark = pytest.mark.usefixtures("one_torch_thread")


def source_encoder(study: Study, spec: encoder_schema.Encoder) -> nn.Module:
    network = build_classifier(spec, img_size=16, num_classes=2, seed=0)
    load_weights(study.weights[spec.kind], network)
    return network.encoder


def same_weights(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# The network's scale


@given(
    image=hnp.arrays(np.float32, (2, 3, 3), elements=st.floats(-1e4, 1e6, width=32)),
    rms=st.floats(1e-3, 10),
)
def test_the_stretch_is_inverted_by_sinh(image, rms):
    stretched = stretch(image, np.full(2, rms), NETWORK_INPUT)
    assert stretched.dtype == np.float32
    unit = rms * NETWORK_INPUT.noise_units
    restored = np.sinh(stretched.astype(float) * NETWORK_INPUT.scale) * unit
    # float32 resolves asinh(1e9) = 21 to 2e-6, and sinh turns that into a relative error.
    np.testing.assert_allclose(restored, image, rtol=1e-5, atol=1e-6 * unit)


def test_the_stretch_uses_the_background_of_each_image():
    image = np.random.default_rng(0).normal(0, 1, (2, 4, 4)).astype(np.float32)
    rms = np.array([0.1, 2.0])
    for i in range(2):
        for value, found in zip(
            image[i].flat, stretch(image, rms, NETWORK_INPUT)[i].flat, strict=True
        ):
            expected = math.asinh(value / rms[i] / NETWORK_INPUT.noise_units) / NETWORK_INPUT.scale
            # One rounding of 1 in the logarithm: 1e-7 where the noise is 1 / noise_units / scale.
            assert found == pytest.approx(expected, rel=1e-5, abs=1.2e-7)


@pytest.fixture
def two_stores(tmp_path: Path) -> list[str]:
    """Stores of different sizes, each of several chunks, with a background of their own."""
    rng = np.random.default_rng(5)
    stores = []
    for k, n in enumerate((11, 7)):
        truth = {"background_rms": rng.uniform(0.1, 0.2, n), "system_id": 100 * k + np.arange(n)}
        path = tmp_path / f"{k}" / "train.zarr"
        stores.append(write_store(path, noise(n, rng), truth=truth, images_per_block=4))
    return stores


def test_mapped_images_equal_images_in_memory(two_stores):
    loaded = images_of(two_stores)
    mapped = Images(two_stores, NETWORK_INPUT, max_memory_fraction=MAPPED)
    assert loaded._loaded is not None
    assert mapped._loaded is None
    index = np.array([17, 3, 3, 10, 11, 0, 12])  # any order, repeated, across the stores
    assert torch.equal(loaded.batch(index), mapped.batch(index))
    assert torch.equal(loaded.batch(np.arange(18)), mapped.batch(np.arange(18)))


@pytest.mark.parametrize("fraction", [IN_MEMORY, MAPPED])
def test_a_batch_holds_the_stretched_images_of_its_index(two_stores, fraction):
    images = Images(two_stores, NETWORK_INPUT, max_memory_fraction=fraction)
    stores = [open_store(path) for path in two_stores]
    index = np.array([17, 0, 10, 11])
    batch = images.batch(index)
    assert batch.shape == (4, 1, 16, 16)
    for row, i in enumerate(index):
        store, k = (stores[0], i) if i < 11 else (stores[1], i - 11)
        rms = store.truth["background_rms"][k : k + 1]
        expected = stretch(store.image[np.array([k])], rms, NETWORK_INPUT)[0]
        np.testing.assert_array_equal(batch[row, 0].numpy(), expected)


def test_labels_are_positions_of_stores_and_identities_come_from_the_truth(two_stores):
    images = images_of(two_stores)
    assert images.labels is not None
    assert images.system_id is not None
    assert images.labels.tolist() == [0] * 11 + [1] * 7
    assert images.index.tolist() == [*range(11), *range(7)]
    assert images.system_id.tolist() == [*range(11), *range(100, 107)]
    assert (len(images), images.img_size) == (18, 16)


@pytest.mark.parametrize("fraction", [IN_MEMORY, MAPPED])
def test_a_limit_takes_the_first_images_of_every_store(two_stores, fraction):
    everything = images_of(two_stores)
    images = Images(two_stores, NETWORK_INPUT, max_memory_fraction=fraction, limit=9)
    assert len(images) == 9 + 7
    chosen = np.array([*range(9), *range(11, 18)])
    assert torch.equal(images.batch(np.arange(16)), everything.batch(chosen))
    assert everything.labels is not None
    np.testing.assert_array_equal(images.labels, everything.labels[chosen])


# Schedule and order


def schedule(step: int) -> float:
    return learning_rate_at(step, steps=110, warmup=10, learning_rate=1.0, min_learning_rate=0.2)


def test_the_learning_rate_warms_up_linearly_and_decays_as_half_a_cosine():
    assert [schedule(s) for s in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert schedule(10) == pytest.approx(1.0)
    assert schedule(35) == pytest.approx(0.2 + 0.8 * (1 + math.sqrt(0.5)) / 2)
    assert schedule(60) == pytest.approx(0.6)
    assert schedule(110) == pytest.approx(0.2)
    rates = [schedule(s) for s in range(111)]
    assert rates[:10] == sorted(set(rates[:10]))
    assert rates[10:] == sorted(set(rates[10:]), reverse=True)


def test_every_group_of_weights_gets_the_learning_rate_of_the_step():
    spec = schema.Optimization(**OPTIMIZATION)
    optimizer = optimizer_of(build_encoder(CNN, 16), spec)
    # 20 of 100 steps warm up to 1e-2.
    assert set_learning_rate(optimizer, spec, 9, 100) == pytest.approx(5e-3)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([5e-3, 5e-3])


def test_weight_decay_shrinks_matrices_and_leaves_biases_and_norms():
    model = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))
    before = copy.deepcopy(model.state_dict())
    optimizer = optimizer_of(model, schema.Optimization(**OPTIMIZATION))
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    after = model.state_dict()
    torch.testing.assert_close(after["0.weight"], before["0.weight"] * (1 - 1e-2 * 0.05))
    for name in ("0.bias", "1.weight", "1.bias"):
        assert torch.equal(after[name], before[name])


def test_muon_makes_the_updates_of_inner_matrices_orthogonal():
    """All singular values of an update are equal, whatever those of the gradient were."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 3))
    spec = schema.Optimization(**{**OPTIMIZATION, "weight_decay": 0.0}, optimizer="muon")
    optimizer = optimizer_of(model, spec)
    before = copy.deepcopy(model.state_dict())
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    moved = {name: value - before[name] for name, value in model.state_dict().items()}
    # Five iterations of Newton and Schulz leave singular values between 0.7 and 1.2 of their mean.
    inner = torch.linalg.svdvals(moved["1.weight"])
    assert inner.max() / inner.min() < 2
    for name in ("0.weight", "3.weight", "1.bias", "2.weight"):
        size = moved[name].abs()  # a first step of Adam is the gradient's sign
        torch.testing.assert_close(size, torch.full_like(size, float(size.mean())))


def test_muon_is_timms_but_for_its_precision():
    """The same steps as timm takes in bfloat16, which resolves 1 part in 256."""
    spec = schema.Optimization(**OPTIMIZATION, optimizer="muon")
    torch.manual_seed(0)
    convolution = nn.Conv2d(4, 8, 3)
    model = nn.Sequential(nn.Linear(6, 8), convolution, nn.Linear(24, 8), nn.Linear(8, 3))
    other = copy.deepcopy(model)
    ours = optimizer_of(model, spec)
    assert [len(group["params"]) for group in ours.param_groups] == [2, 2, 4]
    groups = optimizer_of(other, spec).param_groups
    kept = ("params", "use_fallback")
    theirs = TimmMuon(
        [{k: g[k] for k in kept if k in g} for g in groups],
        **{k: groups[0][k] for k in ("lr", "momentum", "nesterov", "betas", "weight_decay")},
    )
    theirs.param_groups[2]["weight_decay"] = 0.0
    for _ in range(3):
        for a, b in zip(model.parameters(), other.parameters(), strict=True):
            a.grad = torch.randn_like(a)
            b.grad = a.grad.clone()
        ours.step()
        theirs.step()
    for name, p in model.named_parameters():
        q = other.get_parameter(name)
        # Three steps of 1e-2 in weights of 0.1 to 0.4.
        torch.testing.assert_close(p, q, rtol=0, atol=3 * 1e-2 * 0.01, msg=name)


def test_muon_decays_matrices_and_leaves_biases_norms_and_tables_of_positions():
    vit = {"patch_size": 4, "embed_dim": 8, "depth": 2, "num_heads": 2, "mlp_ratio": 2.0}
    spec = encoder_schema.Vit(kind="vit", init_values=0.1, drop_path_rate=0.0, **vit)
    network = build_classifier(spec, img_size=16, num_classes=3, seed=0)
    optimizer = optimizer_of(network, schema.Optimization(**OPTIMIZATION, optimizer="muon"))
    inner, outer, others = (group["params"] for group in optimizer.param_groups)
    names = {id(p): name for name, p in network.named_parameters()}
    assert all(names[id(p)].startswith("encoder.blocks.") and p.ndim == 2 for p in inner)
    kept = {"encoder.pos_embed", "encoder.patch_embed.proj.weight", "head.weight"}
    assert {names[id(p)] for p in outer} == kept
    assert all(p.ndim == 1 for p in others)
    assert len(inner) + len(outer) + len(others) == len(names)
    decays = [group["weight_decay"] for group in optimizer.param_groups]
    assert decays == [0.05, 0.05, 0.0]


@given(n=st.integers(2, 60), batch_size=st.integers(1, 70), seed=st.integers(0, 2**31))
def test_an_epoch_sees_no_image_twice(n, batch_size, seed):
    order = BatchOrder(n, batch_size, seed)
    size = min(batch_size, n)
    assert order.per_epoch == n // size
    for epoch in range(3):
        steps = range(epoch * order.per_epoch, (epoch + 1) * order.per_epoch)
        batches = [order(step).tolist() for step in steps]
        seen = [i for batch in batches for i in batch]
        assert all(len(batch) == size for batch in batches)
        assert len(set(seen)) == len(seen) == n - n % size
        assert set(seen) <= set(range(n))


def test_epochs_see_every_image_in_different_orders():
    order = BatchOrder(24, 8, 0)
    epochs = [[i for s in range(3) for i in order(3 * e + s).tolist()] for e in range(4)]
    assert all(sorted(epoch) == list(range(24)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert BatchOrder(24, 8, 1)(0).tolist() != order(0).tolist()


def test_a_batch_follows_from_the_step_alone():
    straight, jumping = BatchOrder(20, 8, 3), BatchOrder(20, 8, 3)
    batches = [straight(step).tolist() for step in range(10)]
    for step in (9, 0, 5, 4, 9):
        assert jumping(step).tolist() == batches[step]


def test_what_a_small_epoch_leaves_out_differs_from_epoch_to_epoch():
    order = BatchOrder(10, 4, 0)
    left_out = {frozenset(range(10)) - {*order(2 * e), *order(2 * e + 1)} for e in range(6)}
    assert all(len(rest) == 2 for rest in left_out)
    assert len(left_out) > 1


def systems_of_three_classes(folder: Path, ids: list[list[int]]) -> Images:
    rng = np.random.default_rng(0)
    stores = [
        write_store(
            folder / f"{k}" / "train.zarr", noise(len(x), rng), truth={"system_id": np.array(x)}
        )
        for k, x in enumerate(ids)
    ]
    return images_of(stores)


def test_paired_batches_hold_every_system_once_per_class(tmp_path):
    ids = list(range(100, 110))
    images = systems_of_three_classes(tmp_path, [ids] * 3)
    order = batch_order(images, 8, seed=0, paired=True)
    # Two systems of three classes fit into eight images.
    assert (order.per_epoch, order.copies, order.images_per_batch) == (5, 3, 6)
    assert images.labels is not None
    assert images.system_id is not None
    for epoch in range(3):
        seen: list[int] = []
        for step in range(5 * epoch, 5 * epoch + 5):
            index = order(step)
            assert images.labels[index].tolist() == [0, 0, 1, 1, 2, 2]
            systems = images.system_id[index].tolist()
            assert systems[:2] == systems[2:4] == systems[4:]
            seen += systems[:2]
        assert sorted(seen) == ids


def test_batches_that_are_not_paired_draw_images_one_by_one(tmp_path):
    images = systems_of_three_classes(tmp_path, [[1, 2, 3]] * 3)
    order, plain = batch_order(images, 4, seed=2, paired=False), BatchOrder(9, 4, 2)
    assert (order.copies, order.images_per_batch) == (1, 4)
    assert [order(s).tolist() for s in range(6)] == [plain(s).tolist() for s in range(6)]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([[1, 2, 3], [1, 2, 3], [1, 2]], "the same number of images in every class"),
        ([[1, 2, 3], [1, 2, 3], [1, 3, 2]], "classes that share their lens systems"),
    ],
)
def test_classes_without_common_systems_cannot_be_paired(tmp_path, ids, message):
    with pytest.raises(ValueError, match=message):
        batch_order(systems_of_three_classes(tmp_path, ids), 6, seed=0, paired=True)


def test_one_image_is_too_few_to_train_on():
    with pytest.raises(ValueError, match="at least two images, got 1"):
        BatchOrder(1, 4, 0)


def test_random_numbers_of_a_step_depend_on_seed_step_and_purpose():
    def draw(*key: int) -> tuple[float, ...]:
        return tuple(torch.rand(4, generator=step_generator(*key)).tolist())

    keys = [(0, 0), (0, 1), (1, 0), (0, 0, 1), (2**31, 0)]
    assert len({draw(*key) for key in keys}) == len(keys)
    assert draw(3, 4, 1) == draw(3, 4, 1)


def test_averaged_weights_move_by_the_decay_and_counters_are_copied():
    average, model = build_encoder(CNN, 16), build_encoder(CNN, 16)
    for value in model.state_dict().values():
        value += 1
    before, target = copy.deepcopy(average.state_dict()), model.state_dict()
    WeightAverage(average, model).update(0.75)
    counters = 0
    for name, found in average.state_dict().items():
        if name.endswith("num_batches_tracked"):
            assert found.item() == 1
            counters += 1
        else:
            expected = 0.75 * before[name] + 0.25 * target[name]
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert counters == 4


# The loop


class Walk:
    """A task whose only weight is moved by torch's generator; remembers the steps it took."""

    def __init__(self, *, nan_at: int | None = None, die_at: int | None = None) -> None:
        self.nan_at, self.die_at = nan_at, die_at
        self.weight = torch.zeros(3)
        self.steps: list[int] = []

    def step(self, step: int) -> dict[str, float]:
        if step == self.die_at:
            raise Killed
        self.steps.append(step)
        self.weight = 0.9 * self.weight + torch.rand(3)
        loss = math.nan if step == self.nan_at else float(step)
        return {"loss": loss, "other": 1.0}

    def evaluate(self, step: int) -> dict[str, float]:
        return {"after": float(step)}

    def state_dict(self) -> dict[str, Any]:
        return {"weight": self.weight}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.weight = state["weight"]


class Killed(BaseException):
    """What ends a run in the middle of a step."""


def walk(task: Walk, folder: Path, *, steps: int = 10, made_of: str = "a") -> pd.DataFrame:
    return run_training(
        task, steps=steps, steps_per_evaluation=4, state=folder, made_of=made_of, label=""
    ).history


def test_the_history_has_mean_losses_between_evaluations_and_a_last_row(tmp_path):
    history = walk(Walk(), tmp_path)
    assert history.columns.tolist() == ["step", "loss", "other", "after"]
    assert history["step"].tolist() == [4, 8, 10]
    assert history["loss"].tolist() == [1.5, 5.5, 8.5]
    assert history["after"].tolist() == [4, 8, 10]


@pytest.mark.parametrize(("die_at", "resumes_at"), [(1, 0), (4, 4), (6, 4), (9, 8)])
def test_a_resumed_loop_goes_on_after_the_last_evaluation(tmp_path, die_at, resumes_at):
    torch.manual_seed(0)
    whole = Walk()
    expected = walk(whole, tmp_path / "whole")
    torch.manual_seed(0)
    with pytest.raises(Killed):
        walk(Walk(die_at=die_at), tmp_path / "killed")
    torch.manual_seed(0 if resumes_at == 0 else 99)  # a new process starts anywhere
    resumed = Walk()
    history = walk(resumed, tmp_path / "killed")
    assert resumed.steps == list(range(resumes_at, 10))
    assert torch.equal(resumed.weight, whole.weight)
    pd.testing.assert_frame_equal(history, expected, check_exact=True)


def test_a_finished_run_is_not_trained_again(tmp_path):
    expected = walk(Walk(), tmp_path)
    again = Walk()
    pd.testing.assert_frame_equal(walk(again, tmp_path), expected, check_exact=True)
    assert again.steps == []
    assert again.weight.any()


@pytest.mark.parametrize("nan_at", [0, 5])
def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_step(tmp_path, nan_at):
    task = Walk(nan_at=nan_at)
    with pytest.raises(FloatingPointError, match=rf"loss is nan at step {nan_at}\b"):
        walk(task, tmp_path)
    assert task.steps == list(range(nan_at + 1))


def test_the_last_good_state_outlives_a_loss_that_is_not_finite(tmp_path):
    with pytest.raises(FloatingPointError, match="state after step 4 is kept in") as caught:
        walk(Walk(nan_at=5), tmp_path)
    assert str(tmp_path) in str(caught.value)
    cured = Walk()
    walk(cured, tmp_path)
    assert cured.steps == list(range(4, 10))


@pytest.mark.parametrize("run", ["classifier", "adda"])
def test_a_loss_that_is_not_finite_names_the_images_of_its_batch(study, tmp_path, run):
    kind = {"classifier": ClassifierTask, "adda": AddaTask}[run]
    seen = {}

    def step(self: Any, step: int) -> dict[str, float]:
        seen["task"] = self
        return {"train_loss": math.nan if step == 1 else 0.5}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "step", step)
        with pytest.raises(FloatingPointError) as caught:
            (run_classifier if run == "classifier" else run_adda)(study, tmp_path)
    task = seen["task"]
    order = task.order if run == "classifier" else task.batches.target_order
    named = str(caught.value).split("batch: ")[1].split(";")[0].rstrip(")")
    assert {int(n) for n in re.findall(r"\d+", named)} >= set(order(1).tolist())


def test_a_classifier_with_broken_weights_stops_at_once(study, tmp_path):
    task = classifier_task(study)
    with torch.no_grad():
        task.model.head.bias[0] = torch.inf
    with pytest.raises(FloatingPointError, match=r"train_loss is (nan|inf) at step 0\b"):
        run_training(task, steps=3, steps_per_evaluation=1, state=tmp_path, made_of={}, label="")


def test_a_checkpoint_of_another_run_is_not_used(tmp_path):
    with pytest.raises(Killed):
        walk(Walk(die_at=6), tmp_path, made_of="a")
    assert load_checkpoint(tmp_path, "a") is not None
    assert load_checkpoint(tmp_path, "b") is None
    other = Walk()
    walk(other, tmp_path, made_of="b")
    assert other.steps == list(range(10))


def test_a_refused_checkpoint_is_told_from_its_own_by_what_differs(tmp_path, caplog):
    there = {"config": {"epochs": 3, "betas": [0.9, 0.95]}, "data": ["1a"], "seed": 0}
    save_checkpoint(tmp_path, there, {"done": 1})
    assert load_checkpoint(tmp_path, json.loads(json.dumps(there))) is not None
    assert not caplog.messages
    here = {"config": {"epochs": 4, "betas": [0.9, 0.95]}, "data": ["1a", "2b"], "seed": 0}
    assert load_checkpoint(tmp_path, here) is None
    (message,) = caplog.messages
    assert "config.epochs is 3 there, 4 here" in message
    assert 'data is ["1a"] there, ["1a", "2b"] here' in message
    assert "betas" not in message
    assert "seed" not in message


def test_fingerprints_follow_the_content_and_not_the_order_of_keys():
    content = {"a": 1, "b": [1.5, None]}
    assert fingerprint_of(content) == fingerprint_of({"b": [1.5, None], "a": 1})
    changed = [{"a": 2, "b": [1.5, None]}, {"a": 1, "b": [None, 1.5]}, {"a": 1}]
    assert len({fingerprint_of(c) for c in [content, *changed]}) == 4


# Checkpoints


class Trap:
    """Unpickling this makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable, tuple]:
        return os.mkdir, (str(self.folder),)


def test_the_trap_would_close_on_a_naive_reader(tmp_path):
    pickle.loads(pickle.dumps(Trap(tmp_path / "trapped")))
    assert (tmp_path / "trapped").exists()


@pytest.mark.parametrize("disguise", ["pickle", "torch"])
def test_a_pickle_in_disguise_is_never_run(tmp_path, disguise):
    content = {"made_of": "a", "task": Trap(tmp_path / "trapped")}
    if disguise == "pickle":
        (tmp_path / FILE).write_bytes(pickle.dumps(content))
    else:
        torch.save(content, tmp_path / FILE)
    assert nothing_is_loaded(tmp_path)
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_checkpoint_is_not_used(tmp_path, share):
    save_checkpoint(tmp_path, "a", {"task": torch.arange(1000.0), "done": 1})
    assert load_checkpoint(tmp_path, "a") is not None
    content = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(content[: int(share * len(content))])
    assert nothing_is_loaded(tmp_path)


def nothing_is_loaded(folder: Path) -> bool:
    """Refused or ignored: both are safe."""
    try:
        return load_checkpoint(folder, "a") is None
    except Exception:
        return True


def test_a_checkpoint_survives_a_write_that_fails(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, "a", {"done": 1})

    def fail(content: object, stream: Any) -> None:
        stream.write(b"half of it")
        raise OSError("disk is full")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="disk is full"):
        save_checkpoint(tmp_path, "a", {"done": 2})
    monkeypatch.undo()
    loaded = load_checkpoint(tmp_path, "a")
    assert loaded is not None
    assert loaded["done"] == 1
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


# Weights


def test_weights_files_are_reproducible_bytes(tmp_path):
    weights = {"b": torch.arange(6.0).reshape(2, 3), "a": torch.ones(2)}
    save_weights(tmp_path / "1", weights, {"x": 1, "y": {"p": 2, "q": 3}})
    transposed = weights["b"].T.contiguous().T  # equal, but in another order in memory
    again = {"a": weights["a"].clone(), "b": transposed}
    save_weights(tmp_path / "2", again, {"y": {"q": 3, "p": 2}, "x": 1})
    assert not transposed.is_contiguous()
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    save_weights(tmp_path / "3", weights, {"x": 2})
    assert (tmp_path / "1").read_bytes() != (tmp_path / "3").read_bytes()
    assert same_weights(load_file(tmp_path / "2"), weights)


def test_metadata_of_weights_is_one_line_of_json(study):
    with safe_open(study.weights["cnn"], "pt") as file:
        metadata = file.metadata()
    assert list(metadata) == ["lensml"]
    assert json.loads(metadata["lensml"])["encoder"] == CNN.model_dump()


def test_weights_of_another_architecture_are_refused_in_one_line(study):
    wider = encoder_schema.Cnn(kind="cnn", widths=[4, 9])
    deeper = encoder_schema.Cnn(kind="cnn", widths=[4, 8, 8])
    for spec in (wider, deeper, STEM):
        network = build_classifier(spec, img_size=16, num_classes=2, seed=0)
        message = refusal(Path(study.weights["cnn"]), network)
        assert "cannot be loaded" in message


def test_files_that_are_not_weights_are_refused_in_one_line(study, tmp_path):
    network = build_classifier(CNN, img_size=16, num_classes=2, seed=0)
    content = Path(study.weights["cnn"]).read_bytes()
    files = {"empty": b"", "text": b"not weights at all", "truncated": content[:-1]}
    for name, damaged in files.items():
        (tmp_path / name).write_bytes(damaged)
        refusal(tmp_path / name, network)
    refusal(tmp_path / "missing", network)


def refusal(path: Path, network: nn.Module) -> str:
    with pytest.raises(ValueError, match=str(path)) as caught:
        load_weights(path, network)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


# Whole runs, killed and resumed


def classifier_task(
    study: Study, spec: encoder_schema.Encoder = CNN, **changes: Any
) -> ClassifierTask:
    options: dict[str, Any] = {
        "spec": CLASSIFIER,
        "steps": 15,
        "seed": 0,
        "symmetry": "square",
        "label_smoothing": 0.0,
        "ema_decay": 0.9,
        "paired": True,
        "device": CPU,
    }
    return ClassifierTask(
        build_classifier(spec, img_size=16, num_classes=2, seed=0),
        images_of(study.train),
        images_of(study.validation),
        **(options | changes),
    )


def run_classifier(study: Study, folder: Path, *, seed: int = 0, **changes: Any) -> None:
    train_classifier(
        study.train,
        study.validation,
        results_in(folder),
        encoder=STEM,
        classifier=CLASSIFIER.model_copy(update=changes),
        symmetry="square",
        setting=setting(folder, seed=seed),
    )


def run_adda(
    study: Study,
    folder: Path,
    *,
    encoder: encoder_schema.Encoder = STEM,
    weights: str | None = None,
    pool: str | None = None,
    adda: adaptation_schema.Adda = ADDA,
) -> None:
    adapt_adda(
        study.train,
        pool or study.pool,
        weights or study.weights[encoder.kind],
        results_in(folder),
        encoder=encoder,
        adda=adda,
        adabn=ADABN,
        num_classes=2,
        symmetries=("square", "flips"),
        setting=setting(folder),
    )


def run_stabilised_adda(study: Study, folder: Path) -> None:
    changes = {"spectral_norm": True, "gradient_penalty": 1.0}
    run_adda(study, folder, adda=ADDA.model_copy(update=changes))


def run_mae(study: Study, folder: Path, **changes: Any) -> None:
    train_mae(
        study.train[0],
        study.validation[0],
        results_in(folder),
        mae=MAE.model_copy(update=changes),
        symmetry="square",
        setting=setting(folder),
    )


def run_autoencoder(study: Study, folder: Path, *, method: AutoencoderMethod) -> None:
    train_autoencoder(
        study.train[0],
        study.validation[0],
        results_in(folder),
        method=method,
        autoencoder=AUTOENCODER,
        symmetry="square",
        setting=setting(folder),
    )


def die_at(monkeypatch: pytest.MonkeyPatch, task: type, at: int) -> list[int]:
    """Make the task's step ``at`` raise once; returns the list of the steps that are taken."""
    original, taken = task.step, []
    remaining = [at]

    def step(self: Any, step: int) -> dict[str, float]:
        if step in remaining:
            remaining.remove(step)
            raise Killed
        taken.append(step)
        return original(self, step)

    monkeypatch.setattr(task, "step", step)
    return taken


def run_unpaired(study: Study, folder: Path) -> None:
    run_classifier(study, folder, paired_batches=False)


def run_muon(study: Study, folder: Path) -> None:
    run_classifier(study, folder, optimizer="muon")


def run_muon_mae(study: Study, folder: Path) -> None:
    run_mae(study, folder, optimizer="muon", loss="chi2")


RUNS = [
    # 40 images in batches of 8, evaluated every 3 of 15 steps
    pytest.param(run_classifier, ClassifierTask, 10, 9, 15, id="classifier"),
    pytest.param(run_unpaired, ClassifierTask, 10, 9, 15, id="unpaired"),
    pytest.param(run_muon, ClassifierTask, 10, 9, 15, id="muon"),
    # evaluated every 2 of 40 steps
    pytest.param(run_adda, AddaTask, 27, 26, 40, id="adda"),
    pytest.param(run_stabilised_adda, AddaTask, 27, 26, 40, id="stabilised_adda"),
    # 20 images in batches of 8, evaluated every 2 of 8 steps
    pytest.param(run_mae, MaeTask, 5, 4, 8, id="mae"),
    pytest.param(run_muon_mae, MaeTask, 5, 4, 8, id="muon_mae"),
    *[
        pytest.param(partial(run_autoencoder, method=m), AutoencoderTask, 5, 4, 8, id=m)
        for m in get_args(AutoencoderMethod)
    ],
]


@pytest.mark.parametrize(("run", "task", "at", "resumes_at", "steps"), RUNS)
def test_a_killed_and_resumed_run_is_bit_identical(
    study, tmp_path, monkeypatch, run, task, at, resumes_at, steps
):
    run(study, tmp_path / "whole")
    taken = die_at(monkeypatch, task, at)
    with pytest.raises(Killed):
        run(study, tmp_path / "killed")
    assert (tmp_path / "killed" / "state" / FILE).exists()
    assert not (tmp_path / "killed" / "weights.safetensors").exists()
    taken.clear()
    torch.manual_seed(99)  # a new process starts anywhere
    run(study, tmp_path / "killed")
    assert taken == list(range(resumes_at, steps))
    assert_same_results(tmp_path / "killed", tmp_path / "whole")
    assert not (tmp_path / "killed" / "state").exists()


def assert_same_results(a: Path, b: Path) -> None:
    for name in ("weights.safetensors", "history.csv"):
        assert (a / name).read_bytes() == (b / name).read_bytes(), name


def run_and_die_while_saving(run: Any, study: Study, folder: str) -> None:
    """Kill this process with half of the third checkpoint written."""
    original, saves = torch.save, [0]

    def save(content: Any, stream: Any) -> None:
        saves[0] += 1
        if saves[0] == 3:
            stream.write(b"half of a checkpoint")
            stream.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        original(content, stream)

    torch.save = save  # type: ignore[assignment]
    run(study, Path(folder))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("run", "task", "remaining"),
    [
        (run_classifier, ClassifierTask, range(6, 15)),  # checkpoints of three steps each
        (run_stabilised_adda, AddaTask, range(4, 40)),  # of two
        (run_muon_mae, MaeTask, range(4, 8)),  # of two
    ],
)
def test_a_process_killed_while_saving_resumes_bit_identically(
    study, tmp_path, monkeypatch, run, task, remaining
):
    run(study, tmp_path / "whole")
    killed = tmp_path / "killed"
    process = multiprocessing.get_context("spawn").Process(
        target=run_and_die_while_saving, args=(run, study, str(killed))
    )
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    assert (killed / "state" / FILE).exists()
    assert not (killed / "weights.safetensors").exists()
    taken = die_at(monkeypatch, task, -1)
    run(study, killed)
    assert taken == list(remaining)  # two checkpoints were whole
    assert_same_results(killed, tmp_path / "whole")
    assert not (killed / "state").exists()


@pytest.mark.parametrize("change", [{"seed": 1}, {"epochs": 4}, {"learning_rate": 2e-2}])
def test_another_configuration_does_not_resume_a_killed_run(study, tmp_path, monkeypatch, change):
    taken = die_at(monkeypatch, ClassifierTask, 9)
    with pytest.raises(Killed):
        run_classifier(study, tmp_path)
    taken.clear()
    run_classifier(study, tmp_path, **change)
    assert taken[0] == 0


def test_another_dataset_does_not_resume_a_killed_run(study, tmp_path, monkeypatch):
    taken = die_at(monkeypatch, ClassifierTask, 9)
    with pytest.raises(Killed):
        run_classifier(study, tmp_path)
    taken.clear()
    other = [
        write_store(tmp_path / f"{k}" / "train.zarr", noise(20, np.random.default_rng(k)))
        for k in range(2)
    ]
    run_classifier(study._replace(train=other), tmp_path)
    assert taken[0] == 0


def run_oracle(study: Study, folder: Path, *, weights: str) -> None:
    train_oracle(
        study.train,
        study.validation,
        weights,
        results_in(folder),
        encoder=STEM,
        classifier=CLASSIFIER,
        oracle=ORACLE,
        symmetry="square",
        setting=setting(folder),
    )


@pytest.mark.parametrize(("run", "task"), [(run_adda, AddaTask), (run_oracle, ClassifierTask)])
def test_other_source_weights_do_not_resume_a_killed_run(study, tmp_path, monkeypatch, run, task):
    run_classifier(study, tmp_path / "other", seed=1)
    other = results_in(tmp_path / "other").weights
    taken = die_at(monkeypatch, task, 3)
    with pytest.raises(Killed):
        run(study, tmp_path / "killed", weights=study.weights["vit_conv_stem"])
    taken.clear()
    run(study, tmp_path / "killed", weights=other)
    assert taken[0] == 0


# What a run records


def test_a_run_records_what_it_was_made_of(study, tmp_path):
    run_classifier(study, tmp_path, seed=7)
    run = json.loads((tmp_path / "run.json").read_text())
    assert run["seed"] == 7
    assert run["config"]["encoder"] == STEM.model_dump()
    assert run["config"]["network_input"] == NETWORK_INPUT.model_dump()
    recipe = CLASSIFIER.model_dump(exclude={"domains", "encoders", "seeds"})
    assert run["config"]["classifier"] == recipe
    assert torch.__version__.startswith(run["versions"]["torch"])
    assert run["versions"]["lensml"] != "not installed"
    assert {"python", "timm", "numpy", "zarr"} <= run["versions"].keys()
    assert run["device"].startswith("cpu")
    assert run["threads"] == 1
    assert run["data"] == data_fingerprint([*study.train, *study.validation])
    assert run["seconds"] > 0
    assert run["images_per_second"] > 0
    assert "git_commit" in run
    assert run["weights"] == "weights.safetensors"


def test_the_history_of_a_classifier_has_a_row_per_evaluation(study, tmp_path):
    run_classifier(study, tmp_path)
    history = pd.read_csv(tmp_path / "history.csv")
    assert history["step"].tolist() == [3, 6, 9, 12, 15]
    np.testing.assert_allclose(history["epoch"], history["step"] / 5)
    expected = [
        learning_rate_at(s - 1, steps=15, warmup=3, learning_rate=1e-2, min_learning_rate=1e-4)
        for s in history["step"]
    ]
    np.testing.assert_allclose(history["learning_rate"], expected)


@pytest.mark.parametrize("available", [False, True])
def test_the_device_is_what_was_asked_for(monkeypatch, available):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)

    def device(name: str) -> str:
        compute = schema.Compute(device=name, threads=1, max_memory_fraction=0.5)  # type: ignore[arg-type]
        return prepare_device(compute).type

    assert device("cpu") == "cpu"
    assert device("auto") == ("cuda" if available else "cpu")
    if available:
        assert device("cuda") == "cuda"
    else:
        with pytest.raises(ValueError, match="torch sees no GPU here"):
            device("cuda")


# The classifier


def test_the_weights_with_the_best_validation_auc_are_kept(study, monkeypatch):
    task = classifier_task(study)
    areas = iter([0.6, 0.9, 0.7, 0.9])
    monkeypatch.setattr(classifier_module, "macro_auc", lambda *_: next(areas))
    averages = []
    for step in range(4):
        task.step(step)
        task.evaluate(step + 1)
        averages.append(copy.deepcopy(task.average.state_dict()))
    assert same_weights(task.best, averages[1])
    assert not same_weights(task.best, averages[3])


def test_validation_is_the_loss_and_auc_of_the_averaged_weights(study):
    task = classifier_task(study)
    for step in range(5):
        task.step(step)
    row = task.evaluate(5)
    labels = task.validation.labels
    assert labels is not None
    with torch.no_grad():
        logits = task.average.eval()(task.validation.batch(np.arange(24)))
    losses, probability = [], []
    for i in range(24):
        exponent = [math.exp(v) for v in logits[i].tolist()]
        probability.append(exponent[1] / sum(exponent))
        losses.append(-math.log(exponent[labels[i]] / sum(exponent)))
    assert row["val_loss"] == pytest.approx(sum(losses) / 24, rel=1e-5)
    assert row["val_roc_auc_ovr_macro"] == pytest.approx(roc_auc_score(labels, probability))


def test_macro_auc_is_the_mean_of_one_against_the_rest():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 60)
    p = rng.dirichlet(np.ones(3) + 2 * np.eye(3)[0], 60)
    pairs = []
    for k in range(3):
        yes, no = p[labels == k, k], p[labels != k, k]
        pairs.append(np.mean([(a > b) + (a == b) / 2 for a in yes for b in no]))
    assert macro_auc(labels, p) == pytest.approx(np.mean(pairs))
    assert macro_auc(labels, p) == pytest.approx(
        roc_auc_score(labels, p, multi_class="ovr", average="macro")
    )


def test_predictions_are_probabilities_averaged_over_the_symmetries(study):
    model = build_classifier(STEM, img_size=16, num_classes=2, seed=0)
    load_weights(study.weights["vit_conv_stem"], model)
    images = images_of(study.train)
    p = predict_probabilities(model, images, symmetry="square")
    assert p.shape == (40, 2)
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-6)
    x = images.batch(np.arange(40))
    with torch.no_grad():
        passes = [model(transform(x, e)).softmax(1).numpy() for e in SYMMETRIES["square"]]
    np.testing.assert_allclose(p, np.mean(passes, axis=0), rtol=0, atol=2e-6)
    alone = predict_probabilities(model, images, symmetry="none")
    assert np.abs(alone - p).max() > 2e-5


def learn(folder: Path, stores: dict[str, list[str]]) -> tuple[float, int]:
    """AUC on test images, and how many of each class there are."""
    results = results_in(folder)
    train_classifier(
        stores["train"],
        stores["val"],
        results,
        encoder=CNN,
        classifier=CLASSIFIER.model_copy(update={"epochs": 6}),
        symmetry="square",
        setting=setting(folder),
    )
    network = build_classifier(CNN, img_size=16, num_classes=2, seed=0)
    load_weights(results.weights, network)
    test = images_of(stores["test"])
    p = predict_probabilities(network, test, symmetry="square")
    assert test.labels is not None
    return float(roc_auc_score(test.labels, p[:, 1])), len(test) // 2


def problem(folder: Path, *, shuffled: bool) -> dict[str, list[str]]:
    """Faint spots against background; shuffled, images belong to either class by chance."""
    rng = np.random.default_rng(3)
    stores = {}
    for split, n in (("train", 80), ("val", 40), ("test", 80)):
        images = np.concatenate([noise(n, rng), blobs(n, rng, peak=0.5)])
        images = rng.permutation(images) if shuffled else images
        stores[split] = [
            write_store(folder / name / f"{split}.zarr", part)
            for name, part in zip(("a", "b"), np.split(images, 2), strict=True)
        ]
    return stores


def test_the_classifier_learns_an_easy_problem(tmp_path):
    area, _ = learn(tmp_path, problem(tmp_path, shuffled=False))
    assert area > 0.95


def test_the_classifier_learns_nothing_from_shuffled_labels(tmp_path):
    area, n = learn(tmp_path, problem(tmp_path, shuffled=True))
    # Standard error of the Mann-Whitney statistic when classes do not differ.
    error = math.sqrt((2 * n + 1) / (12 * n * n))
    assert abs(area - 0.5) < 4 * error


def test_the_autoencoder_learns_to_fill_in_what_is_smooth(tmp_path):
    rng = np.random.default_rng(0)
    level = rng.uniform(0, 5, (64, 1, 1))
    train, validation = (
        write_store(tmp_path / f"{k}.zarr", level + noise(64, rng)) for k in ("train", "val")
    )
    spec = MAE.model_copy(update={"epochs": 20})
    results = results_in(tmp_path)
    train_mae(train, validation, results, mae=spec, symmetry="square", setting=setting(tmp_path))
    loss = pd.read_csv(results.history)["val_loss"]
    assert loss.iloc[-1] < 0.1 * images_of([validation]).batch(np.arange(64)).var().item()
    model = MaskedAutoencoder(spec, 16)
    load_weights(results.weights, model)


def test_errors_in_units_of_noise_come_down_to_it(tmp_path):
    rng = np.random.default_rng(0)
    level = rng.uniform(0, 5, (64, 1, 1))

    def seen(name: str) -> str:
        variance = RMS**2 + level / EXPOSURE
        return write_store(tmp_path / name, level + rng.normal(0, np.sqrt(variance), (64, 16, 16)))

    spec = MAE.model_copy(update={"epochs": 40, "loss": "chi2"})
    results = results_in(tmp_path)
    stores = seen("train.zarr"), seen("val.zarr")
    train_mae(*stores, results, mae=spec, symmetry="square", setting=setting(tmp_path))
    loss = pd.read_csv(results.history)["val_loss"]
    # An image without structure is known but for its noise, of which 1 is left.
    assert 0.95 < loss.iloc[-1] < 1.5
    assert loss.iloc[0] > 10


# Adaptation


def adda_task(study: Study, spec: encoder_schema.Encoder = CNN, **changes: Any) -> AddaTask:
    return AddaTask(
        source_encoder(study, spec),
        images_of(study.train),
        images_of([study.pool], labelled=False),
        spec=ADDA.model_copy(update=changes),
        seed=0,
        source_symmetry="none",
        target_symmetry="none",
        device=CPU,
    )


def test_adaptation_refuses_target_images_with_labels(study):
    labelled = images_of(study.target)
    with pytest.raises(ValueError, match="must not see target labels"):
        AddaTask(
            source_encoder(study, CNN),
            images_of(study.train),
            labelled,
            spec=ADDA,
            seed=0,
            source_symmetry="none",
            target_symmetry="none",
            device=CPU,
        )


def test_a_pool_holds_images_and_their_background_and_no_other_truth(study):
    pool = open_store(study.pool)
    assert set(pool.truth) == {"background_rms"}
    assert pool.perturbers == {}
    assert len(pool.perturber_offset) == 0
    assert "substructure" not in pool.attributes
    assert "config" not in pool.attributes
    labelled = np.concatenate([open_store(path).image.load() for path in study.target])
    assert len(pool) == len(labelled)
    assert sorted(x.tobytes() for x in pool.image.load()) == sorted(x.tobytes() for x in labelled)
    images = images_of([study.pool], labelled=False)
    assert images.labels is None
    assert images.system_id is None


def test_a_pool_mixes_the_classes(study):
    pool = open_store(study.pool).image.load()
    first = {x.tobytes() for x in open_store(study.target[0]).image.load()}
    order = [x.tobytes() in first for x in pool]
    runs = 1 + sum(a != b for a, b in itertools.pairwise(order))
    # Runs of 24 + 24 shuffled labels: 25 +- 3.4 (Wald-Wolfowitz); unmixed, there would be 2.
    assert abs(runs - 25) < 4 * 3.4


def files_of(store: str) -> dict[str, bytes]:
    folder = Path(store)
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("split_at", [24, 7, 40])
@pytest.mark.parametrize("names", [("no_sub", "cdm"), ("cdm", "no_sub")])
def test_adapted_weights_do_not_depend_on_which_class_an_image_belongs_to(
    study, tmp_path, split_at, names
):
    """The same images in the same order, divided into classes elsewhere and named otherwise."""
    images = np.concatenate([open_store(path).image.load() for path in study.target])
    truth = {"m_sub_total": np.arange(48.0), "theta_E": np.random.default_rng(0).random(48)}
    stores = [
        write_store(
            tmp_path / name / "train.zarr",
            images[part],
            substructure=name,
            truth={k: v[part] for k, v in truth.items()} if k else None,
        )
        for k, (name, part) in enumerate(
            zip(names, (slice(0, split_at), slice(split_at, 48)), strict=True)
        )
    ]
    pool = tmp_path / "pool" / "train.zarr"
    pool_unlabelled(pool, stores, seed=1)
    assert files_of(str(pool)) == files_of(study.pool)
    adda = ADDA.model_copy(update={"steps": 10})
    run_adda(study, tmp_path / "here", encoder=CNN, pool=str(pool), adda=adda)
    run_adda(study, tmp_path / "there", encoder=CNN, adda=adda)
    assert_same_results(tmp_path / "here", tmp_path / "there")


@pytest.mark.parametrize("batch_norm", ["source", "target"])
def test_adaptation_changes_the_target_encoder_alone(study, batch_norm):
    task = adda_task(study, STEM, batch_norm=batch_norm, warmup_steps=0)
    before = copy.deepcopy(task.source_encoder.state_dict())
    for step in range(5):
        task.step(step)
    assert same_weights(task.source_encoder.state_dict(), before)
    assert not any(p.requires_grad for p in task.source_encoder.parameters())
    for name, after in task.target_encoder.named_parameters():
        assert not torch.equal(after, before[name]), name


def test_the_discriminator_learns_alone_while_it_warms_up(study):
    task = adda_task(study, STEM, warmup_steps=3)
    encoder, average = (dict(m.named_parameters()) for m in (task.target_encoder, task.average))
    discriminator = dict(task.discriminator.named_parameters())
    start = [{k: v.detach().clone() for k, v in d.items()} for d in (encoder, average)]
    for step in range(3):
        before = {k: v.detach().clone() for k, v in discriminator.items()}
        task.step(step)
        assert all(not torch.equal(before[name], discriminator[name]) for name in before)
    assert same_weights(encoder, start[0])  # type: ignore[arg-type]
    assert same_weights(average, start[1])  # type: ignore[arg-type]
    task.step(3)
    assert not same_weights(encoder, start[0])  # type: ignore[arg-type]
    assert not same_weights(average, start[1])  # type: ignore[arg-type]


def test_adaptation_keeps_the_head_of_the_classifier(study, tmp_path):
    run_adda(study, tmp_path)
    source = load_file(study.weights["vit_conv_stem"])
    adapted = load_file(tmp_path / "weights.safetensors")
    assert source.keys() == adapted.keys()
    for name in ("head.weight", "head.bias"):
        assert torch.equal(source[name], adapted[name])
    changed = [name for name in source if not torch.equal(source[name], adapted[name])]
    assert any(name.startswith("encoder.blocks") for name in changed)


@pytest.mark.parametrize("warmup_steps", [0, 1])
def test_the_first_step_has_the_losses_of_the_paper(study, warmup_steps):
    task = adda_task(study, warmup_steps=warmup_steps)
    source = task.batches.source.batch(task.batches.source_order(0))
    target = task.batches.target.batch(task.batches.target_order(0))
    discriminator = copy.deepcopy(task.discriminator)
    with torch.no_grad():
        # Batch norm keeps the source's statistics, so evaluation gives the embedding of training.
        embedded_source, embedded_target = (task.source_encoder(x) for x in (source, target))
        logit_s, logit_t = discriminator(embedded_source), discriminator(embedded_target)
    found = task.step(0)

    def cross_entropy(logit: float, goal: float) -> float:
        p = 1 / (1 + math.exp(-logit))
        return -goal * math.log(p) - (1 - goal) * math.log(1 - p)

    smooth = ADDA.label_smoothing
    losses = [cross_entropy(v, smooth) for v in logit_s.tolist()]
    losses += [cross_entropy(v, 1 - smooth) for v in logit_t.tolist()]
    assert found["discriminator_loss"] == pytest.approx(np.mean(losses), rel=1e-4)
    hits = [v < 0 for v in logit_s.tolist()] + [v >= 0 for v in logit_t.tolist()]
    assert found["discriminator_accuracy"] == pytest.approx(np.mean(hits))
    # The encoder is trained against the discriminator that has just learned: label 0, inverted.
    with torch.no_grad():
        deceived = [cross_entropy(v, 0.0) for v in task.discriminator(embedded_target).tolist()]
    assert found["encoder_loss"] == pytest.approx(np.mean(deceived), rel=1e-4)


def test_spectral_norm_bounds_the_slope_of_the_discriminator():
    torch.manual_seed(0)
    made = Discriminator(torch.zeros(6), torch.ones(6), 16, spectral_norm=True)
    with torch.no_grad():
        for layer in (made.layers[0], made.layers[2], made.layers[4]):
            layer.parametrizations.weight.original.mul_(20)  # type: ignore[union-attr]
        for _ in range(100):  # of the power iteration, in training
            made(torch.zeros(2, 6))
    made.eval()
    x = torch.randn(500, 6)
    slope = (made(x) - made(x.roll(1, 0))).abs() / (x - x.roll(1, 0)).norm(dim=1)
    assert slope.max() < 1.01
    assert slope.max() > 0.05


def test_a_gradient_penalty_flattens_the_discriminator(study):
    def slope(weight: float) -> float:
        task = adda_task(study, gradient_penalty=weight, warmup_steps=39)
        for step in range(39):
            task.step(step)
        x = embed(task.source_encoder, task.batches.source, np.arange(len(task.batches.source)))
        with torch.enable_grad():
            penalty = task._gradient_penalty(x.clone())
            x = x.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(task.discriminator(x).sum(), x)
        # By the chain rule: a step of one standard deviation.
        by_hand = (gradient * task.discriminator.std).square().sum(1).mean()
        assert penalty.item() == pytest.approx(by_hand.item(), rel=1e-4)
        return penalty.item()

    assert slope(10.0) < 0.5 * slope(0.0)


def test_adaptation_brings_the_embeddings_together(study):
    # A discriminator that learns much faster than the encoder: the game does not oscillate.
    task = adda_task(
        study,
        batch_size=16,
        warmup_steps=20,
        learning_rate_encoder=3e-4,
        learning_rate_discriminator=0.1,
    )

    def distance() -> float:
        source = embed(
            task.source_encoder, task.batches.source, np.arange(len(task.batches.source))
        )
        target = embed(task.average, task.batches.target, np.arange(len(task.batches.target)))
        shift = (source.mean(0) - target.mean(0)) / task.discriminator.std
        return shift.square().mean().sqrt().item()

    before = distance()
    for step in range(120):
        task.step(step)
    assert distance() < 0.5 * before  # 0.12 to 0.35 over twelve other seeds


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


def test_the_oracle_starts_from_the_source_classifier(study, tmp_path, monkeypatch):
    """With a learning rate of almost zero it ends where it began."""
    oracle = ORACLE.model_copy(update={"learning_rate": 1e-12, "min_learning_rate": 0.0})
    results = results_in(tmp_path)
    train_oracle(
        study.target,
        study.target,
        study.weights["cnn"],
        results,
        encoder=CNN,
        classifier=CLASSIFIER,
        oracle=oracle,
        symmetry="square",
        setting=setting(tmp_path),
    )
    source, trained = load_file(study.weights["cnn"]), load_file(results.weights)
    for name in ("head.weight", "encoder.layers.0.weight"):
        torch.testing.assert_close(trained[name], source[name], rtol=1e-5, atol=1e-7)


def test_pools_are_in_units_of_the_background(study):
    assert open_store(study.pool).truth["background_rms"].tolist() == [RMS] * 48
