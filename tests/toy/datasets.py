"""A small dataset and its bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import zarr

N, ROWS, PIX = 10, 4, 8  # images, images per block, pixels: two full blocks and half of a third
SEED = 1
WHERE = {"seed": SEED, "split": "train", "start": 0}


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def plain(store: Path) -> Any:
    """The store as zarr alone opens it."""
    return zarr.open_group(store, mode="r")
