"""Where trained classifiers lie: runs, their exports, and the configuration above them."""

from __future__ import annotations

from pathlib import Path

import yaml

from lensml.schema import Config

WEIGHTS, RECORD, CALIBRATION = "weights.safetensors", "run.json", "calibration.json"
NETWORK = "classifier.onnx"  # of an export
DESCRIBED, CONFIG, CARD = "model.safetensors", "config.json", "README.md"  # to be handed on


def root_of(folder: str | Path) -> Path | None:
    """The folder of results that a run's folder lies in; None where no config.yaml is above it."""
    run = Path(folder).absolute()
    return next((p for p in run.parents if (p / "config.yaml").is_file()), None)


def configuration_of(folder: str | Path) -> tuple[Path, Config]:
    """The folder of results that a run's folder lies in, and their configuration.

    Raises:
        ValueError: no ``config.yaml`` lies above it.
    """
    root = root_of(folder)
    if root is None:
        raise ValueError(f"{folder}: no config.yaml of a run lies above it")
    return root, Config.model_validate(yaml.safe_load((root / "config.yaml").read_text()))


def runs_in(folder: str | Path) -> list[Path]:
    """A trained network's folder, or those of all seeds below the folder of its encoder.

    Raises:
        FileNotFoundError: there is no trained network.
    """
    found = _of_seeds(Path(folder), WEIGHTS)
    if not found:
        raise FileNotFoundError(f"{folder} holds no trained classifier: {WEIGHTS} is missing")
    return [path.parent for path in found]


def exports_in(folder: str | Path) -> list[Path]:
    """Exported networks: the file itself, that of a folder, or those of all seeds below it."""
    path = Path(folder)
    if path.suffix == ".onnx":
        return [path] if path.is_file() else []
    return _of_seeds(path, NETWORK)


def described_in(folder: str | Path) -> list[Path]:
    """Weights that describe themselves: the file, that of a folder, or those of all seeds."""
    path = Path(folder)
    if path.suffix == ".safetensors":
        return [path] if path.is_file() else []
    return _of_seeds(path, DESCRIBED)


def networks_in(folder: str | Path) -> list[Path]:
    """Whatever a folder has of trained classifiers: exported, described, or runs.

    Raises:
        FileNotFoundError: it has none.
    """
    return exports_in(folder) or described_in(folder) or runs_in(folder)


def _of_seeds(folder: Path, file: str) -> list[Path]:
    if (folder / file).is_file():
        return [folder / file]
    found = folder.glob(f"seed*/{file}")
    return sorted(found, key=lambda path: int(path.parent.name.removeprefix("seed")))
