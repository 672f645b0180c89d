"""``lensml check``: whether the workflow would take configuration files, without Snakemake.

Snakemake reads the files of ``--configfile`` before any code of the workflow runs, and what it
says of a tab, an empty file or one that is not UTF-8 names neither file nor line.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from lensml.models.refusal import refusal
from lensml.schema import ConfigError, read_config
from lensml.shipped import VERSION_FILE, workflow_folder


def report(files: Sequence[Path], workflow: Path | None = None) -> int:
    """Print what is wrong, a line each, or that nothing is; the exit status.

    Args:
        files: overlays, in the order in which ``--configfile`` would name them.
        workflow: folder of the workflow, with its default configuration and catalogue: the
            project that this is called in, or else what lensml was installed with.
    """
    if workflow is None:
        workflow = Path.cwd() if Path(VERSION_FILE).is_file() else workflow_folder()
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
