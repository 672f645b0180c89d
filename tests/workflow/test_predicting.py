"""``lensml predict`` with nothing of a finished run but weights and configuration."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from toy.configuration import ROOT

import lensml
from lensml import plan
from lensml.commands.main import main
from lensml.evaluation.cards.writing import write_card
from lensml.evaluation.classification.calibration import apply_temperature, read_temperature
from lensml.evaluation.classification.export import export_classifier
from lensml.schema import Config
from lensml.training.engine.setting import Setting

ENCODER = "results/classification/euclid/vit_conv_stem"
RUN = f"{ENCODER}/seed0"
CLASSES = ["no_sub", "cdm", "vortex"]

pytestmark = [pytest.mark.workflow, pytest.mark.slow, pytest.mark.usefixtures("one_torch_thread")]


@pytest.fixture(scope="module")
def run(finished, tmp_path_factory) -> Path:
    """Weights of a classifier, its calibration and the configuration, and no more."""
    folder = tmp_path_factory.mktemp("given_away")
    for name in ("weights.safetensors", "run.json", "calibration.json"):
        (folder / RUN).mkdir(parents=True, exist_ok=True)
        shutil.copy(finished / RUN / name, folder / RUN)
    shutil.copy(finished / "results/config.yaml", folder / "results")
    return folder / ENCODER


@pytest.fixture(scope="module")
def stores(finished) -> list[str]:
    return [str(finished / f"results/datasets/euclid/{name}/test.zarr") for name in CLASSES]


@pytest.fixture(scope="module")
def predicted(run, stores) -> pd.DataFrame:
    return lensml.predict(run, stores)


@pytest.fixture(scope="module")
def expected(finished) -> np.ndarray:
    """Calibrated probabilities of the workflow."""
    table = pd.read_csv(finished / RUN / "predictions.csv")
    temperature = read_temperature(str(finished / RUN / "calibration.json"))
    return apply_temperature(table[[f"p_{name}" for name in CLASSES]].to_numpy(), temperature)


def test_probabilities_are_those_of_the_workflow(predicted, expected):
    within = (predicted["verdict"] == "within").to_numpy()
    assert within.mean() > 0.9
    found = predicted[[f"p_{name}" for name in CLASSES]].to_numpy()
    np.testing.assert_allclose(found[within], expected[within], atol=1e-5)
    assert np.isnan(found[~within]).all()
    assert predicted.loc[~within, "anomaly"].isna().all()
    assert (predicted.loc[~within, "reason"] != "").all()


def test_the_fit_and_the_anomaly_stand_beside_them(predicted, stores):
    truth = lensml.open_store(stores[0]).truth
    smooth = predicted.iloc[: len(truth["theta_E"])]
    np.testing.assert_allclose(smooth["theta_E"], truth["theta_E"], atol=0.02)
    assert 0.2 < smooth["anomaly"].mean() < 0.8
    assert predicted.iloc[len(smooth) :]["anomaly"].mean() > smooth["anomaly"].mean() + 0.2


@pytest.fixture(scope="module")
def exported(finished, stores, tmp_path_factory) -> Path:
    """The classifier as ONNX with its description, and nothing of the run."""
    folder = tmp_path_factory.mktemp("exported")
    config = yaml.safe_load((finished / "results/config.yaml").read_text())
    results = plan.Datasets(Config.model_validate(config))
    export_classifier(
        stores,
        str(finished / RUN / "weights.safetensors"),
        str(finished / RUN / "calibration.json"),
        str(folder / "classifier.onnx"),
        str(folder / "classifier.json"),
        classes=CLASSES,
        encoder=results.config.encoders["vit_conv_stem"],
        symmetry=results.test_symmetry("euclid"),
        pixel_scale=results.pixel_scale("euclid"),
        judged_by=results.judged_by("euclid"),
        setting=Setting(results.config.network_input, results.config.compute, 0, "", "export"),
    )
    return folder


@pytest.fixture(scope="module")
def described(finished, tmp_path_factory) -> Path:
    """The classifier's weights that describe themselves, and nothing of the run."""
    folder = tmp_path_factory.mktemp("described")
    files = {"weights": "model.safetensors", "config": "config.json", "card": "README.md"}
    config = yaml.safe_load((finished / "results/config.yaml").read_text())
    write_card(
        str(finished / RUN / "weights.safetensors"),
        {name: str(finished / RUN / f"{name}.json") for name in ("calibration", "run")},
        str(finished / "results/tables/classification.csv"),
        {name: str(folder / file) for name, file in files.items()},
        audits=[],
        domain="euclid",
        encoder="vit_conv_stem",
        seed=0,
        **plan.Classification(Config.model_validate(config)).described("euclid"),
    )
    return folder


