"""How often a domain's own images are refused, and how often others are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from zlib import crc32

import numpy as np
from tqdm import tqdm

from lensml.evaluation.domain.corruptions import CORRUPTIONS
from lensml.evaluation.domain.facts import facts_of
from lensml.evaluation.domain.judge import ordinary_images
from lensml.evaluation.domain.sets import columns_of, reason_against_set
from lensml.evaluation.domain.verdict import FALSE_ALARMS, Judge
from lensml.evaluation.statistics.bootstrap import system_weights
from lensml.evaluation.statistics.metrics import Measured, mean_metric
from lensml.evaluation.statistics.seeds import measured_table
from lensml.evaluation.statistics.tables import TaskTable, write_table
from lensml.fit.observed import Observed, observe
from lensml.fit.smooth import SmoothFitter
from lensml.fit.starts import Reference, draw_reference
from lensml.schema.fit import Fit
from lensml.schema.simulation import Domain
from lensml.schema.training import Evaluation

N_TEST = 500  # images of a class
N_CORRUPTED = 200  # of all classes together
WIDER, SHARPER = 1.5, 0.7  # FWHM of another PSF over the domain's
N_SETS, SIZE = 10, 60  # sets of images, and images of one
VERDICT = TaskTable(
    title="Verdicts",
    keys=("domain", "images", "of"),
    shown=("share_refused",),
    notes=(
        "share_refused: of images that are said to lie outside the domain, for which no network's "
        f"probabilities are given. Of the domain's own test images at most {FALSE_ALARMS:.0%} of "
        "a class are meant to be. The others are test images of all classes, corrupted. Another "
        "PSF cannot be told from another source in a single image: it has to be known, or to be "
        f"seen in a set. sets: of {SIZE} images that are each within the domain.",
    ),
)


def tabulate_verdicts(
    domains: Sequence[dict[str, Any]],
    outputs: Sequence[str],
    spec: Evaluation,
    *,
    fit: dict[str, Any],
    classes: Sequence[str],
    folder: str,
    seed: int,
) -> None:
    """Table of verdicts on a domain's test images and on corrupted ones, made in memory.

    Args:
        domains: sections of the domains.
        outputs: the .csv, .html, .md and .tex files to write.
        spec: bootstrap.
        fit: section of the fit.
        classes: names, the one without substructure first.
        folder: of the kept facts of the domains' images.
        seed: of the run.

    Raises:
        ValueError: no Sersic profile fits a domain's sources.
    """
    smooth = Fit.model_validate({**fit, "potential": None})
    found = []
    for section in domains:
        jury = _Jury(Domain.model_validate(section), list(classes), smooth, folder, seed)
        found += jury.measured(spec)
    table = measured_table(found, VERDICT.keys, spec, seed=seed)
    write_table(table, outputs, VERDICT, confidence=spec.confidence)


class _Jury:
    """Verdicts on images of one domain."""

    def __init__(
        self, domain: Domain, classes: list[str], spec: Fit, folder: str, seed: int
    ) -> None:
        self.domain, self.classes, self.seed = domain, classes, seed
        self.reference: Reference = draw_reference(domain, n=spec.n_reference, seed=seed)
        self.ordinary = ordinary_images(domain, classes, spec, self.reference, folder, seed=seed)
        self.judge: Judge = self.ordinary.judge()
        self.fitter = SmoothFitter(domain, spec)

    def measured(self, spec: Evaluation) -> list[tuple[dict[str, Any], list[Measured]]]:
        """Shares that are refused, of every kind of images."""
        return [
            ({"domain": self.domain.name, "images": name, "of": of, "seed": 0}, [share])
            for name, of, share in self._shares(spec)
        ]

    def _shares(self, spec: Evaluation) -> Iterator[tuple[str, str, Measured]]:
        own = {c: self._images(self.domain, c, N_TEST) for c in self.classes}
        for substructure, images in own.items():
            yield "test images", substructure, self._share([images], spec)
        n = -(-N_CORRUPTED // len(own))
        few = [_first(images, n) for images in own.values()]
        for name, corrupt in tqdm(CORRUPTIONS.items(), desc=self.domain.name, disable=None):
            rng = np.random.default_rng([self.seed, crc32(name.encode())])
            yield name, "all", self._share([corrupt(x, self.domain, rng) for x in few], spec)
        for factor in (SHARPER, WIDER):
            other = [self._images(_with_psf(self.domain, factor), c, n) for c in self.classes]
            yield f"psf_{factor:g}", "all", self._share(other, spec)
        for factor in (1, SHARPER, WIDER):
            name = "test images" if factor == 1 else f"psf_{factor:g}"
            yield name, "sets", self._share_of_sets(_with_psf(self.domain, factor), spec)

    def _share_of_sets(self, domain: Domain, spec: Evaluation) -> Measured:
        """Sets that are refused as such; no lens stands in two of them, of whatever class."""
        n, k = N_SETS * SIZE, len(self.classes)
        parts = [self._images(domain, name, n) for name in self.classes]
        facts = np.concatenate([self._facts(_every(each, i, k)) for i, each in enumerate(parts)])
        facts = facts[[verdict.within for verdict in self.judge.judge(facts)]]
        facts = facts[np.random.default_rng(self.seed).permutation(len(facts))]
        sets = [facts[i : i + SIZE] for i in range(0, len(facts) - SIZE + 1, SIZE)]
        outside = np.array(
            [bool(reason_against_set(columns_of(each), self.ordinary)) for each in sets], float
        )
        weights = system_weights(np.arange(len(sets)), spec.n_bootstrap, self.seed)
        return mean_metric("share_refused", float(outside.mean()), outside, weights, spec)

    def _facts(self, images: Observed) -> np.ndarray:
        scale = self.domain.instrument.pixel_scale
        return facts_of(images, list(self.fitter.fit(images, self.reference)), scale)

    def _images(self, domain: Domain, substructure: str, n: int) -> Observed:
        return observe(domain, substructure, n=n, seed=self.seed, split="test")[1]

    def _share(self, images: Sequence[Observed], spec: Evaluation) -> Measured:
        refused, systems = [], []
        for each in images:
            refused += [not verdict.within for verdict in self.judge.judge(self._facts(each))]
            systems += list(range(len(each)))
        outside = np.array(refused, float)
        weights = system_weights(np.array(systems), spec.n_bootstrap, self.seed)
        return mean_metric("share_refused", float(outside.mean()), outside, weights, spec)


def _first(images: Observed, n: int) -> Observed:
    return _some(images, slice(n))


def _every(images: Observed, start: int, step: int) -> Observed:
    return _some(images, slice(start, None, step))


def _some(images: Observed, rows: slice) -> Observed:
    light = None if images.subtracted is None else images.subtracted[rows]
    return Observed(
        images.image[rows], images.background_rms[rows], images.exposure_time[rows], light
    )


def _with_psf(domain: Domain, factor: float) -> Domain:
    instrument = domain.instrument
    changed = instrument.model_copy(update={"psf_fwhm": factor * instrument.psf_fwhm})
    return domain.model_copy(update={"instrument": changed})
