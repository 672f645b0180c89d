"""Regression: mean and variance are found, runs resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from toy.stores import IN_MEMORY, NETWORK_INPUT, noise, setting, write_store
from toy.study import STEM

from lensml.data.store import open_store
from lensml.data.targets import Target
from lensml.data.torch_dataset import Images
from lensml.evaluation.regression import metrics
from lensml.evaluation.regression.baselines import regress_baselines
from lensml.evaluation.regression.predict import predict_regression
from lensml.models.encoders import build_classifier
from lensml.models.regressor import Regressor, build_regressor
from lensml.models.symmetry import SYMMETRIES, transform
from lensml.schema import encoders as encoder_schema
from lensml.schema import training as schema
from lensml.schema.regression import Regression
from lensml.training.engine.checkpoint import save_weights
from lensml.training.engine.setting import Results
from lensml.training.regression.run import load_regressor, train_regression
from lensml.training.regression.task import RegressionTask, gaussian_nll, predict_gaussian

CPU = torch.device("cpu")
CNN = encoder_schema.Cnn(kind="cnn", widths=[8, 16])
RECIPE: dict[str, Any] = {
    "domains": ["toy"],
    "encoders": ["toy"],
    "initialise": "scratch",
    "epochs": 4,
    "evaluations_per_epoch": 2,
    "batch_size": 16,
    "optimizer": "adamw",
    "learning_rate": 1e-2,
    "min_learning_rate": 1e-4,
    "weight_decay": 0.0,
    "betas": [0.9, 0.98],
    "warmup_fraction": 0.1,
    "clip_grad_norm": 1.0,
    "ema_decay": 0.9,
    "augment": True,
}
TARGET = Target("vortex", 1.0)
# The toy: brightness says the mean; a spot in the corner says how far the truth strays from it.
QUIET, LOUD = 0.05, 0.3  # dex

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def toy(folder: Path, split: str, n: int, seed: int) -> str:
    rng = np.random.default_rng(seed)
    mean, loud = rng.uniform(-0.5, 0.5, n), rng.random(n) < 0.5
    images = 0.1 * noise(n, rng) + 0.5 * mean[:, None, None]
    images[loud, 6:10, 6:10] += 2.0
    truth = -23.5 + mean + np.where(loud, LOUD, QUIET) * rng.normal(size=n)
    columns = {"log10_axion_mass": truth, "toy_mean": -23.5 + mean, "toy_loud": loud.astype(float)}
    return write_store(folder / f"{split}.zarr", images, truth=columns, substructure="vortex")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("toy")
    sizes = {"train": 600, "val": 200, "test": 300}
    return {split: toy(folder, split, n, k) for k, (split, n) in enumerate(sizes.items())}


def images_of(store: str) -> Images:
    return Images([store], NETWORK_INPUT, max_memory_fraction=IN_MEMORY)


def results_in(folder: Path) -> Results:
    return Results(*(str(folder / n) for n in ("weights.safetensors", "history.csv", "run.json")))


def train(
    stores: dict[str, str],
    folder: Path,
    *,
    classifier: str | None = None,
    encoder: encoder_schema.Encoder = CNN,
    **changes: Any,
) -> Results:
    results = results_in(folder)
    train_regression(
        stores["train"],
        stores["val"],
        classifier,
        results,
        target=TARGET,
        encoder=encoder,
        regression=Regression(**{**RECIPE, **changes}),
        num_classes=3,
        symmetry="square",
        setting=setting(folder),
    )
    return results


@pytest.fixture(scope="module")
def trained(stores: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Results:
    torch.set_num_threads(1)
    return train(stores, tmp_path_factory.mktemp("trained"), epochs=12)


@pytest.fixture(scope="module")
def predictions(
    stores: dict[str, str], trained: Results, tmp_path_factory: pytest.TempPathFactory
) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("predicted")
    output = str(folder / "predictions.csv")
    predict_regression(
        stores["val"],
        stores["test"],
        trained.weights,
        output,
        target=TARGET,
        encoder=CNN,
        symmetry="square",
        setting=setting(folder),
    )
    return pd.read_csv(output)


def test_the_loss_is_lowest_at_the_mean_and_variance_of_the_target():
    target = torch.from_numpy(np.random.default_rng(0).normal(0.3, 0.7, 4000))
    best = torch.full_like(target, float(target.mean()))
    log_var = torch.full_like(target, float(target.var(correction=0).log()))
    lowest = gaussian_nll(best, log_var, target)
    assert lowest.item() == pytest.approx(0.5 * (1 + log_var[0].item()))
    for shift, stretch in ((0.1, 0), (-0.1, 0), (0, 0.2), (0, -0.2)):
        assert gaussian_nll(best + shift, log_var + stretch, target) > lowest


def test_the_head_finds_mean_and_variance(predictions, stores):
    truth = open_store(stores["test"]).truth
    np.testing.assert_allclose(predictions["truth"], truth["log10_axion_mass"], rtol=1e-7)
    error = predictions["mean"] - truth["toy_mean"]
    assert np.sqrt(np.square(error).mean()) < 0.08  # the mean varies by 0.29
    loud = truth["toy_loud"] > 0
    std = predictions["std"].to_numpy()
    assert np.median(std[loud]) == pytest.approx(LOUD, rel=0.3)
    assert np.median(std[~loud]) == pytest.approx(QUIET, rel=0.5)


def test_one_factor_of_validation_images_scales_every_deviation(predictions, stores, trained):
    factor = predictions["std"] / predictions["std_raw"]
    assert factor.std() < 1e-6
    network = load_regressor(trained.weights, encoder=CNN, img_size=16, device=CPU)
    mean, std = predict_gaussian(network, images_of(stores["val"]), symmetry="square")
    truth = TARGET.values(stores["val"])
    expected = np.sqrt(np.mean(((truth - mean) / std) ** 2))
    assert factor.iloc[0] == pytest.approx(expected, rel=1e-6)
    assert metrics.variance_scale(truth, mean, std * expected) == pytest.approx(1)


def test_passes_are_mixed_as_gaussians(stores):
    network = build_regressor(CNN, img_size=16, target_mean=2.0, target_std=3.0, seed=0).eval()
    images = images_of(stores["test"])
    mean, std = predict_gaussian(network, images, symmetry="square")
    with torch.inference_mode():
        x = images.batch(np.arange(5))
        passes = [network(transform(x, e)) for e in SYMMETRIES["square"]]
    means = 2 + 3 * np.array([m.numpy() for m, _ in passes])
    variances = 9 * np.exp([v.numpy() for _, v in passes])
    np.testing.assert_allclose(mean[:5], means.mean(0), rtol=1e-5)
    second = (variances + means**2).mean(0) - means.mean(0) ** 2
    np.testing.assert_allclose(std[:5], np.sqrt(second), rtol=1e-4)


def test_weights_carry_the_scale_of_the_target(trained, stores):
    values = TARGET.values(stores["train"])
    weights = load_file(trained.weights)
    assert weights["target_mean"].item() == pytest.approx(values.mean(), rel=1e-6)
    assert weights["target_std"].item() == pytest.approx(values.std(), rel=1e-6)
    with safe_open(trained.weights, framework="pt") as file:
        assert "log10_axion_mass" in file.metadata()["lensml"]
    history = pd.read_csv(trained.history)
    assert {"epoch", "train_loss", "val_loss", "val_rmse"} <= set(history.columns)
    assert history["val_loss"].iloc[-1] < history["val_loss"].iloc[0]


def regression_task(stores: dict[str, str], model: Regressor, symmetry: str) -> RegressionTask:
    return RegressionTask(
        model,
        images_of(stores["val"]),
        images_of(stores["val"]),
        targets=(TARGET.values(stores["val"]), TARGET.values(stores["val"])),
        spec=schema.Optimization(**{k: RECIPE[k] for k in schema.Optimization.model_fields}),
        epochs=2,
        seed=0,
        symmetry=symmetry,
        ema_decay=0.9,
        device=CPU,
    )


def test_the_weights_of_the_lowest_validation_loss_are_kept(stores):
    model = build_regressor(CNN, img_size=16, target_mean=-23.5, target_std=0.35, seed=0)
    task = regression_task(stores, model, "none")
    task.learning_rate = 0.0
    first = task.evaluate(1)
    kept = task.best["head.bias"].clone()
    with torch.no_grad():
        task.average.head.bias.add_(5)
    assert task.evaluate(2)["val_loss"] > first["val_loss"]
    assert torch.equal(task.best["head.bias"], kept)


class Killed(BaseException):
    """What ends a run in the middle of a step."""


@pytest.mark.parametrize("die_at", [3, 7, 14])
def test_a_resumed_run_equals_an_uninterrupted_one(stores, tmp_path, monkeypatch, die_at):
    whole = train(stores, tmp_path / "whole", encoder=STEM, epochs=1, batch_size=40)
    step = RegressionTask.step

    def dying(task: RegressionTask, number: int) -> dict[str, torch.Tensor]:
        if number == die_at:
            raise Killed
        return step(task, number)

    with monkeypatch.context() as patch:
        patch.setattr(RegressionTask, "step", dying)
        with pytest.raises(Killed):
            train(stores, tmp_path / "killed", encoder=STEM, epochs=1, batch_size=40)
    assert not (tmp_path / "killed" / "weights.safetensors").exists()
    torch.rand(7)  # a new process starts anywhere
    resumed = train(stores, tmp_path / "killed", encoder=STEM, epochs=1, batch_size=40)
    for name in ("weights", "history"):
        expected = Path(getattr(whole, name)).read_bytes()
        assert Path(getattr(resumed, name)).read_bytes() == expected
    assert not (tmp_path / "killed" / "state").exists()


def test_the_encoder_starts_from_the_classifier(stores, tmp_path):
    classifier = build_classifier(CNN, img_size=16, num_classes=3, seed=5)
    path = str(tmp_path / "classifier.safetensors")
    save_weights(path, classifier.state_dict(), {})
    still = {"learning_rate": 1e-12, "min_learning_rate": 0.0, "epochs": 1, "ema_decay": 0.0}
    found = load_file(train(stores, tmp_path / "a", classifier=path, **still).weights)
    scratch = load_file(train(stores, tmp_path / "b", **still).weights)
    for name, value in classifier.encoder.named_parameters():
        torch.testing.assert_close(found[f"encoder.{name}"], value.data, rtol=0, atol=1e-6)
    name = "encoder.layers.0.weight"
    assert not torch.allclose(found[name], scratch[name], atol=1e-3)


def test_a_target_that_does_not_vary_is_refused(tmp_path):
    truth = {"log10_axion_mass": np.full(8, -23.0)}
    path = write_store(tmp_path / "train.zarr", np.zeros((8, 16, 16)), truth=truth)
    with pytest.raises(ValueError, match=r"log10_axion_mass is -23 in every image"):
        train({"train": path, "val": path}, tmp_path)


def test_baselines_know_the_prior_and_the_radial_profile(stores, tmp_path):
    outputs = {name: str(tmp_path / f"{name}.csv") for name in ("prior", "radial_profile")}
    regress_baselines(stores, outputs, target=TARGET, setting=setting(tmp_path))
    prior, ridge = (pd.read_csv(path) for path in outputs.values())
    values = {split: TARGET.values(store) for split, store in stores.items()}
    np.testing.assert_allclose(prior["mean"], values["train"].mean())
    np.testing.assert_allclose(prior["std"], values["train"].std())
    np.testing.assert_allclose(ridge["truth"], values["test"])
    # Brightness is in the profile: what remains is the scatter of the truth itself.
    error = np.sqrt(np.square(ridge["mean"] - ridge["truth"]).mean())
    assert error == pytest.approx(np.sqrt((LOUD**2 + QUIET**2) / 2), rel=0.15)
    assert len(set(ridge["std"])) == 1
    assert ridge["std"].iloc[0] == pytest.approx(error, rel=0.2)
