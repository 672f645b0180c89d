"""A lens in a folder, as PyAutoLens keeps it: ``data.fits``, ``noise_map.fits``, ``psf.fits``.

``info.json`` may say the pixel scale, and ``mask_extra_galaxies.fits`` which pixels are others'.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lensml.data.observed.errors import UnusableImageError
from lensml.schema.observed import ObservedLens

PARTS = {
    "image": "data.fits",
    "noise_map": "noise_map.fits",
    "psf": "psf.fits",
    "mask": "mask_extra_galaxies.fits",
}
INFO = "info.json"


def resolved(lens: ObservedLens) -> ObservedLens:
    """The files of a lens whose ``image`` is a folder; another lens as it is.

    What the configuration says besides wins over what lies in the folder.

    Raises:
        UnusableImageError: the folder holds no image, or its ``info.json`` cannot be read.
    """
    folder = Path(lens.image)
    if not folder.is_dir():
        return lens
    if not (folder / PARTS["image"]).is_file():
        raise UnusableImageError(f"{folder}: is a folder without {PARTS['image']}")
    given = lens.model_dump()
    given["image"] = str(folder / PARTS["image"])
    for key in ("noise_map", "mask") + (("psf",) if lens.psf_fwhm is None else ()):
        if given[key] is None and (folder / PARTS[key]).is_file():
            given[key] = str(folder / PARTS[key])
    if lens.pixel_scale is None:
        given["pixel_scale"] = _info(folder).get("pixel_scale")
    try:
        return ObservedLens.model_validate(given)
    except ValueError as error:
        raise UnusableImageError(f"{folder / INFO}: {_first(error)}") from None


def _info(folder: Path) -> dict[str, Any]:
    path = folder / INFO
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise UnusableImageError(f"{path}: is no JSON ({error})") from None
    return content if isinstance(content, dict) else {}


def _first(error: ValueError) -> str:
    return " ".join(str(error).split())
