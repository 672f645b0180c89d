"""A run that goes on does so with the data that it began with, or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from pydantic import TypeAdapter
from toy.stores import NETWORK_INPUT, blobs, noise, setting, write_store

from lensml.data.manifest import DamagedStoreError, manifest_path
from lensml.schema.encoders import Cnn, Encoder
from lensml.schema.search import Search
from lensml.schema.studies import Recipe
from lensml.schema.training import Classifier
from lensml.training.classification.run import train_classifier
from lensml.training.classification.search import (
    Shipped,
    Work,
    finished_trials,
    read_study,
    run_worker,
)
from lensml.training.classification.task import ClassifierTask
from lensml.training.engine.checkpoint import FILE
from lensml.training.engine.record import data_fingerprint
from lensml.training.engine.setting import Results

CLASSES = ["no_sub", "cdm"]
CLASSIFIER = Classifier(
    domains=["toy"],
    encoders=["cnn"],
    seeds=[0],
    epochs=2,
    evaluations_per_epoch=2,
    batch_size=8,
    learning_rate=3e-3,
    min_learning_rate=0.0,
    weight_decay=0.05,
    betas=[0.9, 0.98],
    warmup_fraction=0.1,
    clip_grad_norm=1.0,
    label_smoothing=0.0,
    ema_decay=0.9,
    paired_batches=False,
    augment=True,
    test_time_augmentation=True,
)
STEPS = 16  # 64 images in batches of 8, twice

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture
def stores(tmp_path: Path) -> dict[str, list[str]]:
    rng = np.random.default_rng(0)
    return {
        split: [
            write_store(tmp_path / name / f"{split}.zarr", images(n, rng), substructure=name)
            for name, images in zip(CLASSES, (noise, blobs), strict=True)
        ]
        for split, n in (("train", 32), ("val", 16))
    }


def exchange(a: Path, b: Path) -> None:
    aside = a.with_name("aside")
    a.rename(aside)
    b.rename(a)
    aside.rename(b)


def exchange_chunks(stores: list[str]) -> None:
    exchange(*(Path(store) / "image" / "c" / "1" / "0" / "0" for store in stores))


def exchange_stores(stores: list[str]) -> None:
    exchange(*map(Path, stores))
    exchange(*map(manifest_path, stores))


class Killed(Exception):
    """Stands for the end of a process."""


def train(stores: dict[str, list[str]], folder: Path) -> None:
    train_classifier(
        stores["train"],
        stores["val"],
        Results(*(str(folder / name) for name in ("weights.safetensors", "h.csv", "run.json"))),
        encoder=Cnn(kind="cnn", widths=[4, 8]),
        classifier=CLASSIFIER,
        symmetry="square",
        setting=setting(folder),
    )


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Steps that were taken; the run is killed before ``at``."""
    seen: dict[str, Any] = {"taken": [], "at": -1}
    original = ClassifierTask.step

    def step(self: ClassifierTask, step: int) -> Any:
        if step == seen["at"]:
            raise Killed
        seen["taken"].append(step)
        return original(self, step)

    monkeypatch.setattr(ClassifierTask, "step", step)
    return seen


def kill(stores: dict[str, list[str]], folder: Path, steps: dict[str, Any], at: int) -> None:
    steps["at"] = at
    with pytest.raises(Killed):
        train(stores, folder)
    assert (folder / "state" / FILE).exists()
    steps.update(at=-1, taken=[])


def test_a_killed_run_goes_on_with_its_own_data(stores, tmp_path, steps):
    kill(stores, tmp_path / "run", steps, at=9)
    train(stores, tmp_path / "run")
    assert steps["taken"] == list(range(8, STEPS))


def test_a_killed_run_does_not_go_on_with_exchanged_chunks(stores, tmp_path, steps):
    kill(stores, tmp_path / "run", steps, at=9)
    exchange_chunks(stores["train"])
    with pytest.raises(DamagedStoreError, match="images 16 to 31"):
        train(stores, tmp_path / "run")
    assert steps["taken"] == []


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_checkpoint_is_not_resumed_over_exchanged_stores(stores, tmp_path, steps, caplog, split):
    """They agree with their manifests, and are other data all the same."""
    kill(stores, tmp_path / "run", steps, at=9)
    exchange_stores(stores[split])
    train(stores, tmp_path / "run")
    assert steps["taken"] == list(range(STEPS))  # anew
    assert "of another run, starting anew: data is" in caplog.text


