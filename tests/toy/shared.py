"""What is made once for every process of a test run."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest


def folder_of_all(factory: pytest.TempPathFactory) -> Path:
    """A folder that belongs to this run and is the same in each of its processes."""
    own = factory.getbasetemp()
    return own.parent if own.name.startswith("popen-") else own  # the name that xdist gives


def made_once(folder: Path, make: Callable[[Path], object]) -> Path:
    """A folder that the first process to ask for it makes, while others wait.

    Args:
        folder: in :func:`folder_of_all`; it does not exist before.
        make: fills the new folder. If it fails, it fails for every process.
    """
    done, failed = (folder.with_name(f"{folder.name}.{state}") for state in ("done", "failed"))
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # given back when the file is closed or its process dies
        if failed.exists():
            pytest.fail(f"{folder.name} could not be made: {failed.read_text()}")
        if not done.exists():
            folder.mkdir()
            try:
                make(folder)
            except BaseException as error:
                failed.write_text(str(error) or repr(error))
                raise
            done.touch()
    return folder
