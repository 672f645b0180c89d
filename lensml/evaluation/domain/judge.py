"""The judge of a domain, from lenses that are drawn as its validation images are.

They are drawn and fitted where they are needed, and kept beside the results: whoever was given
weights and a configuration alone can judge, too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from tqdm import tqdm

from lensml.data.files import write_atomic
from lensml.evaluation.domain.facts import FACTS, facts_of
from lensml.evaluation.domain.verdict import Judge
from lensml.fit.observed import observe
from lensml.fit.smooth import SmoothFitter
from lensml.fit.starts import Reference
from lensml.schema.fit import Fit
from lensml.schema.simulation import Domain

VERSION = 1  # of the facts
N_IMAGES = 400  # of a class
SPLIT = "val"  # networks were not trained on it


@dataclass(frozen=True)
class Ordinary:
    """Facts of a domain's own images.

    Attributes:
        facts: (N, F), all classes together; finite.
        labels: (N,) int, class of each.
        evidence: (M,) of those without substructure, that a potential explains what is left; NaN
            without a filter.
        background_rms: e-/s per pixel, median.
        exposure_time: s, median.
    """

    facts: np.ndarray
    labels: np.ndarray
    evidence: np.ndarray
    background_rms: np.ndarray  # ()
    exposure_time: np.ndarray  # ()

    def judge(self, without: Collection[str] = ()) -> Judge:
        """Who says whether other images are like these.

        Args:
            without: facts that are not looked at.
        """
        return Judge.of(self.facts, self.labels, FACTS, without=without)


def ordinary_images(
    domain: Domain,
    substructures: list[str],
    spec: Fit,
    reference: Reference,
    folder: str | Path,
    *,
    seed: int,
    n_images: int = N_IMAGES,
) -> Ordinary:
    """Facts of a domain's validation images: kept in a folder, or measured and kept there.

    Args:
        domain: camera and population.
        substructures: classes, the one without substructure first.
        spec: of the fit.
        reference: library of its starts.
        folder: of the kept facts; they are measured anew where anything that they depend on is
            another.
        seed: of the run.
        n_images: of a class.

    Raises:
        ValueError: no Sersic profile fits the domain's sources.
    """
    about = [VERSION, n_images, domain.model_dump(mode="json"), substructures, spec.model_dump()]
    digest = hashlib.sha256(json.dumps([*about, seed], sort_keys=True).encode()).hexdigest()[:16]
    path = Path(folder) / f"{domain.name}-{digest}.npz"
    kept = _read(path)
    if kept is None:
        kept = _measured(domain, substructures, spec, reference, seed, n_images)
        arrays = {each.name: getattr(kept, each.name) for each in fields(kept)}
        write_atomic(path, lambda stream: np.savez(stream, **arrays))  # type: ignore[arg-type]
    return kept


def _read(path: Path) -> Ordinary | None:
    try:
        with path.open("rb") as stream, np.load(stream) as archive:
            return Ordinary(*(archive[each.name] for each in fields(Ordinary)))
    except (OSError, KeyError, ValueError, EOFError, BadZipFile):
        return None


def _measured(
    domain: Domain,
    substructures: list[str],
    spec: Fit,
    reference: Reference,
    seed: int,
    n_images: int,
) -> Ordinary:
    fitter = SmoothFitter(domain, spec)
    scale = domain.instrument.pixel_scale
    facts, evidence, exposures = [], np.zeros(0), []
    for substructure in tqdm(substructures, desc=f"images of {domain.name}", disable=None):
        _, images = observe(domain, substructure, n=n_images, seed=seed, split=SPLIT)
        fitted = list(fitter.fit(images, reference))
        facts.append(facts_of(images, fitted, scale))
        exposures.append((images.background_rms, images.exposure_time))
        if substructure == substructures[0]:
            evidence = np.array([f.explained.evidence if f.explained else np.nan for f in fitted])
    found = np.concatenate(facts)
    labels = np.repeat(np.arange(len(substructures)), n_images)
    known = np.isfinite(found).all(axis=1)
    rms, time = np.median(np.concatenate(exposures, axis=1), axis=1)
    return Ordinary(found[known], labels[known], evidence, np.array(rms), np.array(time))
