"""``lensml doctor``."""

from __future__ import annotations

import subprocess
import sys
from collections import namedtuple

from lensml.commands import doctor
from lensml.commands.main import main


def finding(what: str) -> list[doctor.Finding]:
    return [f for f in doctor.findings() if f.what == what]


def test_this_environment_is_healthy(capsys):
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[1] for line in lines} >= {"Python", "packages", "torch", "cores", "disk"}


def test_a_package_of_the_wrong_version_is_named(monkeypatch, capsys):
    real = doctor.metadata.version
    monkeypatch.setattr(
        doctor.metadata, "version", lambda name: "0.1" if name == "zarr" else real(name)
    )
    assert main(["doctor"]) == 1
    assert "zarr is 0.1, needs" in capsys.readouterr().out


def test_a_gpu_that_torch_cannot_use_is_wrong(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/usr/bin/{name}")
    (gpu,) = finding("GPU")
    assert gpu.status == "wrong"


def test_a_controller_that_does_not_answer_is_a_note(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(doctor, "_output", lambda *command: None)
    (slurm,) = finding("SLURM")
    assert slurm.status == "note"
    assert "no controller" in slurm.says


def test_a_cluster_without_accounting_is_told_what_to_change(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(
        doctor, "_output", lambda *command: None if command[0] == "sacct" else "cpu* 1 (null)"
    )
    assert "slurm-status-command" in finding("SLURM")[1].says


def test_little_disk_is_a_note(monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: usage(10, 9, 1))
    assert finding("disk")[0].status == "note"


def test_a_check_that_breaks_hides_no_other(monkeypatch):
    def broken():
        raise RuntimeError("no such thing")
        yield

    monkeypatch.setattr(doctor, "CHECKS", (broken, doctor._threads))
    found = list(doctor.findings())
    assert found[0].status == "wrong"
    assert "no such thing" in found[0].says
    assert found[1].what == "cores"


def test_the_command_is_installed_and_says_what_it_does():
    done = subprocess.run(
        [sys.executable, "-m", "lensml", "--help"], capture_output=True, text=True, check=True
    )
    assert "verify" in done.stdout
    assert "doctor" in done.stdout
