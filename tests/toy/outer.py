"""A workflow of someone else that has this one as its module, as docs/module.md shows it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from toy.configuration import ROOT
from toy.examples import example
from toy.smoke_run import SMOKE

SHOWN = "lensml/Snakefile"


def outer_workflow(folder: Path, **changes: Any) -> Path:
    """The Snakefile of the guide and a configuration with the smoke run under a key of its own."""
    text = example(ROOT / "docs/module.md", "python", "module lensml")
    assert f'"{SHOWN}"' in text
    (folder / "Snakefile").write_text(text.replace(SHOWN, str(ROOT / "Snakefile")))
    section = {**yaml.safe_load(SMOKE.read_text()), **changes}
    own = {"lensml": section, "mine": {"anything": 1}}
    (folder / "config.yaml").write_text(yaml.safe_dump(own))
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Snakemake in a folder."""
    command = [sys.executable, "-m", "snakemake", *arguments, "--cores", "1"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
