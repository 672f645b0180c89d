"""``lensml check``: whether the workflow would take configuration files, without Snakemake.

Snakemake reads the files of ``--configfile`` before any code of the workflow runs, and what it
says of a tab, an empty file or one that is not UTF-8 names neither file nor line.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import lensml
from lensml.models.refusal import refusal
from lensml.schema import ConfigError, read_config

WORKFLOW = Path(lensml.__file__).resolve().parents[1]


def report(files: Sequence[Path], workflow: Path = WORKFLOW) -> int:
    """Print what is wrong, a line each, or that nothing is; the exit status.

    Args:
        files: overlays, in the order in which ``--configfile`` would name them.
        workflow: folder of the workflow, with its default configuration and catalogue.
    """
    default = workflow / "config" / "config.yaml"
    try:
        read_config(
            [default, *files], catalogue_dir=workflow / "config" / "catalogue", refusal=refusal
        )
    except ConfigError as error:
        for line in error.lines:
            print(f"configuration error: {line}", file=sys.stderr)
        return 1
    print(", ".join(map(str, [default, *files])) + ": nothing is wrong")
    return 0
