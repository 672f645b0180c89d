"""The classifier: selection, validation, what it learns and does not."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from toy.runs import classifier_task, same_weights
from toy.stores import blobs, noise, setting, write_store
from toy.study import CLASSIFIER, CNN, STEM, images_of, results_in

from lensml.models.encoders import build_classifier
from lensml.models.symmetry import SYMMETRIES, transform
from lensml.training.classification import task as classifier_module
from lensml.training.classification.run import train_classifier
from lensml.training.classification.task import macro_auc
from lensml.training.engine.checkpoint import load_weights
from lensml.training.engine.prediction import predict_probabilities

pytestmark = pytest.mark.usefixtures("one_torch_thread")


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
