"""``lensml init``: a folder with the workflow in it, to run and to change."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from lensml import __version__
from lensml.shipped import PARTS, VERSION_FILE, workflow_folder

NEXT = """{folder}: the workflow of lensml {version}. Next:
  cd {folder}
  snakemake --cores 2 --configfile config/smoke.yaml    all of it in small, in minutes
  snakemake --cores 2                                   the default run, config/config.yaml"""


def write_project(folder: Path) -> None:
    """Write a project: the Snakefile, rules and what they run, configuration, profiles.

    Everything is copied beside its place first and moved there last, the Snakefile after the rest:
    a folder without one is no project.

    Args:
        folder: is made where there is none.

    Raises:
        OSError: the folder is not empty, is a file, or cannot be written; what was begun is gone.
    """
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; name one that is, or a new one")
    try:
        with tempfile.TemporaryDirectory(prefix=".lensml-init-", dir=folder) as begun:
            _copy(workflow_folder(), Path(begun))
            _move(Path(begun), folder)
    finally:
        if made and not any(folder.iterdir()):
            folder.rmdir()


def _copy(workflow: Path, target: Path) -> None:
    for name in PARTS:
        source, copy = workflow / name, target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, copy)
    (target / VERSION_FILE).write_text(f"{__version__}\n", encoding="utf-8")


def _move(begun: Path, folder: Path) -> None:
    for path in sorted(begun.iterdir(), key=lambda path: path.name == "Snakefile"):
        path.rename(folder / path.name)


def report(folder: Path) -> int:
    """Write a project and say what to do with it; the exit status."""
    try:
        write_project(folder)
    except OSError as error:
        says = f"{error.strerror}: '{error.filename}'" if error.strerror else error
        print(f"lensml init: {says}", file=sys.stderr)
        return 1
    print(NEXT.format(folder=folder, version=__version__))
    return 0
