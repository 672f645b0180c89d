"""A training job as SageMaker describes it: files in, tables and weights out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from smoke_run import ROOT, digests

from lensml.commands.sagemaker import JobError, bring_channels, command_of, overlay_of, run_job


def describe(root: Path, **given: str) -> None:
    folder = root / "input/config"
    folder.mkdir(parents=True)
    (folder / "hyperparameters.json").write_text(json.dumps(given))
    (root / "checkpoints").mkdir()


@pytest.mark.slow
@pytest.mark.workflow
def test_a_job_trains_and_hands_over_tables_and_weights(tmp_path):
    target = "results/classification/euclid/vit_conv_stem/seed0/weights.safetensors"
    given = {
        "targets": target,
        "configfiles": "config/smoke.yaml",
        "cores": "2",
        "classifier.learning_rate": "1.0e-3",
    }
    describe(tmp_path, **given)
    assert run_job(tmp_path) == 0
    run = json.loads(
        (tmp_path / "model" / Path(target).parent.relative_to("results") / "run.json").read_text()
    )
    assert run["config"]["classifier"]["learning_rate"] == 1e-3
    assert (tmp_path / "model" / Path(target).relative_to("results")).exists()
    assert not (tmp_path / "model/datasets").exists()
    assert not (tmp_path / "output/failure").exists()


def test_a_job_that_fails_says_why_where_sagemaker_looks(tmp_path):
    describe(tmp_path, **{"classifier.learning_rat": "1.0e-3", "targets": "models"})
    assert run_job(tmp_path) == 1
    assert "learning_rat" in (tmp_path / "output/failure").read_text()
    assert not (tmp_path / "model").exists()


def test_hyperparameters_with_dots_are_an_overlay():
    given = {"a.b": "1.5e-3", "a.c": "[x, y]", "d": "true", "targets": "all", "cores": "2"}
    assert overlay_of(given) == {"a": {"b": 1.5e-3, "c": ["x", "y"]}, "d": True}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"targets": "all --unlock"}, "--unlock"),
        ({"configfiles": "config/nowhere.yaml"}, "nowhere"),
        ({"cores": "many"}, "many"),
        ({"a": "1", "a.b": "2"}, "a.b"),
        ({"a": "!!python/object/apply:os.system ['true']"}, "python/object"),
        ({"a": "[1"}, "a = '\\[1'"),
    ],
)
def test_a_hyperparameter_that_cannot_be_used_is_named(tmp_path, given, named):
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(JobError, match=named):
        command_of(given, tmp_path)


def test_configurations_of_a_channel_are_found(tmp_path):
    describe(tmp_path)
    channel = tmp_path / "input/data/config"
    channel.mkdir(parents=True)
    (channel / "mine.yaml").write_text(yaml.safe_dump({"seed": 3}))
    command = command_of({"configfiles": "config/smoke.yaml mine.yaml"}, tmp_path)
    assert command[-3:-1] == [str(ROOT / "config/smoke.yaml"), str(channel / "mine.yaml")]


def test_a_channel_is_brought_whole_though_the_copy_was_cut_off(tmp_path, monkeypatch):
    channel, target = tmp_path / "input/data/datasets", tmp_path / "checkpoints/results/datasets"
    for name in ("a/one", "b/two"):
        (channel / name).parent.mkdir(parents=True)
        (channel / name).write_text(name)
    copy = shutil.copytree

    def cut_off(source: Path, begun: Path) -> None:
        copy(source / "a", begun / "a")
        raise OSError("the instance is taken away")

    monkeypatch.setattr(shutil, "copytree", cut_off)
    with pytest.raises(OSError, match="taken away"):
        bring_channels(tmp_path)
    assert not target.exists()
    monkeypatch.undo()
    bring_channels(tmp_path)
    assert digests(target) == digests(channel)
    assert [path.name for path in target.parent.iterdir()] == ["datasets"]


def test_shell_characters_reach_no_shell(tmp_path):
    describe(tmp_path, targets="$(touch trap) ;touch trap")
    environment = {**os.environ, "LENSML_TEST": str(tmp_path)}
    code = (
        "import os, sys; from pathlib import Path; "
        "from lensml.commands.sagemaker import run_job; "
        "sys.exit(run_job(Path(os.environ['LENSML_TEST'])))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path)
    assert done.returncode == 1
    assert not list(tmp_path.rglob("trap"))
