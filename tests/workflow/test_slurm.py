"""The workflow through a real SLURM of one node: whole, preempted, out of memory, cancelled."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from toy.configuration import ROOT
from toy.one_node_slurm import Cluster, missing, one_node
from toy.smoke_run import SMOKE, copy_of_datasets, digests, overlay, snakemake

WHY_NOT = missing()
CLASSIFIER = "results/classification/euclid/vit_conv_stem/seed0"
CHECKPOINT = "state/classification/euclid/vit_conv_stem/seed0/checkpoint.pt"
# What slurm/profile.yaml says of a cluster without accounting, and shorter waits than a
# cluster with many users should be asked for.
HERE = ["--slurm-status-command", "squeue", "--slurm-no-account", "--latency-wait", "5"]
HERE += ["--slurm-init-seconds-before-status-checks", "2"]
# A job of every kind, and several that train at once.
TARGETS = (
    "results/tables/classification.csv",
    "results/figures/gallery/euclid.png",
    "results/regression/euclid/cdm/vit_conv_stem/seed0/predictions.csv",
    "results/regression/euclid/vortex/vit_conv_stem/seed0/predictions.csv",
    "results/anomaly/euclid/mae/seed0/scores/mse.csv",
    "results/anomaly/euclid/vae/seed0/scores/mse.csv",
)
LONG = {"classifier": {"epochs": 40}}

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.slow,
    pytest.mark.skipif(WHY_NOT is not None, reason=f"no SLURM: {WHY_NOT}"),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with one_node(tmp_path_factory.mktemp("slurm")) as running:
        yield running


class Submitted:
    """Snakemake with the profile for SLURM, running in the background."""

    def __init__(self, folder: Path, *arguments: str, overlays: tuple[Path, ...] = ()) -> None:
        self.folder, self.log = folder, folder / "submitted.log"
        files = [str(SMOKE), *map(str, overlays)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "snakemake", *arguments),
                    *("--profile", "slurm", *HERE, "--directory", str(folder)),
                    *("--configfile", *files, "--config", "run=null"),
                ],
                cwd=ROOT,  # where slurm/ lies
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def output(self) -> str:
        return self.log.read_text()

    def wait(self, seconds: float = 3600) -> int:
        return self.process.wait(seconds)

    def wait_for(self, condition: Callable[[], object], what: str, seconds: float = 180) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"ended before {what}: {self.output()[-3000:]}"
            assert time.monotonic() < deadline, f"no {what}: {self.output()[-3000:]}"
            time.sleep(0.2)

    def numbers(self, rule: str) -> list[int]:
        """Job numbers that SLURM gave to a rule, in order."""
        return [int(n) for n in re.findall(rf"SLURM jobid (\d+) .*rule_{rule}", self.output())]


def state_of(cluster: Cluster, number: int) -> str:
    return cluster.run("squeue", "--noheader", "--states=all", f"--jobs={number}", "--format=%T")


def test_a_run_through_slurm_gives_what_a_local_run_gives(cluster, finished, tmp_path):
    run = Submitted(tmp_path, *TARGETS)
    assert run.wait() == 0, run.output()[-3000:]
    for part in ("datasets", "classification", "regression", "anomaly"):
        here, there = digests(tmp_path / "results" / part), digests(finished / "results" / part)
        timed = {name for name in here if name.endswith("run.json")}
        assert here, part
        assert {n: here[n] for n in here.keys() - timed} == {
            n: there[n] for n in here.keys() - timed
        }, part
    assert all((tmp_path / target).exists() for target in TARGETS)
    submissions = len(re.findall(r"SLURM jobid \d+", run.output()))
    steps = int(re.findall(r"\d+ of (\d+) steps \(100%\) done", run.output())[-1])
    assert submissions < 0.75 * steps  # small jobs shared one
    assert most_trainings_at_once(run.output()) >= 3  # though one machine's GPU is for one


def most_trainings_at_once(output: str) -> int:
    """Largest number of trainings that were submitted and had not finished."""
    events = re.findall(
        r"SLURM jobid \d+ .*/rule_((?:train|adapt)_\w+)|Rule: ((?:train|adapt)_\w+)", output
    )
    running = np.cumsum([1 if submitted else -1 for submitted, _ in events])
    return int(running.max())


@pytest.fixture(scope="module")
def long_training(finished, tmp_path_factory):
    """Datasets, a configuration that trains for a while, and the weights of it uninterrupted."""
    folder = tmp_path_factory.mktemp("long")
    copy_of_datasets(finished, folder)
    change = overlay(folder, LONG)
    snakemake(folder, f"{CLASSIFIER}/weights.safetensors", overlays=[change])
    return change, (folder / CLASSIFIER / "weights.safetensors").read_bytes()


@pytest.fixture
def training(
    cluster, finished, long_training, tmp_path
) -> Callable[..., tuple[Submitted, Callable[[], bytes]]]:
    """Factory: submit the long training; the run, and a reader of the weights it made."""
    copy_of_datasets(finished, tmp_path)
    change, _ = long_training

    def submit(*arguments: str) -> tuple[Submitted, Callable[[], bytes]]:
        target = f"{CLASSIFIER}/weights.safetensors"
        run = Submitted(tmp_path, target, *arguments, overlays=(change,))
        return run, (tmp_path / target).read_bytes

    return submit


def test_a_preempted_training_is_requeued_and_resumes_bit_identically(
    cluster, long_training, training
):
    run, weights = training("--default-resources", "slurm_partition=scavenge")
    run.wait_for((run.folder / CHECKPOINT).exists, "checkpoint")
    (number,) = run.numbers("train_classifier")
    cluster.run(
        "sbatch",
        *("--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=sleep 3"),
    )
    run.wait_for(lambda: "PENDING" in state_of(cluster, number), "preemption", 60)
    cluster.run("scontrol", "update", f"JobId={number}", "StartTime=now")  # not in two minutes
    assert run.wait() == 0, run.output()[-3000:]
    assert run.numbers("train_classifier") == [number]  # the same job, not another attempt
    restarts = cluster.run("scontrol", "show", "job", str(number))
    assert "Restarts=1" in restarts
    assert "resuming after" in log_of(run)
    assert weights() == long_training[1]


def log_of(run: Submitted) -> str:
    return (run.folder / "logs/train_classifier/euclid/vit_conv_stem/seed0.log").read_text()


def test_a_job_out_of_memory_is_submitted_again_with_more(cluster, long_training, training):
    run, weights = training("--set-resources", "train_classifier:mem_mb=300*10**(attempt-1)")
    assert run.wait() == 0, run.output()[-3000:]
    first, second = run.numbers("train_classifier")
    assert state_of(cluster, first).strip() in ("OUT_OF_MEMORY", "FAILED", "CANCELLED")
    assert "COMPLETED" in state_of(cluster, second)
    assert "exceeded memory limit" in "".join(
        path.read_text() for path in run.folder.glob(f".snakemake/slurm_logs/**/{first}.log")
    )
    assert weights() == long_training[1]


def test_a_cancelled_training_leaves_no_result_and_goes_on_when_asked(
    cluster, long_training, training
):
    run, weights = training("--retries", "0")
    run.wait_for((run.folder / CHECKPOINT).exists, "checkpoint")
    (number,) = run.numbers("train_classifier")
    cluster.run("scancel", str(number))
    assert run.wait() != 0
    assert "CANCELLED" in run.output()
    assert not (run.folder / CLASSIFIER / "weights.safetensors").exists()
    again, weights = training("--retries", "0")
    assert again.wait() == 0, again.output()[-3000:]
    assert "resuming after" in log_of(again)
    assert weights() == long_training[1]
