"""Files of predictions and anomaly scores, one CSV row per test image, and of examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lensml.data.files import write_atomic, write_csv
from lensml.data.images import StretchedImages, unstretch
from lensml.tables import PROBABILITY, classes_of, read_table

PIECE = 1000  # images at a time


@dataclass(frozen=True)
class Scored:
    """Images that get anomaly scores.

    Attributes:
        stores: one per class.
        classes: in the order of the stores.
        outputs: CSV of every score.
        limit: images of every store; None for all.
    """

    stores: Sequence[str]
    classes: Sequence[str]
    outputs: Mapping[str, str]
    limit: int | None = None


def write_predictions(
    output: str, probabilities: np.ndarray, images: StretchedImages, classes: Sequence[str]
) -> None:
    """Write probabilities (N, K) of labelled images as ``predictions.csv``."""
    write_csv(output, predictions_table(probabilities, images, classes))


def predictions_table(
    probabilities: np.ndarray, images: StretchedImages, classes: Sequence[str]
) -> pd.DataFrame:
    """Probabilities (N, K) of labelled images, one row each."""
    table = _identity(images, classes)
    for k, name in enumerate(classes):
        table[PROBABILITY + name] = probabilities[:, k]
    return table


def write_scores(
    output: str, score: np.ndarray, images: StretchedImages, classes: Sequence[str]
) -> None:
    """Write anomaly scores (N,) of labelled images as ``scores.csv``.

    Flux (in units of the background's rms) and Einstein radius (arcsec, of lens and substructure
    together, which tells no class; of simulated images) stand beside them, so that what is owed to
    these can be told from the rest.
    """
    table = _identity(images, classes)
    table["score"] = score
    table["flux"] = total_flux(images)
    if images.knows("theta_E_total"):
        table["theta_E_total"] = images.truth("theta_E_total")
    write_csv(output, table)


def total_flux(images: StretchedImages) -> np.ndarray:
    """Flux of every image in units of its background's rms, (N,).

    Raises:
        ValueError: the stretch has lost it.
    """
    pieces = np.array_split(np.arange(len(images)), max(len(images) // PIECE, 1))
    fluxes = [unstretch(images.rows(p), images.network_input) for p in pieces]
    return np.concatenate([flux.sum((1, 2), dtype=float) for flux in fluxes])


def write_regression(
    output: str,
    images: StretchedImages,
    *,
    truth: np.ndarray,
    mean: np.ndarray,
    std_raw: np.ndarray,
    std: np.ndarray,
) -> None:
    """Write a Gaussian for every image of one class as ``predictions.csv``.

    Args:
        output: CSV with system_id, index, truth, mean, std_raw, std, and ``group`` where sources
            are observed galaxies.
        images: N test images.
        truth: (N,) dex, as the rest.
        mean: (N,).
        std_raw: (N,) as predicted.
        std: (N,) after the scale that was fitted on validation images.
    """
    columns = {"truth": truth, "mean": mean, "std_raw": std_raw, "std": std}
    write_csv(output, _images(images).assign(**columns))


def _identity(images: StretchedImages, classes: Sequence[str]) -> pd.DataFrame:
    if images.labels is None:
        raise ValueError("predictions are written for labelled test images only")
    return _images(images).assign(label=np.array(list(classes))[images.labels])


def _images(images: StretchedImages) -> pd.DataFrame:
    """``system_id``, ``index``, and ``group`` where images have their source in common."""
    table = pd.DataFrame({"system_id": images.system_id, "index": images.index})
    group = images.group
    return table if group is None else table.assign(group=group)


def independent(table: pd.DataFrame) -> np.ndarray:
    """What of the images is independent, and so resampled as a whole: (N,) identifiers.

    The lens system; where systems share observed galaxies as their sources, the galaxy.

    Args:
        table: predictions or scores.
    """
    return table["group" if "group" in table else "system_id"].to_numpy()


def read_independent(path: str) -> np.ndarray:
    """:func:`independent` of a file, (N,)."""
    columns = {"system_id", "group"}
    return independent(pd.read_csv(path, usecols=lambda name: name in columns))


def write_examples(output: str, **arrays: np.ndarray) -> None:
    """Write arrays for a figure as an npz file."""
    write_atomic(output, lambda stream: np.savez_compressed(stream, **arrays))  # type: ignore[arg-type]


def read_predictions(path: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Predictions of test images.

    Returns:
        system_id (N,), label (N,) int, probabilities (N, K), names of the classes.

    Raises:
        ValueError: a column is missing, a label has none, or the file has no rows.
    """
    table = read_table(path, ["system_id", "index", "label"])
    classes = classes_of(table)
    unknown = sorted(set(table["label"]) - set(classes))
    if unknown:
        raise ValueError(f"{path}: label {unknown[0]!r} has no column {PROBABILITY}<class>")
    label = np.array([classes.index(name) for name in table["label"]])
    probabilities = table[[PROBABILITY + name for name in classes]].to_numpy()
    return table["system_id"].to_numpy(), label, probabilities, classes
