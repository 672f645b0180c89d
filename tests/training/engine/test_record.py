"""What a run records."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from llvmlite import binding
from toy.runs import run_classifier
from toy.stores import NETWORK_INPUT
from toy.study import CLASSIFIER, STEM

from lensml.schema import training as schema
from lensml.training.engine.device import prepare_device
from lensml.training.engine.optimizer import learning_rate_at
from lensml.training.engine.record import data_fingerprint, processor

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def test_a_run_records_what_it_was_made_of(study, tmp_path):
    run_classifier(study, tmp_path, seed=7)
    run = json.loads((tmp_path / "run.json").read_text())
    assert run["seed"] == 7
    assert run["config"]["encoder"] == STEM.model_dump()
    assert run["config"]["network_input"] == NETWORK_INPUT.model_dump()
    assert run["config"]["classifier"] == CLASSIFIER.model_dump()
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


def test_a_run_records_the_processor_and_what_it_can_do(study, tmp_path):
    run_classifier(study, tmp_path)
    found = json.loads((tmp_path / "run.json").read_text())["processor"]
    assert found == json.loads(json.dumps(processor()))
    assert found["model"]
    assert found["kind"] == binding.get_host_cpu_name()
    assert found["torch"] == torch.backends.cpu.get_cpu_capability()
    assert found["features"] == sorted(found["features"])
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists() and "avx2" in cpuinfo.read_text():
        assert "avx2" in found["features"]
