"""Observed lenses modelled at their own pixels: a row and a picture of each."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from lensml.data.files import write_json
from lensml.data.observed import UnusableImageError
from lensml.evaluation.statistics.predictions import write_examples
from lensml.evaluation.statistics.tables import write_formats
from lensml.modelling.field import read_field
from lensml.modelling.lens import LensModel, model_field
from lensml.modelling.mass import NAMES
from lensml.modelling.mocks import mock_evidence
from lensml.modelling.potential import Filter
from lensml.modelling.verdict import Facts, adequacy, facts_of, reasons_against, statement_of
from lensml.schema.observed import ObservedLens

STAGES = 4  # that are told of while a lens is modelled
LOOKED_AT = 1.9  # of theta_E: half of a picture's width
NOTE = (
    "Elliptical power law with shear and multipoles of order 3 and 4, a source of 36 x 36 "
    "splines, the lens's light as Gaussians; coordinates in arcsec from the cut-out's middle, "
    "errors from the curvature at the best model, which knows no other. chi2: of the arcs over "
    "that of blank sky. explained: share of what the light of the lens leaves. statement: 'a "
    "lens' is said where an arc is measurable, lies about the Einstein radius on both sides of "
    "it, and no other solution is as probable; these limits were set on few lenses and are no "
    "rates. ln E: evidence that small extra potentials bring, of lenses with an adequate model "
    "alone, and the 95th percentile of the same in {n} refitted mocks without any. clump, hole: "
    "the most significant single clump of mass, and the most significant lack of one, which "
    "nature does not have. A clump is no detection where a hole is as significant."
)

# Columns that come first; the others by the alphabet.
FIRST = (
    *("lens", "statement", "reason", "against", "model"),
    *(name + end for name in NAMES for end in ("", "_error")),
)

log = logging.getLogger(__name__)


def model_observed(
    name: str, lens: ObservedLens, row: str, examples: str, *, n_mocks: int, seed: int
) -> None:
    """Model one lens; one that cannot be modelled is a row with its reason.

    Args:
        name: of the lens.
        lens: files, and what is known of them.
        row: JSON to write, a row of the table.
        examples: npz to write, for the picture; empty of a lens without a model.
        n_mocks: in which the potential filter is run too.
        seed: of the mocks.
    """
    known: dict[str, Any] = {"lens": name, "reason": ""}
    arrays: dict[str, np.ndarray] = {}
    started = time.process_time()
    try:
        with tqdm(total=STAGES, desc=name, unit="stage", disable=None) as bar:

            def advance(stage: str) -> None:
                bar.set_postfix_str(stage)
                bar.update()
                log.info("%s: %.1f s of CPU", stage, time.process_time() - started)

            model = model_field(read_field(lens), advance)
        facts = facts_of(model)
        known |= _row(model, facts)
        arrays = _pictured(model)
        log.info("small potentials: %.1f s of CPU", time.process_time() - started)
        if not known["against"] and known["model"] == "adequate":
            found, more = _potential(model, n_mocks, seed)
            known, arrays = known | found, arrays | more
        log.info("modelled in %.1f s of CPU", time.process_time() - started)
    except UnusableImageError as error:
        known["reason"] = str(error)
    # Files hold what nobody foresaw, and none of them may end the others' work.
    except Exception as error:
        log.exception("%s", name)
        known["reason"] = f"{lens.image}: {type(error).__name__} ({' '.join(str(error).split())})"
    write_examples(examples, **arrays)
    write_json(row, known)


def _row(model: LensModel, facts: Facts) -> dict[str, Any]:
    against = reasons_against(model, facts)
    row: dict[str, Any] = {"against": "; ".join(against), "model": adequacy(facts)}
    for name, (value, error) in model.parameters.items():
        row |= {name: value, f"{name}_error": error}
    measured = asdict(facts) | {"chi2_ratio": facts.chi2_ratio, "explained": facts.explained}
    row |= {key: float(value) if np.isfinite(value) else None for key, value in measured.items()}
    row["pixel_scale"] = model.field.pixel_scale
    row["way"] = model.candidates[0].way
    row["statement"] = statement_of(model, facts)
    return row


def _pictured(model: LensModel) -> dict[str, np.ndarray]:
    """Arrays of the picture: images cut about the lens."""
    best, field = model.best, model.field
    center = best.mass[4:6]
    half = min(max(LOOKED_AT * best.mass[0], 0.8), field.half_width)
    middle = [int(np.abs(axis - c).argmin()) for axis, c in zip(_axes(field), center, strict=True)]
    reach = int(half / field.pixel_scale)
    columns, rows = (slice(max(m - reach, 0), m + reach + 1) for m in middle)
    cut = (rows, columns)
    left = field.image - best.lens_light - best.arcs
    used = best.task.used
    axes = [axis[part] for axis, part in zip(_axes(field), (columns, rows), strict=True)]
    spacing, m = best.grid[2], best.m
    extent = _extent(axes[0], axes[1], field.pixel_scale)
    return {
        "image": field.image[cut] / np.median(field.noise[cut]),
        "arcs": ((field.image - best.lens_light) / field.noise)[cut],
        "model": (best.arcs / field.noise)[cut],
        "residual": np.where(used, left / field.noise, np.nan)[cut],
        "extent": extent,
        "source": best.nodes / np.abs(best.nodes).max(),
        "source_extent": np.repeat(best.grid[:2], 2) + np.array([0, 1, 0, 1]) * (m - 1) * spacing,
        "theta_E": np.array(best.mass[0]),
        "center": center,
    }


def _axes(field: Any) -> tuple[np.ndarray, np.ndarray]:
    return field.x[0], field.y[:, 0]


def _extent(x: np.ndarray, y: np.ndarray, pixel_scale: float) -> np.ndarray:
    half = pixel_scale / 2
    return np.array([x[0] - half, x[-1] + half, y[0] - half, y[-1] + half])


def _potential(
    model: LensModel, n_mocks: int, seed: int
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Columns and arrays of the potential filter, with its nulls."""
    analysis = Filter(model.best, model.rings.outer)
    found = analysis.evidence()
    clumps = analysis.clumps()
    bar = tqdm(mock_evidence(model, n_mocks, seed), "mocks", n_mocks, unit="mock", disable=None)
    nulls = np.array(list(bar))
    clump, hole = clumps.extreme(1), clumps.extreme(-1)
    row = {
        "log_evidence": found.log_evidence,
        "log_evidence_mocks_95": float(np.quantile(nulls, 0.95)) if n_mocks else None,
        "log_evidence_mocks_max": float(nulls.max()) if n_mocks else None,
        "n_mocks": n_mocks,
    }
    row |= {f"clump_{key}": value for key, value in clump.items()}
    row |= {f"hole_{key}": value for key, value in hole.items()}
    arrays = {"log_evidence": np.array(found.log_evidence)}
    if found.log_evidence > 0:
        convergence, error, axis = analysis.convergence(found.amplitude)
        peak = np.unravel_index(convergence.argmax(), convergence.shape)
        row |= {"peak_x": float(axis[peak[1]]), "peak_y": float(axis[peak[0]])}
        arrays |= {"convergence": convergence, "convergence_error": error}
        arrays["convergence_axis"] = axis
    return row, arrays


