"""``run.json``: what a result was made of."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from llvmlite import binding

from lensml.data.checksums import checksum_of_file
from lensml.data.files import write_json
from lensml.data.manifest import manifest_path
from lensml.provenance import git_commit, provenance

PACKAGES = (
    "lensml",
    "torch",
    "timm",
    "numpy",
    "scipy",
    "scikit-learn",
    "zarr",
    "numba",
    "lenstronomy",
    "snakemake",
)


def data_fingerprint(stores: Sequence[str | Path]) -> list[str]:
    """Checksum of every store's manifest: it changes with any byte of the data."""
    return [file_checksum(manifest_path(store)) for store in stores]


def file_checksum(path: str | Path) -> str:
    """Checksum of a file that a run starts from."""
    return checksum_of_file(path)[1]


def write_run(
    path: str | Path,
    *,
    config: Mapping[str, Any],
    data: Sequence[str],
    device: torch.device,
    seconds: float,
    images_per_second: float,
    **further: Any,
) -> None:
    """Write ``run.json``.

    Args:
        path: of the file.
        config: every section that the run depended on.
        data: checksums of the stores' manifests and of the weights that it started from.
        device: where it ran.
        seconds: wall time of training (of its last leg, if it was resumed).
        images_per_second: throughput.
        further: what else belongs to the run.
    """
    content = {
        "config": dict(config),
        "data": list(data),
        "device": _device_name(device),
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "seconds": round(seconds, 2),
        "images_per_second": round(images_per_second, 1),
        "versions": {"python": platform.python_version(), **package_versions()},
        "git_commit": git_commit(),
        "made_with": provenance(),
        **further,
    }
    write_json(path, content)


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu ({platform.machine()})"


def processor() -> dict[str, Any]:
    """The CPU, and what it can do: libraries choose their instructions by it.

    Another choice rounds otherwise, and a training that starts so ends elsewhere.

    Returns:
        ``model`` by its own name, ``kind`` and ``features`` as LLVM (numba) knows them, and
        ``torch``, the instructions that torch takes.
    """
    return {
        "model": _cpu_model(),
        "kind": binding.get_host_cpu_name(),
        "features": sorted(name for name, has in binding.get_host_cpu_features().items() if has),
        "torch": torch.backends.cpu.get_cpu_capability(),
    }


def _cpu_model() -> str:
    """Name that the processor gives itself; Linux keeps it in a file of its own."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()


def package_versions() -> dict[str, str]:
    """Installed versions of what a result depends on."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
