"""Memory and cores that a process may use: of the machine, its container and its SLURM job."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
OWN_GROUP = Path("/proc/self/cgroup")
UNLIMITED = 2**60  # bytes; what an old cgroup writes for none


def usable_memory() -> int:
    """Bytes: the smallest of the machine's, the container's and the SLURM job's."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *_group_memory(), *_slurm_memory()])


def usable_cores() -> int:
    """Cores: the smallest of what the process is bound to, the container's and the SLURM job's."""
    bound = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if bound else os.cpu_count() or 1
    return max(min([cores, *_group_cores(), *_slurm_cores()]), 1)


def _groups() -> Iterator[Path]:
    """Control groups that hold this process, the root among them: each can set a limit."""
    try:
        lines = OWN_GROUP.read_text().splitlines()
    except OSError:
        lines = []
    own = {line.rpartition(":")[2].strip("/") for line in lines}
    for name in {"", *own}:
        path = CGROUP / name
        while path.is_relative_to(CGROUP):
            yield path
            path = path.parent


def _group_memory() -> Iterator[int]:
    for group in _groups():
        for file in (group / "memory.max", CGROUP / "memory" / "memory.limit_in_bytes"):
            text = _text_of(file)
            if text.isdigit() and 0 < int(text) < UNLIMITED:
                yield int(text)


def _group_cores() -> Iterator[int]:
    for group in _groups():
        quota, _, period = _text_of(group / "cpu.max").partition(" ")
        if quota.isdigit() and period.isdigit() and int(period):
            yield math.ceil(int(quota) / int(period))


def _slurm_memory() -> Iterator[int]:
    mebibytes = os.environ.get("SLURM_MEM_PER_NODE", "")
    if mebibytes.isdigit() and int(mebibytes):
        yield int(mebibytes) * 2**20


def _slurm_cores() -> Iterator[int]:
    cores = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if cores.isdigit() and int(cores):
        yield int(cores)


def _text_of(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
