"""Blind fits of cameras beside the cameras that took the images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lensml.data.blind_camera import Fit
from lensml.data.harmonise import Camera, camera_of
from lensml.data.harmonise.psf import fwhm_of
from lensml.evaluation.statistics.tables import write_formats
from lensml.schema.simulation import Domain

KEYS = ("source_domain", "target_domain")
CAPTION = (
    "Cameras. A target's camera from unlabelled images of it and of the source, without a fact of "
    "it, beside the camera that took them. pixel_off, psf_off: fitted over true, less 1, of the "
    "pixel's side and of the FWHM of the whole point spread function; zero_point_off: fitted less "
    "true; each ± the standard deviation that the fit states. chi2: of the match of mean profiles "
    "and power spectra, of so many degrees of freedom, those that sampling moves about. A camera "
    "is refused where the spectra differ by what no camera can make: then its numbers are not "
    "used."
)


def tabulate_cameras(runs: Sequence[Mapping[str, Any]], outputs: Sequence[str]) -> None:
    """Table of blind fits, a row per pair of domains.

    Args:
        runs: mappings with ``source_domain``, ``target_domain``, ``fit`` (a file), and ``source``
            and ``target``, the sections of the domains.
        outputs: the .csv, .html, .md and .tex files to write.
    """
    rows = [compared(run) for run in runs]
    write_formats(outputs, pd.DataFrame(rows), pd.DataFrame(map(_text, rows)), CAPTION)


def compared(run: Mapping[str, Any]) -> dict[str, Any]:
    """A fitted camera beside the true one.

    Returns:
        The pair; ``pixel_scale``, ``psf_fwhm`` (arcsec) and ``zero_point`` (mag), each with its
        ``_true`` and ``_off`` (relative, of the zero point in magnitudes) and the stated
        ``_error`` of that; ``chi2``, ``dof``, ``p_value`` and ``refusal``, empty where there is
        none.
    """
    fit = Fit.read(run["fit"])
    found, true = _facts(fit.camera), _facts(camera_of(Domain.model_validate(run["target"])))
    row: dict[str, Any] = {key: run[key] for key in KEYS}
    for name, short in (("pixel_scale", "pixel"), ("psf_fwhm", "psf"), ("zero_point",) * 2):
        off = found[name] - true[name]
        row |= {
            name: found[name],
            f"{name}_true": true[name],
            f"{short}_off": off if name == "zero_point" else off / true[name],
            f"{short}_error": fit.errors[short],
        }
    row |= {"chi2": fit.chi2, "dof": fit.dof, "p_value": fit.p_value}
    return {**row, "refusal": fit.refusal or ""}


def _facts(camera: Camera) -> dict[str, float]:
    return {
        "pixel_scale": camera.pixel_scale,
        "psf_fwhm": fwhm_of(camera.psf),
        "zero_point": camera.zero_point,
    }


def _text(row: Mapping[str, Any]) -> dict[str, str]:
    def percent(name: str) -> str:
        off, error = 100 * row[f"{name}_off"], 100 * row[f"{name}_error"]
        return f"{off:+.2f} ± {error:.2f} %"

    zero_point = row["zero_point_off"], row["zero_point_error"]
    return {
        **{key: row[key] for key in KEYS},
        "pixel_off": percent("pixel"),
        "psf_off": percent("psf"),
        "zero_point_off": "{:+.4f} ± {:.4f} mag".format(*zero_point),
        "chi2": f"{row['chi2']:.1f} of {row['dof']:.1f}",
        "verdict": f"refused: {row['refusal']}" if row["refusal"] else "accepted",
    }
