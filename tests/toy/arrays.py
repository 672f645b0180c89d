"""Files of named arrays, as users have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import zarr


def write_arrays(path: Path, **arrays: Any) -> Path:
    """An npz, HDF5 or Zarr file (by its ending, .zarr2 for version 2) of arrays by name."""
    found = {name: np.asarray(each) for name, each in arrays.items()}
    if path.suffix == ".npz":
        np.savez(path, **found)  # type: ignore[arg-type]
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            for name, each in found.items():
                file[name] = each.tolist() if each.dtype.kind == "U" else each
    else:
        group = zarr.open_group(path, mode="w", zarr_format=2 if path.suffix == ".zarr2" else 3)
        for name, each in found.items():
            group.create_array(name, data=each, chunks=(2, *each.shape[1:]) if each.ndim else ())
    return path