def test_a_checkpoint_is_not_resumed_over_chunks_that_were_sealed_again(
    stores, tmp_path, steps, caplog
):
    """The whole kind: other images under the same names, sizes and chunk checksums."""
    kill(stores, tmp_path / "run", steps, at=9)
    rng = np.random.default_rng(0)
    images = noise(32, rng)
    path = Path(stores["train"][0])
    shutil.rmtree(path)
    write_store(path, images[::-1], substructure="no_sub")
    train(stores, tmp_path / "run")
    assert steps["taken"] == list(range(STEPS))
    assert "of another run" in caplog.text


def test_the_record_of_a_run_tells_data_apart(stores, tmp_path):
    train(stores, tmp_path / "run")
    data = json.loads((tmp_path / "run" / "run.json").read_text())["data"]
    assert data == data_fingerprint([*stores["train"], *stores["val"]])
    assert len(set(data)) == 4
    assert all(len(digest) == 64 for digest in data)


# A study of Optuna

SEARCH = Search.model_validate(
    {
        "domain": None,
        "encoder": "cnn",
        "workers": 1,
        "n_trials": 2,
        "n_startup_trials": 2,
        "epochs": 1,
        "evaluations_per_epoch": 1,
        "n_warmup_evaluations": 1,
        "n_confirmed": 1,
        "seeds": [1],
        "space": {"classifier.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}},
    }
)
RECIPE = Recipe(
    encoder=TypeAdapter(Encoder).validate_python({"kind": "cnn", "widths": [4, 8]}),
    classifier=CLASSIFIER.model_copy(update={"epochs": 1, "evaluations_per_epoch": 1}),
    network_input=NETWORK_INPUT,
)
SHIPPED = Shipped(RECIPE, num_pix=16, n_train=32, n_classes=2)


def search(stores: dict[str, list[str]], folder: Path, n_trials: int) -> optuna.Study:
    """The study after ``n_trials`` of its trials."""
    work = Work(stores["train"], stores["val"], "square", setting(folder), lambda *_: 0.5)
    spec = SEARCH.model_copy(update={"n_trials": n_trials})
    record = folder / "record.json"
    run_worker(0, spec, SHIPPED, work, root=folder / "studies", record=str(record))
    return read_study(Path(json.loads(record.read_text())["study"]))


def test_a_study_goes_on_with_its_own_data(stores, tmp_path):
    assert len(finished_trials(search(stores, tmp_path, 2))) == 2
    assert len(finished_trials(search(stores, tmp_path, 3))) == 3


def test_a_study_does_not_go_on_with_exchanged_chunks(stores, tmp_path):
    study = search(stores, tmp_path, 2)
    exchange_chunks(stores["train"])
    with pytest.raises(DamagedStoreError, match="images 16 to 31"):
        search(stores, tmp_path, 3)
    assert len(study.trials) == 2  # none that failed for it


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_study_is_not_continued_over_exchanged_stores(stores, tmp_path, split):
    study = search(stores, tmp_path, 2)
    exchange_stores(stores[split])
    other = search(stores, tmp_path, 1)
    assert len(other.trials) == 1  # a study of its own
    assert len(study.trials) == 2


def test_a_store_that_is_damaged_under_way_fails_no_trial(stores, tmp_path, monkeypatch):
    monkeypatch.setattr("lensml.training.classification.search.verify", lambda store: None)
    exchange_chunks(stores["train"])
    with pytest.raises(DamagedStoreError):
        search(stores, tmp_path, 2)
    monkeypatch.undo()
    exchange_chunks(stores["train"])
    trials = search(stores, tmp_path, 2).trials
    assert [t.state.name for t in trials].count("COMPLETE") == 2
