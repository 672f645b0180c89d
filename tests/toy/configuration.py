"""The shipped configuration, and overlays of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lensml.models.refusal import refusal
from lensml.schema import Config, load_config
from lensml.schema.yaml_reader import deep_merge, read_yaml

ROOT = Path(__file__).resolve().parents[2]
CONFIG_DIR = ROOT / "config"
CATALOGUE = CONFIG_DIR / "catalogue"
DEFAULT = CONFIG_DIR / "config.yaml"
VARIED = CONFIG_DIR / "deeplense_varied.yaml"
DOMAINS = sorted(path.stem for path in (CATALOGUE / "domains").glob("*.yaml"))
Load = Callable[..., Config]
Problem = Callable[[str], str]


def load_files(*files: Path, catalogue_dir: Path = CATALOGUE) -> Config:
    """Merge files in order, as Snakemake does, and check the result."""
    merged: dict[str, Any] = {}
    for file in files:
        merged = deep_merge(merged, read_yaml(file))
    return load_config(merged, catalogue_dir=catalogue_dir, files=files, refusal=refusal)


def load_varied(*files: Path, catalogue_dir: Path = CATALOGUE) -> Config:
    """The same over a run of varied lenses, ``euclid`` to ``hst``, on images alone."""
    merged = deep_merge(read_yaml(DEFAULT), {**read_yaml(VARIED), "run": None})
    for file in files:
        merged = deep_merge(merged, read_yaml(file))
    files = (DEFAULT, VARIED, *files)
    return load_config(merged, catalogue_dir=catalogue_dir, files=files, refusal=refusal)


def configured(changes: Mapping[str, Any]) -> Config:
    """A run of varied lenses with changes."""
    merged = deep_merge(read_yaml(DEFAULT), {**read_yaml(VARIED), "run": None})
    merged = deep_merge(merged, dict(changes))
    return load_config(merged, catalogue_dir=CATALOGUE, files=[DEFAULT, VARIED])
