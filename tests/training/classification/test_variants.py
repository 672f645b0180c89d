"""Variants of the recipe: what they change, and their runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from toy.recipes import CLASSIFIER, CNN, VIT, encoder
from toy.stores import IN_MEMORY, NETWORK_INPUT, blobs, noise, setting, write_store

from lensml.data.store import open_store
from lensml.data.torch_dataset import Images
from lensml.models.encoders import build_classifier
from lensml.schema.studies import Variant, resolve_variant
from lensml.training.classification.task import ClassifierTask
from lensml.training.classification.variants import train_variant
from lensml.training.engine.prediction import predict_probabilities
from lensml.training.engine.setting import Results


def test_a_variant_changes_what_it_names_and_nothing_else():
    base = {
        "encoders": {"cnn": encoder(CNN), "vit": encoder(VIT)},
        "classifier": CLASSIFIER,
        "network_input": NETWORK_INPUT,
    }
    same = resolve_variant(Variant(), encoder="cnn", **base)
    assert (same.encoder, same.classifier) == (encoder(CNN), CLASSIFIER)
    changed = resolve_variant(
        Variant(encoder="vit", encoder_changes={"depth": 1}, classifier={"ema_decay": 0.5}),
        encoder="cnn",
        **base,
    )
    assert changed.encoder == encoder({**VIT, "depth": 1})
    assert changed.classifier == CLASSIFIER.model_copy(update={"ema_decay": 0.5})
    assert changed.network_input == NETWORK_INPUT


def toy_study(folder: Path) -> dict[str, list[str]]:
    rng = np.random.default_rng(3)
    out = {}
    for split, n in (("train", 48), ("val", 24)):
        out[split] = [
            write_store(folder / "no_sub" / f"{split}.zarr", noise(n, rng)),
            write_store(folder / "cdm" / f"{split}.zarr", blobs(n, rng)),
        ]
    return out


def run_variant(folder: Path, study: dict[str, list[str]], **options) -> Path:
    results = Results(*(str(folder / f) for f in ("w.safetensors", "history.csv", "run.json")))
    train_variant(
        study["train"],
        study["val"],
        results,
        encoder=encoder(CNN),
        classifier=CLASSIFIER,
        symmetry="square",
        setting=setting(folder / "state"),
        **options,
    )
    return folder


def test_a_variant_has_the_steps_and_images_that_it_is_given(tmp_path):
    study = toy_study(tmp_path / "data")
    folder = run_variant(tmp_path / "run", study, steps=7, n_train=20)
    record = json.loads((folder / "run.json").read_text())
    assert record["config"]["variant"] == {
        "n_train": 20,
        "n_validation": None,
        "steps": 7,
        "redraw_noise": False,
        "mae": False,
    }
    history = pd.read_csv(folder / "history.csv")
    assert history["step"].iloc[-1] == 7
    # 40 images in batches of 16 are two steps an epoch.
    assert history["epoch"].iloc[-1] == pytest.approx(3.5)


def test_images_that_a_variant_leaves_out_do_not_matter(tmp_path):
    study = toy_study(tmp_path / "a")
    fewer = dict(study)
    fewer["train"] = [
        write_store(tmp_path / "b" / name / "train.zarr", open_store(path).image[np.arange(20)])
        for name, path in zip(("no_sub", "cdm"), study["train"], strict=True)
    ]
    one = run_variant(tmp_path / "one", study, steps=3, n_train=20)
    two = run_variant(tmp_path / "two", fewer, steps=3)
    columns = ["train_loss", "val_loss"]
    a, b = (pd.read_csv(f / "history.csv")[columns].to_numpy() for f in (one, two))
    np.testing.assert_array_equal(a, b)


def test_thirty_two_images_with_random_labels_are_learned_by_heart(tmp_path):
    rng = np.random.default_rng(5)
    stores = [write_store(tmp_path / c / "train.zarr", noise(16, rng)) for c in ("a", "b")]
    images = Images(stores, NETWORK_INPUT, max_memory_fraction=IN_MEMORY)
    spec = CLASSIFIER.model_copy(update={"batch_size": 32, "weight_decay": 0.0})
    stem = {**VIT, "kind": "vit_conv_stem", "stem_widths": [8, 16], "init_values": 0.1}
    del stem["patch_size"]
    network = build_classifier(encoder(stem), img_size=16, num_classes=2, seed=0)
    task = ClassifierTask(
        network,
        images,
        images,
        spec=spec,
        steps=120,
        seed=0,
        symmetry="none",
        label_smoothing=0.0,
        ema_decay=0.9,
        paired=False,
        device=torch.device("cpu"),
    )
    for step in range(120):
        task.step(step)
    predicted = predict_probabilities(task.average, images, symmetry="none").argmax(1)
    np.testing.assert_array_equal(predicted, images.labels)