def tabulate_observed_models(rows: Sequence[str], outputs: Sequence[str], *, n_mocks: int) -> None:
    """Table of modelled lenses.

    Args:
        rows: JSON files of the lenses, in their order.
        outputs: the .csv, .html, .md and .tex files to write.
        n_mocks: of every lens.
    """
    table = pd.DataFrame([json.loads(Path(path).read_text()) for path in rows])
    table = table[[*FIRST, *sorted(set(table) - set(FIRST))]] if "model" in table else table
    summary = pd.DataFrame([_texts(row) for row in table.to_dict("records")])
    note = NOTE.format(n=n_mocks)
    write_formats(outputs, table, summary, f"Models of observed lenses. {note}")


def _texts(row: Mapping[str, Any]) -> dict[str, str]:
    """What a reader needs of a lens."""
    if row["reason"]:
        dashes = dict.fromkeys(("theta_E", "gamma", "shear", "chi2", "explained", "ln E"), "–")
        more = {"clump": "–", "hole": "–", "statement": f"not modelled: {row['reason']}"}
        return {"lens": row["lens"], **dashes, **more}
    shear = np.hypot(row["gamma1"], row["gamma2"])
    return {
        "lens": row["lens"],
        "theta_E": f"{row['theta_E']:.3f} ± {row['theta_E_error']:.3f}",
        "gamma": f"{row['gamma']:.2f} ± {row['gamma_error']:.2f}",
        "shear": f"{shear:.3f}",
        "chi2": f"{row['chi2_ratio']:.2f}",
        "explained": f"{row['explained']:.1%}",
        "ln E": _evidence(row),
        "clump": _place(row, "clump"),
        "hole": _place(row, "hole"),
        "statement": row["statement"],
    }


def _known(row: Mapping[str, Any], key: str) -> bool:
    value = row.get(key)
    return value is not None and bool(np.isfinite(value))


def _evidence(row: Mapping[str, Any]) -> str:
    if not _known(row, "log_evidence"):
        return "–"
    text = f"{row['log_evidence']:.1f}"
    if _known(row, "log_evidence_mocks_95"):
        text += f" (mocks: {row['log_evidence_mocks_95']:.1f})"
    return text


def _place(row: Mapping[str, Any], what: str) -> str:
    if not _known(row, f"{what}_significance"):
        return "–"
    place = f"({row[f'{what}_x']:.2f}, {row[f'{what}_y']:.2f})"
    return f"S/N {row[f'{what}_significance']:.1f} at {place}"
