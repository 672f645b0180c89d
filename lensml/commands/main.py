"""The command ``lensml``: checks of configuration, results, machine; Snakemake does the work."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from lensml import __version__

EPILOG = "The workflow itself is run by Snakemake: snakemake --cores 2"


def parser() -> argparse.ArgumentParser:
    """Arguments of ``lensml``."""
    top = argparse.ArgumentParser(prog="lensml", description=__doc__, epilog=EPILOG)
    top.add_argument("--version", action="version", version=f"lensml {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    verify = commands.add_parser(
        "verify",
        help="check every dataset and file of a results folder against what was recorded",
        description="Check every dataset and file of a results folder against the checksums that "
        "were recorded when it was made. Exit status 1: something is damaged, missing or "
        "unfinished; each is named in a line.",
    )
    verify.add_argument("results", nargs="?", type=Path, default=Path("results"))
    check = commands.add_parser(
        "check",
        help="check configuration files, with file, key, value and what is allowed in a line each",
        description="Check configuration files as the workflow would take them after its own "
        "config/config.yaml, before Snakemake reads them. Exit status 1: something is wrong; each "
        "problem is a line.",
    )
    check.add_argument("files", nargs="*", type=Path, metavar="FILE")
    commands.add_parser(
        "doctor",
        help="check versions, GPU, threads, memory, disk and SLURM of this machine",
        description="Check whether this machine can run the workflow. Exit status 1: something "
        "that it needs is missing.",
    )
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        The exit status: 0, or 1 if something is wrong.
    """
    given = parser().parse_args(arguments)
    if given.command == "verify":
        from lensml.commands.verify import report

        return report(given.results)
    if given.command == "check":
        from lensml.commands.check import report as check

        return check(given.files)
    from lensml.commands.doctor import report as diagnose

    return diagnose()
