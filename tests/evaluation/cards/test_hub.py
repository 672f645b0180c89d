"""What would be uploaded, and what is refused before; nothing here reaches the Hub."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from toy.cards import write_toy_card
from toy.fits import fit_spec

import lensml
from lensml.commands.main import main

REPO = "somebody/lenses"
NAMES = ["README.md", "config.json", "model.safetensors"]


@pytest.fixture
def folder(tmp_path, domain) -> Path:
    return write_toy_card(tmp_path, domain("euclid"), fit_spec())


def test_card_description_and_weights_would_be_uploaded_and_nothing_else(folder, capsys):
    (folder / "secret.txt").write_text("mine")
    (folder / "verdict").mkdir()
    files = lensml.push_to_hub(folder, REPO, dry_run=True)
    assert [path.name for path in files] == NAMES
    assert main(["push", str(folder), REPO, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "secret" not in said
    assert said.endswith(f"would be uploaded to {REPO}\n")


def cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4])


def without_metrics(folder: Path) -> None:
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Nothing\n")


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda f: (f / "config.json").unlink(), "config.json is missing; snakemake model_cards"),
        (cut, "model.safetensors is not what config.json describes"),
        (without_metrics, "README.md has no metrics in its front matter"),
    ],
)
def test_files_that_do_not_belong_together_stay(folder, damage, problem, capsys):
    damage(folder)
    assert main(["push", str(folder), REPO, "--dry-run"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("lensml push: ")
    assert problem in error
    assert error.count("\n") == 1


def test_a_name_that_the_hub_does_not_take_is_refused(folder):
    with pytest.raises(ValueError, match="a/b/c"):
        lensml.push_to_hub(folder, "a/b/c", dry_run=True)


def test_a_hub_that_cannot_be_reached_is_one_line(folder, tmp_path):
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path), "HF_TOKEN": "none"}
    command = [sys.executable, "-m", "lensml", "push", str(folder), REPO]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **nowhere}
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"lensml push: {REPO}: cannot be uploaded (")
    assert done.stderr.count("\n") == 1
