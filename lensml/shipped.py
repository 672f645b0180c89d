"""Where the workflow's own files lie: in a checkout beside the package, in a wheel inside it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
# What a project needs, as a checkout has it. A wheel carries it: hatch_build.py reads this list.
PARTS = (
    "Snakefile",
    *("rules", "workflow_scripts", "config", "profiles", "slurm", "docs/captions"),
    *(f"envs/{name}.yaml" for name in ("export", "figures", "simulate", "torch")),
)
VERSION_FILE = "lensml_version.txt"  # of a project: the lensml whose workflow it holds


def workflow_folder() -> Path:
    """Folder with ``Snakefile``, ``rules/``, ``config/``, as this lensml was installed."""
    carried = PACKAGE / "project"
    return carried if carried.is_dir() else PACKAGE.parent


def importable_from(workflow: Path, links: Path) -> Path:
    """Folder from which a job's Python imports this lensml, and nothing else of its environment.

    In a project the package lies in an environment, which a job of a conda environment must not
    look into: it would find another Python's numpy there. It gets a link to the package alone.

    Args:
        workflow: folder of the Snakefile; in a checkout, the package lies in it.
        links: where the link may lie.
    """
    if PACKAGE.parent == workflow.resolve():
        return workflow
    link = links.absolute() / PACKAGE.name
    if not (link.is_symlink() and link.readlink() == PACKAGE):
        links.mkdir(parents=True, exist_ok=True)
        new = link.with_name(f".{os.getpid()}")
        with suppress(FileExistsError):
            new.symlink_to(PACKAGE)
        new.replace(link)
    return link.parent


def version_problem(folder: Path, installed: str) -> str | None:
    """A line if a project's workflow was written by another lensml than the one that is installed.

    Rules and package are one thing in two places: a rule hands over what the package's functions
    of the same version take.

    Args:
        folder: with the Snakefile.
        installed: version of the package.
    """
    file = folder / VERSION_FILE
    if not file.is_file():
        return None  # a checkout, whose package lies beside
    written = file.read_text(encoding="utf-8").strip()
    if written == installed:
        return None
    return (
        f"{file}: this project was written by lensml {written}, installed is {installed}; "
        f"pip install lensml=={written}, or write a new one with lensml init and take your "
        "config/ along"
    )
