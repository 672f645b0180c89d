"""What a file says of its images beside them: labels, splits, groups, noise and exposure."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lensml.data.imported.arrays import BESIDE, MEMBERS, column_in

KNOWN = BESIDE[:2]  # numbers of an image; what needs no number is text


def labels_of(path: Path, name: str, n: int) -> list[str]:
    """Class of every image, as text: 1 and 1.0 are '1'.

    Args:
        path: of the file.
        name: of the array.
        n: images.

    Raises:
        ValueError: there is no such array, it has not a label for each image, or one is none.
    """
    found = column_in(path, name)
    if found is None:
        raise ValueError(
            f"{path}: has no array '{name}' of labels (files.labels); allowed are the name of an "
            "array of the same file, or a CSV file with a column 'class'"
        )
    return _texts(path, name, found, n)


def columns_of(path: Path, n: int) -> dict[str, list[str]]:
    """Split, group, noise and exposure of every image, as text, of which there is an array.

    Raises:
        ValueError: an array has not a value for each image.
    """
    found = {name: column_in(path, name) for name in (*MEMBERS, *KNOWN)}
    return {
        name: _texts(path, name, np.broadcast_to(x, n) if x.ndim == 0 else x, n)
        for name, x in found.items()
        if x is not None
    }


def _texts(path: Path, name: str, column: np.ndarray, n: int) -> list[str]:
    if column.shape != (n,):
        raise ValueError(
            f"{path}: {name} has shape {column.shape}; needed is one for each image, ({n},)"
        )
    values = [each.decode() if isinstance(each, bytes) else each for each in column.tolist()]
    missing = [i for i, each in enumerate(values) if each != each or each == ""]  # NaN is not NaN
    if missing:
        raise ValueError(f"{path}: {name} of image {missing[0]} is missing")
    return [_text(each) for each in values]


def _text(value: object) -> str:
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)
