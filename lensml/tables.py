"""Reading tables and arrays that jobs write, with errors that name the file and what it lacks.

It lies below every floor that reads results: figures are made of these alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

PROBABILITY = "p_"  # prefix of the columns that hold a class's probability
ALL_SEEDS = "all"  # in the column ``seed`` of a table: the mean over seeds
RUN_FILES = Mapping[str, Sequence[str | Path]]  # model or method -> one file per seed


def read_table(
    path: str | Path, columns: Sequence[str], *, finite: Sequence[str] = ()
) -> pd.DataFrame:
    """Read a CSV file that must have rows and these columns.

    Args:
        path: the file.
        columns: names that must be there; others may be.
        finite: columns whose every value must be a finite number.

    Raises:
        ValueError: if the table is empty, lacks a column or holds a value that is not a number.
    """
    expected = f"expected a CSV table with columns {', '.join(columns)}"
    try:
        table = pd.read_csv(path, dtype={"label": "str"})
    except pd.errors.EmptyDataError:
        raise ValueError(f"{path}: the file is empty; {expected}") from None
    missing = [name for name in columns if name not in table]
    if missing:
        names = ", ".join(f"'{name}'" for name in missing)
        raise ValueError(f"{path}: column {names} is missing; {expected}")
    if table.empty:
        raise ValueError(f"{path}: the table has no rows; {expected}")
    for name in finite:
        _check_finite(table, name, path)
    return table


def _check_finite(table: pd.DataFrame, name: str, path: str | Path) -> None:
    numbers = np.asarray(pd.to_numeric(table[name], errors="coerce"), dtype=float)
    bad = np.flatnonzero(~np.isfinite(numbers))
    if len(bad):
        raise ValueError(
            f"{path}: column '{name}' holds '{table[name].iloc[bad[0]]}' in row {bad[0] + 1}; "
            "expected finite numbers"
        )


def of_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of single seeds."""
    return table.loc[table["seed"].astype(str) != ALL_SEEDS]


def over_seeds(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """One row of a tidy table for every combination of keys: of all seeds, or of the only one.

    Args:
        table: with the column ``seed``; without it every row is of the only one.
        keys: columns that tell methods and metrics apart.
    """
    if "seed" not in table:
        return table
    every = table["seed"].astype(str) == ALL_SEEDS
    several = every.groupby([table[key] for key in keys], dropna=False).transform("any")
    return table.loc[every | ~several]


def read_predictions(path: str | Path) -> pd.DataFrame:
    """Read class probabilities: columns ``label`` and ``p_<class>`` for each class.

    Raises:
        ValueError: also if there are fewer than two classes, or an image of an unknown one.
    """
    table = read_table(path, ["label"])
    classes = classes_of(table)
    if len(classes) < 2:
        raise ValueError(
            f"{path}: {len(classes)} columns begin with '{PROBABILITY}'; "
            "expected label and p_<class> for two or more classes"
        )
    for name in classes:
        _check_finite(table, PROBABILITY + name, path)
    check_labels(table, classes, path)
    return table


def classes_of(predictions: pd.DataFrame) -> list[str]:
    """Classes that have a column of probabilities, in the table's order."""
    names = [str(column) for column in predictions.columns]
    return [name.removeprefix(PROBABILITY) for name in names if name.startswith(PROBABILITY)]


def check_labels(table: pd.DataFrame, classes: Sequence[str], path: str | Path) -> None:
    """Refuse a table that lacks images of a class or holds images of another one."""
    found = set(table["label"])
    if found != set(classes):
        raise ValueError(
            f"{path}: column 'label' holds {', '.join(sorted(map(str, found)))}; "
            f"expected each of {', '.join(classes)} and nothing else"
        )


def check_runs(files: RUN_FILES, what: str) -> None:
    """Refuse a mapping without entries, or an entry without files."""
    if not files:
        raise ValueError(f"{what}: nothing to plot; expected one entry per model or method")
    for name, paths in files.items():
        if not paths:
            raise ValueError(f"{what}: '{name}' has no files; expected one per seed")


def read_all_predictions(predictions: RUN_FILES) -> dict[str, list[pd.DataFrame]]:
    """Tables of each model or method, all of the same classes.

    Raises:
        ValueError: also if the classes differ from one file to another.
    """
    check_runs(predictions, "predictions")
    tables = {name: [read_predictions(p) for p in paths] for name, paths in predictions.items()}
    classes = classes_of(next(iter(tables.values()))[0])
    for name, paths in predictions.items():
        for path, table in zip(paths, tables[name], strict=True):
            if classes_of(table) != classes:
                raise ValueError(
                    f"{path}: columns are for classes {', '.join(classes_of(table))}; "
                    f"expected {', '.join(classes)} as in the other files"
                )
    return tables


def read_arrays(path: str | Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Read arrays of an .npz file.

    Args:
        path: the file.
        names: arrays that must be there; others are left alone.

    Raises:
        ValueError: if an array is missing, or there is no example in ``image``, if asked for.
    """
    with np.load(path, allow_pickle=False) as stored:
        missing = [name for name in names if name not in stored]
        if missing:
            quoted = ", ".join(f"'{name}'" for name in missing)
            raise ValueError(
                f"{path}: array {quoted} is missing; expected arrays {', '.join(names)}"
            )
        arrays = {name: stored[name] for name in names}
    if "image" in arrays and (arrays["image"].ndim != 3 or not len(arrays["image"])):
        raise ValueError(
            f"{path}: array 'image' has shape {arrays['image'].shape}; "
            "expected (N, H, W) with at least one example"
        )
    return arrays
