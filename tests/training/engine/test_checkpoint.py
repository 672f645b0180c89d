"""Checkpoints and weights: safe to read, whole or not there."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn
from toy.runs import same_weights
from toy.study import CNN, STEM

from lensml.models.encoders import build_classifier
from lensml.schema import encoders as encoder_schema
from lensml.training.engine.checkpoint import (
    FILE,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    save_weights,
)

pytestmark = pytest.mark.usefixtures("one_torch_thread")


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
