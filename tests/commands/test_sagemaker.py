"""Hyperparameters and channels of a SageMaker job."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from toy.configuration import ROOT
from toy.smoke_run import digests

from lensml.commands.sagemaker import JobError, bring_channels, command_of, overlay_of


def describe(root: Path, **given: str) -> None:
    folder = root / "input/config"
    folder.mkdir(parents=True)
    (folder / "hyperparameters.json").write_text(json.dumps(given))
    (root / "checkpoints").mkdir()


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
