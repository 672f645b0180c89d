"""A training job as SageMaker describes it: files in, tables and weights out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lensml.commands.sagemaker import run_job


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
