"""Reading what smooth lenses left over: a store beside the images, one row for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from lensml.data.manifest import DamagedStoreError, read_manifest, verify
from lensml.data.store import ChunkedImages, check_place, map_images

FIT_SCHEMA_VERSION = 1
FITS = "fits"  # folder of <domain>/<class>/<split>.zarr, as DATASETS is
DATASETS, PROXIES = "datasets", "proxies"
GRID_IMAGES, GRID_FITS = "limit/images/", "limit/fits/"  # of the grid beside the bounds
# Array of images -> unit, what it is. The last two are there if a potential was looked for.
MAPS = {
    "residual": ("", "image minus smooth lens, in units of the noise"),
    "model": ("e-/s per pixel", "smooth lens and source, and what is left of the lens's light"),
    "kappa": ("", "convergence that explains the residual (Wiener)"),
    "kappa_std": ("", "posterior standard deviation of kappa"),
}
POTENTIAL_MAPS = ("kappa", "kappa_std")
# What became of an image; the column ``outcome`` holds places in this tuple. The first two have
# parameters and a model; of the others the residual is the image itself.
OUTCOMES = ("fitted", "not_converged", "failed", "no_light", "not_finite", "unknown_noise")


@dataclass(frozen=True)
class Fits:
    """The fits of a store of images; row i is of image i.

    Attributes:
        path: of the Zarr group.
        attributes: those of the images, and the settings of the fit.
        maps: name, of ``MAPS`` -> images, (N, H, W) float32; finite everywhere.
        columns: chi2, evaluations, converged, outcome and, if a potential was looked for, z and
            evidence -> (N,).
        parameters, errors: name -> (N,), NaN of an image that could not be fitted; errors also of
            parameters that were not free or ended at a bound.
        statistics: name -> (N,).
    """

    path: Path
    attributes: dict[str, Any]
    maps: Mapping[str, ChunkedImages]
    columns: Mapping[str, np.ndarray]
    parameters: Mapping[str, np.ndarray]
    errors: Mapping[str, np.ndarray]
    statistics: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.columns["chi2"])

    def counts(self) -> dict[str, int]:
        """How many images had each outcome."""
        found = np.bincount(self.columns["outcome"], minlength=len(OUTCOMES))
        return dict(zip(OUTCOMES, map(int, found), strict=True))


def open_fits(path: str | Path, *, check: bool = True) -> Fits:
    """Open a sealed store of fits.

    Args:
        path: of the ``{split}.zarr`` group.
        check: compare every file with the manifest first.

    Raises:
        DamagedStoreError: the store is incomplete, damaged, of another layout, or lies where
            another belongs.
    """
    path = Path(path)
    manifest = verify(path) if check else read_manifest(path)
    try:
        group = zarr.open_group(path, mode="r")
        attributes = dict(group.attrs)
        found = attributes["fit_schema_version"]
        if found != FIT_SCHEMA_VERSION:
            raise DamagedStoreError(
                f"{path}: layout version {found}, this lensml reads {FIT_SCHEMA_VERSION}; fit the "
                "images again"
            )
        check_place(path, attributes, FITS)
        kinds = {name: _columns(group[name]) for name in ("parameters", "errors", "statistics")}
        return Fits(
            path=path,
            attributes=attributes,
            maps={name: map_images(path, manifest, name) for name in MAPS if name in group},
            columns=_columns(group),
            **kinds,
        )
    except (KeyError, OSError, ValueError) as error:
        if isinstance(error, DamagedStoreError):
            raise
        raise DamagedStoreError(f"{path}: not a lensml store of fits ({error})") from None


def _columns(group: Any) -> dict[str, np.ndarray]:
    """Arrays of one number per image, in the order of names."""
    return {name: np.asarray(a[...]) for name, a in sorted(group.arrays()) if a.ndim == 1}


def fits_of(images: str | Path) -> Path:
    """Where the fits of a store lie: at its own path, but below ``fits`` instead of ``datasets``.

    Args:
        images: store below a folder ``datasets``, of proxies, or of the limit's grid.

    Raises:
        ValueError: the store lies elsewhere.
    """
    path = Path(images)
    if path.parent.name == PROXIES:
        return path.parents[1] / FITS / path.stem / "proxy" / "val.zarr"
    for folder, beside in ((f"{DATASETS}/", FITS), (GRID_IMAGES, GRID_FITS)):
        above, name, below = str(path).rpartition(folder)
        if name:
            return Path(above) / beside / below
    raise ValueError(f"{path}: fits lie beside a folder '{DATASETS}', which it is not in")
