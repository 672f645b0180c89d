"""Jobs are killed at random, more than twenty times in a run: the results are the same bytes.

Three things are killed: the process of a job, the process of a job while it writes a checkpoint
if it can be caught at that (``test_resume.py`` leaves it to no chance), and Snakemake with
everything below it. What happened is printed as a table.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from toy.smoke_run import command, copy_of_datasets, digests, overlay, snakemake

ADAPTED = "results/adaptation/euclid/hst/vit_conv_stem"
TARGETS = [
    "results/classification/euclid/vit_conv_stem/seed0/predictions.csv",
    f"{ADAPTED}/adda/seed0/predictions.csv",
    f"{ADAPTED}/dann/seed0/predictions.csv",
    "results/anomaly/euclid/mae/seed0/scores/mse.csv",
    "results/anomaly/euclid/vae/seed0/scores/mse.csv",
]
# Long enough for a kill to find them at work.
LONGER = {
    "classifier": {"epochs": 60},
    "adaptation": {"adda": {"start": "source_only", "steps": 300, "warmup_steps": 30}},
    "anomaly": {"mae": {"epochs": 80}, "autoencoders": {"epochs": 60}},
}
COPIED = ("datasets/", "fits/")
SCRIPT = re.compile(r"\.snakemake/scripts/tmp\w+\.(\w+)\.py$")
KILLS = {  # stage -> script -> how often
    "simulate": {"simulate_block": 4, "seal_dataset": 1, "pool_unlabelled": 1},
    "classify": {"train_classifier": 5, "predict": 1},
    "adapt": {"adapt_adda": 3, "adapt_jointly": 3},
    "anomaly": {"train_mae": 3, "train_autoencoder": 2, "make_proxies": 1},
}
STAGE = {script: stage for stage, scripts in KILLS.items() for script in scripts}
RESTARTS = 2  # of Snakemake itself
WORK = {"train": 9.0, "adapt": 9.0}  # seconds within which a job is killed, by its name's start
BRIEF = 1.5  # the same for the others, which take little longer

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


@dataclass
class Event:
    """One kill."""

    stage: str
    job: str
    signal: str
    age: float
    where: str


def being_written(process: psutil.Process) -> list[Path]:
    """Checkpoints that a process is just writing."""
    paths = [Path(opened.path) for opened in process.open_files()]
    return [path for path in paths if path.name.startswith(".checkpoint.pt.")]


@dataclass
class Killer:
    """Kills the jobs of a run at moments drawn at random."""

    folder: Path
    chance: random.Random
    events: list[Event] = field(default_factory=list)
    planned: dict[int, tuple[float, bool]] = field(default_factory=dict)

    def look(self, parent: psutil.Process) -> None:
        """Kill those jobs below a process whose moment has come."""
        for process in parent.children(recursive=True):
            try:
                found = SCRIPT.search(" ".join(process.cmdline()[:2]))
                if found:
                    self.consider(process, found[1])
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue

    def consider(self, process: psutil.Process, script: str) -> None:
        stage = STAGE.get(script)
        if stage is None or self.count("job", script) >= KILLS[stage][script]:
            return
        if process.pid not in self.planned:
            limit = next((s for start, s in WORK.items() if script.startswith(start)), BRIEF)
            writing = limit > BRIEF and self.chance.random() < 0.4
            self.planned[process.pid] = (self.chance.uniform(0.2, limit), writing)
        moment, writing = self.planned[process.pid]
        age = time.time() - process.create_time()
        half_written = being_written(process) if writing else []
        if half_written or (age > moment and not (writing and age < 15)):
            chosen = signal.SIGKILL if writing else self.chance.choice([9, signal.SIGTERM])
            process.send_signal(chosen)
            process.wait(30)
            left = [path for path in half_written if path.exists()]
            where = "writing a checkpoint" if left else "at work"
            name = signal.Signals(chosen).name
            self.events.append(Event(stage, script, name, age, where))

    def count(self, what: str, name: str) -> int:
        return sum(getattr(event, what) == name for event in self.events)


def run_once(killer: Killer, arguments: list[str], patience: float | None) -> int | None:
    """Snakemake under fire until it ends, or until it is killed itself after some seconds."""
    with (killer.folder / "killed.log").open("ab") as log:
        process = subprocess.Popen(
            arguments, cwd=killer.folder, stdout=log, stderr=log, start_new_session=True
        )
    started = time.monotonic()
    parent = psutil.Process(process.pid)
    try:
        while process.poll() is None:
            killer.look(parent)
            if patience is not None and time.monotonic() - started > patience:
                event = Event("all", "snakemake", "SIGKILL", patience, "with its jobs")
                killer.events.append(event)
                return None
            time.sleep(0.002)
        return process.returncode
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def table_of(events: list[Event]) -> str:
    """One line per kind of kill."""
    kinds = Counter((e.stage, e.job, e.signal, e.where) for e in events)
    lines = [f"{'stage':<10}{'job':<20}{'signal':<9}{'caught':<22}{'kills':>5}  age in s"]
    for kind, n in sorted(kinds.items()):
        ages = sorted(e.age for e in events if (e.stage, e.job, e.signal, e.where) == kind)
        stage, job, name, where = kind
        lines.append(
            f"{stage:<10}{job:<20}{name:<9}{where:<22}{n:>5}  {ages[0]:.1f} to {ages[-1]:.1f}"
        )
    return "\n".join([*lines, f"{'':<61}{len(events):>5}"])


def artefacts(folder: Path) -> dict[str, str]:
    """Checksums of all results but records of wall time and of when a job ran."""
    return {
        name: digest
        for name, digest in digests(folder / "results").items()
        if not name.endswith("run.json") and not name.startswith(".checksums/")
    }


def test_killed_runs_end_in_the_same_bytes(tmp_path, capsys, request):
    change = overlay(tmp_path, LONGER)
    killed = tmp_path / "killed"
    killed.mkdir()
    killer = Killer(killed, random.Random(20))
    arguments = command(*TARGETS, "--retries", "60", "--rerun-incomplete", overlays=[change])
    for _ in range(RESTARTS):
        if run_once(killer, arguments, killer.chance.uniform(4, 25)) == 0:
            break
        snakemake(killed, "--unlock")
    status = run_once(killer, arguments, None)

    with capsys.disabled():
        print("\n" + table_of(killer.events))
    assert status == 0, (killed / "killed.log").read_text()[-3000:]
    assert len(killer.events) >= 20
    for stage in KILLS:
        assert killer.count("stage", stage) >= 5, f"too few kills of {stage} to say anything"
    assert not list((killed / "results").rglob(".*.tmp"))

    # Nobody kills these: datasets of the smoke run, and networks that are trained on them.
    whole = copy_of_datasets(request.getfixturevalue("finished"), tmp_path / "whole")
    snakemake(whole, *TARGETS, overlays=[change])
    there, here = artefacts(whole), artefacts(killed)
    made = here.keys() | {name for name in there if not name.startswith(COPIED)}
    assert sorted(name for name in made if there.get(name) != here.get(name)) == []
    assert any(name.startswith("datasets/") for name in here)
