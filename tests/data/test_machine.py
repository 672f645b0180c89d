"""Limits of the machine, of a container and of a SLURM job: the smallest one counts."""

import os
from pathlib import Path

import pytest

from lensml.data import machine
from lensml.data.machine import usable_cores, usable_memory

GIB = 2**30


@pytest.fixture
def group(tmp_path, monkeypatch) -> Path:
    """A control group of our own; returns its folder."""
    inner = tmp_path / "cgroup" / "pod" / "job"
    inner.mkdir(parents=True)
    (tmp_path / "own").write_text("0::/pod/job\n")
    monkeypatch.setattr(machine, "CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "OWN_GROUP", tmp_path / "own")
    for name in ("SLURM_MEM_PER_NODE", "SLURM_CPUS_PER_TASK"):
        monkeypatch.delenv(name, raising=False)
    return inner


def test_without_limits_the_machine_counts(group):
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert usable_memory() == physical
    assert usable_cores() == len(os.sched_getaffinity(0))


def test_a_container_that_gets_less_is_seen(group):
    (group / "memory.max").write_text(f"{GIB}\n")
    (group / "cpu.max").write_text("150000 100000\n")
    assert usable_memory() == GIB
    assert usable_cores() == min(2, len(os.sched_getaffinity(0)))


def test_a_limit_of_the_group_around_it_counts_too(group):
    (group / "memory.max").write_text("max\n")
    (group.parent / "memory.max").write_text(f"{GIB // 2}\n")
    assert usable_memory() == GIB // 2


def test_no_limit_in_an_old_control_group_is_none(group):
    (machine.CGROUP / "memory").mkdir()
    (machine.CGROUP / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert usable_memory() == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_a_slurm_job_that_gets_less_is_seen(group, monkeypatch):
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "512")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    assert usable_memory() == 512 * 2**20
    assert usable_cores() == 1
