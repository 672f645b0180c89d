"""ADDA is watched without labels, and without a trace in its weights."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
import torch
from toy.runs import CPU, Killed, die_at, run_adda, same_weights, source_encoder
from toy.study import ADDA, STEM, Study, images_of

from lensml.models.encoders import build_classifier
from lensml.training.adaptation.adda import AddaTask
from lensml.training.adaptation.watch import Watch, complaint
from lensml.training.engine.checkpoint import load_weights
from lensml.training.engine.execution import FLOAT32
from lensml.training.engine.prediction import predict_probabilities

pytestmark = pytest.mark.usefixtures("one_torch_thread")

COLUMNS = ["im", "logit_spread", "mmd", "share_0", "share_1"]


def task_of(study: Study, *, watched: bool) -> AddaTask:
    network = build_classifier(STEM, img_size=16, num_classes=2, seed=0)
    load_weights(study.weights[STEM.kind], network)
    return AddaTask(
        network.encoder,
        images_of(study.train),
        images_of([study.pool], labelled=False),
        spec=ADDA,
        seed=0,
        source_symmetry="square",
        target_symmetry="flips",
        device=CPU,
        head=network.head if watched else None,
    )


def test_watching_leaves_no_trace_in_the_weights(study):
    """Paths are dropped at random in training: a number drawn in between would change them."""
    tasks = []
    for watched in (False, True):
        task = task_of(study, watched=watched)
        for step in range(12):
            task.step(step)
            assert bool(task.evaluate(step + 1)) == watched
        tasks.append(task)
    for name in ("target_encoder", "average", "discriminator"):
        states = [getattr(task, name).state_dict() for task in tasks]
        assert same_weights(*states), name
    assert tasks[1].target_encoder.training


def test_the_history_says_what_is_known_without_labels(study, tmp_path):
    run_adda(study, tmp_path)
    history = pd.read_csv(tmp_path / "history.csv")
    assert set(COLUMNS) <= set(history.columns)
    np.testing.assert_allclose(history["share_0"] + history["share_1"], 1)
    im = history["im"].to_numpy(float)
    assert ((im >= 0) & (im <= np.log(2))).all()
    assert history["logit_spread"].to_numpy(float).min() > 0


def test_what_is_watched_is_the_classifier_that_is_kept(study):
    task = task_of(study, watched=True)
    for step in range(8):
        task.step(step)
    found = task.evaluate(8)
    network = build_classifier(STEM, img_size=16, num_classes=2, seed=0)
    load_weights(study.weights[STEM.kind], network)
    network.encoder.load_state_dict(task.average.state_dict())
    pool = images_of([study.pool], labelled=False)  # of fewer images than are watched
    p = predict_probabilities(network, pool, symmetry="none")
    assert found["share_0"] == pytest.approx((p.argmax(1) == 0).mean())
    mean = p.mean(0)
    im = -(mean * np.log(mean)).sum() + (p * np.log(p)).sum(1).mean()
    assert found["im"] == pytest.approx(im, abs=1e-5)


def test_domains_that_are_one_have_the_same_spread_and_no_distance(study):
    encoder = source_encoder(study, STEM).eval()
    network = build_classifier(STEM, img_size=16, num_classes=2, seed=0)
    load_weights(study.weights[STEM.kind], network)
    source = images_of(study.train)
    watch = Watch(network.head.eval(), encoder, source, source, seed=0, execution=FLOAT32)
    found = watch.measure(encoder)
    assert found["logit_spread"] == pytest.approx(1)
    assert found["mmd"] == pytest.approx(0, abs=1e-9)


def test_a_killed_and_resumed_run_has_the_same_history(study, tmp_path, monkeypatch):
    run_adda(study, tmp_path / "whole")
    die_at(monkeypatch, AddaTask, 27)
    with pytest.raises(Killed):
        run_adda(study, tmp_path / "killed")
    torch.manual_seed(99)
    run_adda(study, tmp_path / "killed")
    for name in ("weights.safetensors", "history.csv"):
        whole = (tmp_path / "whole" / name).read_bytes()
        assert (tmp_path / "killed" / name).read_bytes() == whole


def history(spread: float, accuracy: list[float]) -> pd.DataFrame:
    n = len(accuracy)
    return pd.DataFrame(
        {
            "step": [10 * (k + 1) for k in range(n)],
            "discriminator_accuracy": accuracy,
            "logit_spread": [1.0] * (n - 1) + [spread],
        }
    )


def test_saturated_logits_are_complained_of():
    found = complaint(history(0.04, [0.7, 0.6]), 10)
    assert found is not None
    assert "0.04 of the spread" in found
    assert "saturated: harmonise first" in found
    assert complaint(history(0.2, [0.7, 0.6]), 10) is None


def test_a_discriminator_that_is_always_right_is_complained_of():
    found = complaint(history(0.9, [0.6, 0.999, 0.995]), 10)
    assert found is not None
    assert "never right less than 99.5% of the time" in found
    # While it warms up nothing is learned from it, and one good row is enough.
    assert complaint(history(0.9, [0.999, 0.98, 1.0]), 10) is None
    assert complaint(history(0.9, [0.999]), 10) is None


def test_a_complaint_is_one_line_of_the_log(study, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("lensml.training.adaptation.watch.SATURATED", 1e9)
    with caplog.at_level(logging.WARNING):
        run_adda(study, tmp_path)
    (record,) = [r for r in caplog.records if "harmonise first" in r.message]
    assert record.levelno == logging.WARNING
    assert "\n" not in record.message
    assert record.message.startswith("toy: ")
