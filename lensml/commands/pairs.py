"""``lensml pairs``: the pairs of several runs, whose tables lie apart, in one figure."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from lensml.commands.check import WORKFLOW
from lensml.figures import Style, plot_pairs
from lensml.schema import Config, ConfigError, read_config
from lensml.schema.catalogue import read_catalogue

TITLE = "Adaptation without labels, on the target's test images"


def report(
    tables: Sequence[Path], files: Sequence[Path], output: Path, workflow: Path = WORKFLOW
) -> int:
    """Draw the figure, and print where it lies; the exit status.

    Args:
        tables: of adaptation, a CSV file per run.
        files: overlays that declare domains of theirs, as ``--configfile`` would name them.
        output: .png or .pdf.
        workflow: folder of the workflow, with its default configuration and catalogue.
    """
    config_dir = workflow / "config"
    try:
        config = read_config(
            [config_dir / "config.yaml", *files], catalogue_dir=config_dir / "catalogue"
        )
        labels = _labels(config, config_dir / "catalogue")
        plot_pairs(tables, labels=labels, title=TITLE, style=_style(config), output=[output])
    except ConfigError as error:
        for line in error.lines:
            print(f"configuration error: {line}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"lensml pairs: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"lensml pairs: {error}", file=sys.stderr)
        return 1
    print(f"{output}: {', '.join(map(str, tables))}")
    return 0


def _labels(config: Config, catalogue_dir: Path) -> dict[str, str]:
    """Labels of every domain that is declared, not of the configuration's own alone."""
    domains = read_catalogue(catalogue_dir, config.catalogue)["domains"]
    return {name: entry.content.get("label") or name for name, entry in domains.items()}


def _style(config: Config) -> Style:
    return Style(**config.figures.model_dump(exclude={"gallery_examples"}))
