"""What breaks fits: lenses simulated as the truth says, fitted as the observer believes.

Thresholds come from smooth validation lenses that are what the observer believes, so that nothing
is wrong with them; a rate of false positives beyond the nominal one is what the mistake costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from lensml.data.files import write_csv, write_json
from lensml.evaluation.anomaly.fits import FITTED, MOST_ANOMALOUS
from lensml.evaluation.anomaly.metrics import anomaly_metrics, false_alarms
from lensml.evaluation.statistics.metrics import Measured, resolved
from lensml.evaluation.statistics.tables import TaskTable, tabulate
from lensml.fit.observed import observe
from lensml.fit.smooth import FittedImage, SmoothFitter
from lensml.fit.starts import Reference, draw_reference
from lensml.fit.statistics import STATISTICS
from lensml.provenance import git_commit
from lensml.schema.misspecification import Believed, Sample
from lensml.schema.simulation import Domain
from lensml.schema.training import Evaluation
from lensml.simulate.systems import Systems
from lensml.training.engine.record import package_versions

SMOOTH = "no_sub"
NOTE = (
    "Test lenses are as the case says and fitted as the observer believes. nominal_fpr_<rate>: "
    "share of smooth test lenses beyond the score that this share of smooth validation lenses "
    "exceeds, which are what the observer believes; an interval that holds the rate itself says "
    "that the case does no harm."
)


def measure_misspecification(
    case: Believed,
    test: Sequence[str],
    validation: Sequence[str],
    *,
    classes: Sequence[str],
    sample: Sample,
    seed: int,
) -> None:
    """Simulate and fit the lenses of a case, in memory, and write their scores.

    Args:
        case: truth and belief.
        test: a CSV per score, of lenses as they are.
        validation: the same of smooth lenses as they are believed to be.
        classes: names, ``no_sub`` first.
        sample: numbers of lenses, and scores.
        seed: of the run.
    """
    fitter = SmoothFitter(case.believed, case.fit)
    library = draw_reference(case.believed, n=case.fit.n_reference, seed=seed)
    numbers = dict.fromkeys(classes, sample.n_substructure) | {SMOOTH: sample.n_smooth}
    parts = [
        _scored(fitter, library, case.truth, name, n, sample, split="test", seed=seed)
        for name, n in numbers.items()
    ]
    of_test = pd.concat(parts, ignore_index=True)
    believed, n = case.believed, sample.n_validation
    known = _scored(fitter, library, believed, SMOOTH, n, sample, split="val", seed=seed)
    for outputs, table in ((test, of_test), (validation, known)):
        for score, output in zip(sample.scores, outputs, strict=True):
            own = table.drop(columns=[s for s in sample.scores if s != score])
            write_csv(output, own.rename(columns={score: "score"}))


def _scored(
    fitter: SmoothFitter,
    library: Reference,
    domain: Domain,
    substructure: str,
    n: int,
    sample: Sample,
    *,
    split: str,
    seed: int,
) -> pd.DataFrame:
    """Scores of the first lenses of a class, a column each, beside what identifies them."""
    systems, images = observe(domain, substructure, n=n, seed=seed, split=split)
    fits = tqdm(
        fitter.fit(images, library), f"{substructure} {split}", n, unit="lens", disable=None
    )
    # One after the other: the maps of every fit would fill the memory.
    rows = [[score_of(fitted, name) for name in sample.scores] for fitted in fits]
    identity = _identity(systems, substructure)
    return identity.join(pd.DataFrame(rows, columns=list(sample.scores)))


def _identity(systems: Systems, substructure: str) -> pd.DataFrame:
    """``system_id``, ``index``, ``label``, and ``group`` where sources are observed galaxies."""
    truth = systems.truth
    table = pd.DataFrame({"system_id": truth["system_id"], "index": np.arange(len(systems))})
    galaxy = truth["source_galaxy"]
    if (galaxy >= 0).all():
        table["group"] = galaxy
    return table.assign(label=substructure)


def score_of(fitted: FittedImage, name: str) -> float:
    """A score of one fit; an image without a model is most anomalous of all.

    Args:
        fitted: with what the potential filter found, if that is asked for.
        name: chi2, a statistic of the residual, or z or evidence of the filter.
    """
    if name == "chi2":
        value = fitted.chi2
    elif name in STATISTICS:
        value = fitted.statistics[list(STATISTICS).index(name)]
    else:
        value = getattr(fitted.explained, name, np.nan)
    good = fitted.outcome in FITTED and np.isfinite(value)
    return float(value) if good else MOST_ANOMALOUS


def tabulate_misspecification(
    runs: Sequence[Mapping[str, Any]],
    outputs: Sequence[str],
    run: str | Path,
    *,
    section: Mapping[str, Any],
    classes: Sequence[str],
    spec: Evaluation,
    seed: int,
) -> None:
    """Table of every case and score.

    Args:
        runs: mappings with ``path`` and ``validation`` of scores, ``seed``, and the table's keys.
        outputs: the .csv, .html, .md and .tex files to write.
        run: path of the record of settings and versions.
        section: of the configuration, its cases and sizes.
        classes: names, ``no_sub`` first.
        spec: bootstrap and rates.
        seed: of the bootstrap.

    Raises:
        ValueError: a file lacks a column or has no rows.
    """
    found = [(one, _measures(one, spec, seed=seed)) for one in runs]
    smallest = min(section["n_validation"], section["n_smooth"])
    rates = [rate for rate in spec.false_positive_rates if resolved(rate, smallest)]
    shown = [f"roc_auc_{name}" for name in classes if name != SMOOTH]
    about = TaskTable(
        title="Misspecification",
        keys=("domain", "case", "score"),
        shown=(*shown, *(f"nominal_fpr_{rate:g}" for rate in rates)),
        notes=(NOTE,),
    )
    tabulate(about, found, outputs, spec, seed=seed)
    record = {
        "config": {**section, "seed": seed},
        "versions": package_versions(),
        "git_commit": git_commit(),
    }
    write_json(run, record)


def _measures(run: Mapping[str, Any], spec: Evaluation, *, seed: int) -> list[Measured]:
    path = run["path"]
    return anomaly_metrics(path, spec, seed=seed) + false_alarms(
        path, run["validation"], spec, seed=seed
    )
