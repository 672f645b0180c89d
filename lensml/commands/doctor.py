"""``lensml doctor``: whether this machine can run the workflow, and what would slow it down."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

from packaging.requirements import Requirement

from lensml import __version__
from lensml.data.machine import usable_cores, usable_memory

DISTRIBUTION = "lensml"
LITTLE_DISK = 10  # GB; the default run writes 1.5, its environment 6
LITTLE_MEMORY = 8  # GB; the largest jobs of the default run ask for it


class Finding(NamedTuple):
    """One line of the report."""

    status: Literal["ok", "note", "wrong"]
    what: str
    says: str


def findings() -> Iterator[Finding]:
    """Everything that was looked at, in the order of the report."""
    for check in CHECKS:
        try:
            yield from check()
        except Exception as error:  # one broken part must not hide the others
            name = check.__name__.strip("_")
            yield Finding("wrong", name, f"cannot be checked: {type(error).__name__}: {error}")


def _python() -> Iterator[Finding]:
    required = metadata.metadata(DISTRIBUTION)["Requires-Python"]
    version = platform.python_version()
    fits = Requirement(f"python{required}").specifier.contains(version, prereleases=True)
    says = f"{version} at {sys.executable}"
    yield Finding(
        "ok" if fits else "wrong", "Python", says if fits else f"{says}, needs {required}"
    )
    yield Finding("ok", "lensml", __version__)


def _packages() -> Iterator[Finding]:
    wrong, count = [], 0
    for line in metadata.requires(DISTRIBUTION) or []:
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        count += 1
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is not installed")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} is {version}, needs {requirement.specifier}")
    for line in wrong:
        yield Finding("wrong", "packages", line)
    if not wrong:
        yield Finding("ok", "packages", f"{count}, each of a version that lensml works with")


def _torch() -> Iterator[Finding]:
    import torch

    yield Finding("ok", "torch", torch.__version__)
    driver = shutil.which("nvidia-smi")
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_properties(n) for n in range(torch.cuda.device_count())]
        for properties in names:
            memory = properties.total_memory / 2**30
            yield Finding("ok", "GPU", f"{properties.name}, {memory:.0f} GiB")
    elif driver and torch.version.cuda is None:
        yield Finding("wrong", "GPU", "there is one, but this torch was built without CUDA")
    elif driver:
        yield Finding(
            "wrong",
            "GPU",
            f"torch, built for CUDA {torch.version.cuda}, cannot use it: {_driver_version()}",
        )
    else:
        yield Finding("note", "GPU", "none here: networks train on the CPU")


def _driver_version() -> str:
    says = _output("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    return f"driver {says.splitlines()[0]}" if says else "nvidia-smi fails"


def _threads() -> Iterator[Finding]:
    cores = usable_cores()
    yield Finding("ok", "cores", f"{cores} can be used: snakemake --cores {cores}")
    pressure = os.getloadavg()[0]
    if pressure > cores:
        yield Finding("note", "cores", f"busy: load {pressure:.1f}, so timings mean little")


def _memory() -> Iterator[Finding]:
    total = usable_memory() / 2**30
    says = f"{total:.0f} GiB"
    if total < LITTLE_MEMORY:
        says += "; give Snakemake the limit: --resources mem_mb=" + str(int(total * 900))
    yield Finding("ok" if total >= LITTLE_MEMORY else "note", "memory", says)


def _disk() -> Iterator[Finding]:
    for what, folder in (("disk", Path.cwd()), ("temporary disk", Path(tempfile.gettempdir()))):
        if not os.access(folder, os.W_OK):
            yield Finding("wrong", what, f"{folder} cannot be written to")
            continue
        free = shutil.disk_usage(folder).free / 1e9
        status = "ok" if free > LITTLE_DISK or what != "disk" else "note"
        yield Finding(status, what, f"{free:.0f} GB free at {folder}")
    home = Path.home()
    if not os.access(home, os.W_OK):
        yield Finding(
            "note",
            "home",
            f"{home} cannot be written to: set XDG_CACHE_HOME and MPLCONFIGDIR to a folder "
            "that can",
        )


def _slurm() -> Iterator[Finding]:
    if shutil.which("sbatch") is None:
        yield Finding("note", "SLURM", "none here: jobs run on this machine")
        return
    partitions = _output("sinfo", "--noheader", "--format", "%P %D %G")
    if partitions is None:
        yield Finding("note", "SLURM", "sbatch is installed, but no controller answers sinfo")
        return
    yield Finding("ok", "SLURM", "; ".join(partitions.split("\n")) or "no partition")
    if _output("sacct", "--noheader", "--allocations") is None:
        yield Finding(
            "note",
            "SLURM",
            "no accounting: in slurm/profile.yaml, take the # from slurm-status-command and "
            "slurm-no-account",
        )


def _output(*command: str) -> str | None:
    """What a program prints, None if it fails or does not answer."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=15)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _python,
    _packages,
    _torch,
    _threads,
    _memory,
    _disk,
    _slurm,
)


def report() -> int:
    """Print the findings, a line each; the exit status."""
    wrong = 0
    for finding in findings():
        wrong += finding.status == "wrong"
        print(f"{finding.status:<6}{finding.what:<16}{finding.says}")
    if wrong:
        print(f"\n{wrong} of these must be put right before lensml can run here.")
    return int(wrong > 0)
