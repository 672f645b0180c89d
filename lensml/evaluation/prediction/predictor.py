"""What trained classifiers say of a user's images, and whether these are theirs to judge.

Of an image that is not one of the networks' domain no probability is given, only why: a network
is as sure of what it never saw as of what it learnt.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from lensml.data.observed.errors import UnusableImageError
from lensml.data.observed.noise import border_rms
from lensml.evaluation.classification.folders import networks_in
from lensml.evaluation.classification.trained import TrainedClassifier
from lensml.evaluation.domain.facts import facts_of
from lensml.evaluation.domain.judge import Ordinary, ordinary_images
from lensml.evaluation.domain.sets import OF_A_SET, reason_against_set
from lensml.evaluation.domain.verdict import Judge
from lensml.evaluation.prediction.files import (
    NOISE_MAP,
    Batch,
    Source,
    count,
    read_batches,
    sources_of,
)
from lensml.evaluation.prediction.networks import networks_of
from lensml.evaluation.prediction.record import Record
from lensml.fit.observed import Observed
from lensml.fit.parameters import NAMES
from lensml.fit.smooth import FittedImage, SmoothFitter
from lensml.fit.starts import Reference, draw_reference

BATCH = 64
WITHIN, OUTSIDE, UNUSABLE = "within", "outside", "unusable"
UNFITTED = {
    "no_light": "no light above its noise",
    "not_finite": "pixels that are not finite",
    "unknown_noise": "its noise is not known",
    "failed": "no lens could be fitted to it",
}


@dataclass(frozen=True)
class Predictor:
    """Classifiers of one domain and what judges images for them.

    Attributes:
        classifiers: one per seed.
        fitter: of the domain's camera.
        reference: library of starts.
        ordinary: the domain's own images.
        judge: by them.
    """

    classifiers: Sequence[TrainedClassifier]
    fitter: SmoothFitter
    reference: Reference
    ordinary: Ordinary
    judge: Judge

    @classmethod
    def of(cls, run: str | Path) -> Predictor:
        """Load the classifiers of a run.

        Args:
            run: folder of one, such as ``results/classification/euclid_l1/vit_conv_stem/seed0``,
                or the folder above, whose seeds are averaged; or of one that was handed on, or
                its ``.onnx`` or ``.safetensors`` file.

        Raises:
            FileNotFoundError: there is no trained network in the folder.
            ValueError: they are no classifiers of images as they are, or no lens can be fitted to
                images of their domain, by which others would be judged.
        """
        classifiers, judged = networks_of(run)
        domain, spec = judged.domain, judged.fit
        reference = draw_reference(domain, n=spec.n_reference, seed=judged.seed)
        ordinary = ordinary_images(
            domain,
            list(classifiers[0].classes),
            spec,
            reference,
            judged.folder / "verdict",
            seed=judged.seed,
            datasets=judged.datasets,
        )
        fitter = SmoothFitter(domain, spec)
        return cls(classifiers, fitter, reference, ordinary, ordinary.judge())

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of the columns."""
        return self.classifiers[0].classes

    def columns(self) -> list[str]:
        """Of the table."""
        spread = [f"p_{name}_std" for name in self.classes] if len(self.classifiers) > 1 else []
        return [
            *("image", "verdict", *(f"p_{name}" for name in self.classes), *spread),
            *("anomaly", "evidence", "chi2", "theta_E", "theta_E_error", "R_sersic", "n_sersic"),
            *("distance", "reason"),
        ]

    def rows(
        self,
        sources: Sequence[Source],
        *,
        background_rms: float | None = None,
        exposure_time: float | None = None,
        skip: Collection[str] = (),
    ) -> Iterator[pd.DataFrame]:
        """A table of every batch of images, in their order.

        Args:
            sources: of the images.
            background_rms: e-/s per pixel of images of which nothing else says it; measured at
                their border if not given.
            exposure_time: s, likewise; the domain's if not given.
            skip: names of images that are known; a batch of them alone has names and no more.
        """
        scale = self.fitter.domain.instrument.pixel_scale
        default = exposure_time or float(self.ordinary.exposure_time)
        for batch in read_batches(sources, size=BATCH, pixel_scale=scale):
            known = all(name in skip for name in batch.names)
            yield (
                pd.DataFrame({"image": batch.names})
                if known
                else self._table(batch, background_rms, default)
            )

    def _table(self, batch: Batch, rms: float | None, exposure_time: float) -> pd.DataFrame:
        table = pd.DataFrame(np.nan, index=range(len(batch)), columns=self.columns())
        table = table.astype(dict.fromkeys(("image", "verdict", "reason"), object))
        table["image"], table["reason"] = batch.names, ""
        problem = batch.problem or self._wrong_size(batch) or self._unknown_noise(batch)
        if problem:
            table["verdict"], table["reason"] = UNUSABLE, problem
            return table
        images = _observed(batch, rms, exposure_time)
        fitted = list(self.fitter.fit(images, self.reference))
        self._fill_fits(table, images, fitted)
        within = np.flatnonzero(table["verdict"] == WITHIN)
        if len(within):
            self._fill_probabilities(table, images, fitted, within)
        return table

    def _wrong_size(self, batch: Batch) -> str:
        n = self.fitter.domain.num_pix
        shape = batch.images.shape[1:]
        if shape == (n, n):
            return ""
        return f"{shape[0]} x {shape[1]} pixels; the networks take {n} x {n}"

    def _unknown_noise(self, batch: Batch) -> str:
        """Where a lens's light was subtracted, its photons' noise is still there."""
        light = self.fitter.domain.population.lens_light
        told = batch.subtracted is not None or batch.noise_map is not None
        if light is None or light.treatment != "subtracted" or told:
            return ""
        return (
            "the light of the lens was subtracted, and its photons' noise is not known: give a "
            f"noise map ({NOISE_MAP} beside the images in an npz, or as a column of a list)"
        )

    def _fill_fits(
        self, table: pd.DataFrame, images: Observed, fitted: Sequence[FittedImage]
    ) -> None:
        """Verdicts, and what was fitted, of every image."""
        facts = facts_of(images, fitted, self.fitter.domain.instrument.pixel_scale)
        verdicts = self.judge.judge(facts)
        table["verdict"] = [WITHIN if v.within else OUTSIDE for v in verdicts]
        table["distance"] = [v.distance for v in verdicts]
        table["reason"] = [v.reason for v in verdicts]
        for i, fit in enumerate(fitted):
            if fit.outcome in UNFITTED:
                broken = fit.outcome in ("not_finite", "unknown_noise")
                table.loc[i, "verdict"] = UNUSABLE if broken else OUTSIDE
                table.loc[i, "reason"] = UNFITTED[fit.outcome]
        table["chi2"] = [f.chi2 for f in fitted]
        table["theta_E"] = [f.parameters[0] for f in fitted]
        table["theta_E_error"] = [f.errors[0] for f in fitted]
        for name in ("R_sersic", "n_sersic"):
            table[name] = np.exp([f.parameters[NAMES.index(f"ln_{name}")] for f in fitted])
        evidence = np.array([f.explained.evidence if f.explained else np.nan for f in fitted])
        known = np.sort(self.ordinary.evidence[np.isfinite(self.ordinary.evidence)])
        if len(known):
            table["evidence"] = evidence
            below = np.searchsorted(known, evidence) / len(known)
            table["anomaly"] = np.where(np.isfinite(evidence), below, np.nan)
        outside = table["verdict"] != WITHIN
        table.loc[outside, ["evidence", "anomaly"]] = np.nan

    def as_a_set(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table of all images; of a set that is not the domain's, with nothing said of it."""
        within = table["verdict"].to_numpy(str) == WITHIN
        columns = {f.column: table.loc[within, f.column].to_numpy() for f in OF_A_SET.values()}
        reason = reason_against_set(columns, self.ordinary)
        if reason:
            said = [name for name in table if str(name).startswith("p_")]
            table.loc[within, [*said, "evidence", "anomaly"]] = np.nan
            table.loc[within, "verdict"] = OUTSIDE
            table.loc[within, "reason"] = reason
        return table

    def _fill_probabilities(
        self,
        table: pd.DataFrame,
        images: Observed,
        fitted: Sequence[FittedImage],
        within: np.ndarray,
    ) -> None:
        maps = {
            "residual": lambda f: f.residual,
            "kappa": lambda f: f.explained.kappa,
        }
        seen = self.classifiers[0].channels
        given = {
            name: np.stack([maps[name](fitted[i]) for i in within])
            for name in seen
            if name != "image"
        }
        p = np.array(
            [
                each.predict_proba(images.image[within], images.background_rms[within], **given)
                for each in self.classifiers
            ]
        )
        for k, name in enumerate(self.classes):
            table.loc[within, f"p_{name}"] = p[:, :, k].mean(0)
            if len(p) > 1:
                table.loc[within, f"p_{name}_std"] = p[:, :, k].std(0, ddof=1)


def predict(
    run: str | Path,
    images: Sequence[str | Path] | str | Path,
    *,
    background_rms: float | None = None,
    exposure_time: float | None = None,
    array: str | None = None,
    as_a_set: bool = True,
) -> pd.DataFrame:
    """What a run's classifiers say of images, a row for each.

    Args:
        run: folder of a trained classifier, or the one above with its seeds; or of one that was
            handed on, its ``.safetensors`` or its ``.onnx`` file, which onnxruntime runs.
        images: files, stores, folders, patterns or lists: see
            :func:`lensml.evaluation.prediction.files.sources_of`.
        background_rms: e-/s per pixel of images of which nothing says it; measured on their border
            if not given.
        exposure_time: s, likewise; the domain's if not given.
        array: name of the array of images, in npz, HDF5 and Zarr files that hold many.
        as_a_set: whether they are of one camera: of thirty and more, nothing is said if their
            sources are fitted with other shapes than the domain's, as with a wrong PSF.

    Returns:
        ``image``, ``verdict`` (``within`` the networks' domain, ``outside``, or ``unusable``),
        ``p_<class>`` with its standard deviation over seeds, ``anomaly`` (share of the domain's
        smooth lenses in which a potential explains less), ``evidence``, ``chi2``, ``theta_E`` with
        its error, ``R_sersic`` of the source (arcsec), ``n_sersic``, ``distance`` (above 1 is
        outside) and ``reason``. Probabilities and
        anomaly are NaN unless the verdict is ``within``.

    Raises:
        FileNotFoundError: no trained network, or no image is found.
        ValueError: see :meth:`Predictor.of`.
    """
    sources = sources_of([images] if isinstance(images, str | Path) else images, array)
    predictor = Predictor.of(run)
    tables = predictor.rows(sources, background_rms=background_rms, exposure_time=exposure_time)
    table = pd.concat(_shown(tables, sources), ignore_index=True)
    return predictor.as_a_set(table) if as_a_set else table


def predict_into(
    output: str | Path,
    run: str | Path,
    images: Sequence[str | Path],
    *,
    background_rms: float | None = None,
    exposure_time: float | None = None,
    array: str | None = None,
    as_a_set: bool = True,
) -> dict[str, int]:
    """Write the table of :func:`predict` as CSV, batch by batch; a stopped run goes on.

    Args:
        output: .csv to write; nothing is there before the table is whole.
        run, images, background_rms, exposure_time, array, as_a_set: see :func:`predict`.

    Returns:
        Number of images by verdict.

    Raises:
        FileNotFoundError, ValueError: as :func:`predict`.
    """
    sources = sources_of(images, array)
    predictor = Predictor.of(run)
    networks = networks_in(Path(run).absolute())
    weights = [(str(path), path.stat().st_mtime_ns) for path in networks]
    record = Record(output, predictor.columns(), [*weights, background_rms, exposure_time, array])
    tables = predictor.rows(
        sources, background_rms=background_rms, exposure_time=exposure_time, skip=record.done
    )
    for table in _shown(tables, sources):
        new = table.loc[~table["image"].isin(list(record.done))]
        if len(new):
            record.add(new)
    record.finish(predictor.as_a_set if as_a_set else None)
    found = pd.read_csv(output, usecols=["verdict"])["verdict"]
    counted = found.to_numpy(str)
    return {name: int(np.count_nonzero(counted == name)) for name in (WITHIN, OUTSIDE, UNUSABLE)}


def _shown(tables: Iterable[pd.DataFrame], sources: Sequence[Source]) -> Iterator[pd.DataFrame]:
    """Tables with a progress bar."""
    with tqdm(total=count(sources), desc="images", unit="image", disable=None) as bar:
        for table in tables:
            yield table
            bar.update(len(table))


def _observed(batch: Batch, rms: float | None, exposure_time: float) -> Observed:
    """Images with their noise, from what is known and else from their borders."""
    known = np.where(np.isfinite(batch.background_rms), batch.background_rms, rms or np.nan)
    for i in np.flatnonzero(~np.isfinite(known)):
        known[i] = _rms_at_the_border(batch.images[i].astype(float))
    times = np.where(np.isfinite(batch.exposure_time), batch.exposure_time, exposure_time)
    light = batch.subtracted
    if batch.noise_map is not None:
        light = _light_behind(batch.noise_map, batch.images, known, times)
    return Observed(batch.images, known.astype(np.float32), times.astype(np.float32), light)


def _rms_at_the_border(image: np.ndarray) -> float:
    """NaN of an image that has no noise there, or pixels that are not finite."""
    if not np.isfinite(image).all():
        return np.nan
    try:
        return border_rms(image, np.ones(image.shape, bool))
    except UnusableImageError:
        return np.nan


def _light_behind(
    noise_map: np.ndarray, images: np.ndarray, rms: np.ndarray, times: np.ndarray
) -> np.ndarray:
    """Light that is not in the images any more but in their noise, (N, H, W) e-/s per pixel."""
    rms, times = rms[:, None, None], times[:, None, None]
    photons = (np.square(noise_map) - rms**2) * times
    return np.maximum(photons - np.maximum(images, 0), 0).astype(np.float32)