@pytest.mark.parametrize(
    ("given", "file"), [("exported", "classifier.onnx"), ("described", "model.safetensors")]
)
def test_what_was_handed_on_gives_the_same_rows(request, given, file, run, stores, predicted):
    folder = request.getfixturevalue(given)
    shutil.copytree(run.parents[2] / "verdict", folder / "verdict")  # a minute of judging
    found = lensml.predict(folder, stores)
    assert found.columns.tolist() == predicted.columns.tolist()
    known = [name for name in found.columns if name not in ("image", "verdict", "reason")]
    np.testing.assert_allclose(found[known], predicted[known], atol=1e-5)
    assert found[["image", "verdict", "reason"]].equals(predicted[["image", "verdict", "reason"]])
    one = lensml.predict(folder / file, stores[0])
    np.testing.assert_allclose(one["p_cdm"], found["p_cdm"][: len(one)], atol=1e-6)
    assert {path.name for path in (folder / "verdict").iterdir()} == {
        path.name for path in (run.parents[2] / "verdict").iterdir()
    }


def test_an_export_of_a_domain_of_files_says_what_judges_it(exported, stores, tmp_path):
    about = json.loads((exported / "classifier.json").read_text())
    about["judged_by"]["domain"]["files"] = {"folder": "data"}
    shutil.copy(exported / "classifier.onnx", tmp_path)
    (tmp_path / "classifier.json").write_text(json.dumps(about))
    with pytest.raises(ValueError, match="'euclid' lie in files, and by them others are judged"):
        lensml.predict(tmp_path, stores)


def command(*arguments: object) -> subprocess.CompletedProcess:
    line = [sys.executable, "-m", "lensml", "predict", *map(str, arguments)]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_folder_with_broken_files_has_a_row_for_each(run, stores, predicted, tmp_path):
    folder, output = tmp_path / "mine", tmp_path / "out.csv"
    folder.mkdir()
    store = lensml.open_store(stores[1])
    images = store.image[np.arange(4)]
    rms, time = (store.truth[name][:4] for name in ("background_rms", "exposure_time"))
    np.savez(folder / "good.npz", image=images, background_rms=rms, exposure_time=time)
    np.save(folder / "nan.npy", np.where(images[0] > images[0].mean(), np.nan, images[0]))
    np.save(folder / "small.npy", images[0][:20, :20])
    np.save(folder / "noise.npy", np.random.default_rng(0).normal(size=images[0].shape))
    np.save(folder / "flat.npy", np.zeros_like(images[0]))
    (folder / "text.fits").write_text("no image")
    found = command(run, folder, "-o", output)
    assert found.returncode == 1, found.stderr
    assert "Traceback" not in found.stderr
    assert found.stdout.strip().endswith("9 images, 4 within, 1 outside, 4 unusable")
    table = pd.read_csv(output).set_index("image")
    verdicts = {Path(name).name: table.loc[name, "verdict"] for name in table.index}
    assert {verdicts[f"good.npz[{i}]"] for i in range(4)} == {"within"}
    assert verdicts["noise.npy"] == "outside"
    reasons = {Path(name).name: table.loc[name, "reason"] for name in table.index}
    assert reasons["small.npy"] == "20 x 20 pixels; the networks take 64 x 64"
    assert reasons["flat.npy"] == "its noise is not known"
    assert reasons["nan.npy"] == "pixels that are not finite"
    assert "cannot be read" in reasons["text.fits"]
    good = [f"{folder}/good.npz[{i}]" for i in range(len(images))]
    first = table.loc[good, [f"p_{name}" for name in CLASSES]].to_numpy()
    same = predicted.iloc[len(predicted) // 3 :][[f"p_{name}" for name in CLASSES]].iloc[:4]
    np.testing.assert_allclose(first, same, atol=1e-5)


def test_a_stopped_run_goes_on(run, stores, predicted, tmp_path, monkeypatch, capsys):
    output = tmp_path / "out.csv"
    from lensml.evaluation.prediction import predictor as module

    calls = []
    fill = module.Predictor._table

    def stop_at_the_second(self, *given):
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return fill(self, *given)

    monkeypatch.setattr(module.Predictor, "_table", stop_at_the_second)
    assert main(["predict", str(run), *stores, "-o", str(output)]) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert not output.exists()
    assert main(["predict", str(run), *stores, "-o", str(output)]) == 0
    assert len(calls) == 1 + len(stores)  # a batch for each, the first of them once
    table = pd.read_csv(output)
    assert table["image"].tolist() == predicted["image"].tolist()
    np.testing.assert_allclose(table["p_cdm"], predicted["p_cdm"], rtol=1e-5)
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("nowhere", "a.npy"), "holds no trained classifier"),
        (("{run}", "nothing/*.npy"), "matches no file"),
    ],
)
def test_what_is_wrong_is_a_line(run, arguments, problem, capsys):
    assert main(["predict", *(text.format(run=run) for text in arguments)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("lensml predict: ")
    assert problem in error
    assert error.count("\n") == 1
