"""Snapshots of the encoder during adaptation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from sklearn.linear_model import LogisticRegression
from toy.stores import setting
from toy.study import ADABN, ADDA, CNN, STEM, Study, images_of, results_in

from lensml.evaluation.adaptation.published_protocol import select_on_test
from lensml.models.encoders import build_classifier
from lensml.training.adaptation.adda import AddaTask
from lensml.training.adaptation.run import adapt_adda
from lensml.training.adaptation.snapshots import read_snapshots, save_snapshots
from lensml.training.engine.prediction import embed

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def run(study: Study, folder: Path, *, snapshots: bool = True) -> str:
    path = str(folder / "snapshots.safetensors")
    adapt_adda(
        study.train,
        study.pool,
        study.weights["vit_conv_stem"],
        results_in(folder),
        encoder=STEM,
        adda=ADDA,
        adabn=ADABN,
        num_classes=2,
        symmetries=("square", "flips"),
        setting=setting(folder),
        snapshots=path if snapshots else None,
    )
    return path


def test_snapshots_come_back_with_their_steps(tmp_path):
    states = {k: {"a.weight": torch.full((2, 3), float(k))} for k in (200, 30, 4)}
    save_snapshots(tmp_path / "snapshots.safetensors", states)
    found = read_snapshots(tmp_path / "snapshots.safetensors")
    assert [step for step, _ in found] == [4, 30, 200]
    for step, state in found:
        assert torch.equal(state["a.weight"], states[step]["a.weight"])


def test_snapshots_are_of_the_trained_encoder_after_the_warm_up(study, tmp_path):
    found = read_snapshots(run(study, tmp_path))
    history = pd.read_csv(tmp_path / "history.csv")
    trained = history["step"][history["step"] > ADDA.warmup_steps]
    assert [step for step, _ in found] == trained.tolist()
    assert len(trained) < len(history)
    before = load_file(study.weights["vit_conv_stem"])
    kept = load_file(tmp_path / "weights.safetensors")
    for _, state in found:
        assert state.keys() == before.keys()
        assert torch.equal(state["head.weight"], before["head.weight"])
    name = "encoder.head_norm.weight" if "encoder.head_norm.weight" in before else None
    name = name or next(k for k in before if k.startswith("encoder.") and "norm" in k)
    values = [before[name], *(state[name] for _, state in found), kept[name]]
    for k, a in enumerate(values):
        assert not any(torch.equal(a, b) for b in values[k + 1 :])


def test_keeping_snapshots_changes_nothing_else(study, tmp_path):
    run(study, tmp_path / "with")
    path = run(study, tmp_path / "without", snapshots=False)
    assert not Path(path).exists()
    for name in ("weights.safetensors", "history.csv"):
        assert (tmp_path / "with" / name).read_bytes() == (
            tmp_path / "without" / name
        ).read_bytes()


def test_a_resumed_run_keeps_the_snapshots_from_before(study, tmp_path, monkeypatch):
    whole = run(study, tmp_path / "whole")
    original, remaining = AddaTask.step, [25]

    def step(self, step):
        if step in remaining:
            remaining.remove(step)
            raise InterruptedError
        return original(self, step)

    monkeypatch.setattr(AddaTask, "step", step)
    with pytest.raises(InterruptedError):
        run(study, tmp_path / "killed")
    killed = run(study, tmp_path / "killed")
    assert Path(killed).read_bytes() == Path(whole).read_bytes()


def test_the_best_snapshot_on_test_labels_is_kept(study, tmp_path):
    """Heads that call all one class, that are fitted to the test images, and the reverse."""
    images = images_of(study.train)
    network = build_classifier(CNN, img_size=16, num_classes=2, seed=0)
    embedding = embed(network.encoder, images, np.arange(len(images))).numpy()
    fitted = LogisticRegression(C=1e6, max_iter=10_000).fit(embedding, images.labels)
    row = torch.from_numpy(np.stack([-fitted.coef_[0], fitted.coef_[0]])).float()
    bias = torch.tensor([-1.0, 1.0]) * float(fitted.intercept_[0])
    base = network.state_dict()
    states = {
        1: base | {"head.weight": torch.zeros_like(row), "head.bias": torch.tensor([1.0, 0.0])},
        2: base | {"head.weight": row, "head.bias": bias},
        3: base | {"head.weight": -row, "head.bias": -bias},
    }
    snapshots = tmp_path / "snapshots.safetensors"
    save_snapshots(snapshots, states)
    outputs = [str(tmp_path / name) for name in ("weights.safetensors", "selection.csv")]
    select_on_test(str(snapshots), study.train, *outputs, encoder=CNN, setting=setting(tmp_path))
    table = pd.read_csv(outputs[1]).set_index("step")
    best = fitted.score(embedding, images.labels)
    assert best > 0.6
    assert table["accuracy"].to_dict() == pytest.approx({1: 0.5, 2: best, 3: 1 - best})
    for name, value in load_file(outputs[0]).items():
        assert torch.equal(value, states[2][name])
