"""The judge of a domain, from lenses that are drawn as its validation images are.

They are drawn and fitted where they are needed, and kept beside the results: whoever was given
weights and a configuration alone can judge, too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from tqdm import tqdm

from lensml.data.files import write_atomic
from lensml.data.manifest import manifest_path
from lensml.data.store import open_store
from lensml.evaluation.domain.facts import FACTS, facts_of
from lensml.evaluation.domain.verdict import Judge
from lensml.fit.observed import Observed, observe, observed
from lensml.fit.smooth import SmoothFitter
from lensml.fit.starts import Reference
from lensml.schema.fit import Fit
from lensml.schema.simulation import Domain

VERSION = 3  # of the facts
N_IMAGES = 400  # of a class
SPLIT = "val"  # networks were not trained on it
FEWEST = 10  # fitted images of a class, by which others can be judged


@dataclass(frozen=True)
class Ordinary:
    """Facts of a domain's own images.

    Attributes:
        facts: (N, F), all classes together; finite.
        labels: (N,) int, class of each.
        n_classes: of the domain, those included of which no image was fitted.
        evidence: (M,) of those without substructure, that a potential explains what is left; NaN
            without a filter.
        background_rms: e-/s per pixel, median.
        exposure_time: s, median.
    """

    facts: np.ndarray
    labels: np.ndarray
    n_classes: np.ndarray  # ()
    evidence: np.ndarray
    background_rms: np.ndarray  # ()
    exposure_time: np.ndarray  # ()

    def judge(self, without: Collection[str] = ()) -> Judge:
        """Who says whether other images are like these.

        Args:
            without: facts that are not looked at.

        Raises:
            ValueError: lenses were fitted to too few images of a class.
        """
        counts = np.bincount(self.labels, minlength=self.n_classes)
        if counts.min() < FEWEST:
            raise ValueError(
                f"lenses were fitted to {counts.min()} validation images of a class, by which no "
                f"other image can be judged; {FEWEST} are needed, in e-/s with the camera's noise"
            )
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
    datasets: str | Path | None = None,
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
        datasets: folder of the stores, for a domain of files; others are drawn.

    Raises:
        FileNotFoundError: the stores of a domain of files are not there.
        ValueError: no Sersic profile fits the domain's sources, or its images have no noise.
    """
    if domain.instrument.noise == "none":
        raise ValueError(
            f"{domain.name}: its images have no noise, in whose units lenses are fitted"
        )
    about = [VERSION, n_images, domain.model_dump(mode="json"), substructures, spec.model_dump()]
    if domain.files is not None:  # what lies in the files may become another
        stores = (_store(datasets, domain, name) for name in substructures)
        about.append([manifest_path(store).read_text() for store in stores])
    digest = hashlib.sha256(json.dumps([*about, seed], sort_keys=True).encode()).hexdigest()[:16]
    path = Path(folder) / f"{domain.name}-{digest}.npz"
    kept = _read(path)
    if kept is None:
        images = _images_of(domain, datasets, seed, n_images)
        kept = _measured(domain, substructures, spec, reference, images)
        arrays = {each.name: getattr(kept, each.name) for each in fields(kept)}
        write_atomic(path, lambda stream: np.savez(stream, **arrays))  # type: ignore[arg-type]
    return kept


def _read(path: Path) -> Ordinary | None:
    try:
        with path.open("rb") as stream, np.load(stream) as archive:
            return Ordinary(*(archive[each.name] for each in fields(Ordinary)))
    except (OSError, KeyError, ValueError, EOFError, BadZipFile):
        return None


def _images_of(
    domain: Domain, datasets: str | Path | None, seed: int, n_images: int
) -> Callable[[str], Observed]:
    """Validation images of a class: those of a store where nobody can draw them."""
    if domain.files is None:
        return lambda name: observe(domain, name, n=n_images, seed=seed, split=SPLIT)[1]

    def stored(name: str) -> Observed:
        store = open_store(_store(datasets, domain, name))
        return observed(store, 0, min(n_images, len(store)))

    return stored


def _store(datasets: str | Path | None, domain: Domain, substructure: str) -> Path:
    return Path(datasets or "") / domain.name / substructure / f"{SPLIT}.zarr"


def _measured(
    domain: Domain,
    substructures: list[str],
    spec: Fit,
    reference: Reference,
    images_of: Callable[[str], Observed],
) -> Ordinary:
    fitter = SmoothFitter(domain, spec)
    scale = domain.instrument.pixel_scale
    facts, evidence, exposures = [], np.zeros(0), []
    for substructure in tqdm(substructures, desc=f"images of {domain.name}", disable=None):
        images = images_of(substructure)
        fitted = list(fitter.fit(images, reference))
        facts.append(facts_of(images, fitted, scale))
        exposures.append((images.background_rms, images.exposure_time))
        if substructure == substructures[0]:
            evidence = np.array([f.explained.evidence if f.explained else np.nan for f in fitted])
    found = np.concatenate(facts)
    labels = np.repeat(np.arange(len(substructures)), [len(each) for each in facts])
    known = np.isfinite(found).all(axis=1)
    rms, time = np.median(np.concatenate(exposures, axis=1), axis=1)
    return Ordinary(
        facts=found[known],
        labels=labels[known],
        n_classes=np.array(len(substructures)),
        evidence=evidence,
        background_rms=np.array(rms),
        exposure_time=np.array(time),
    )
