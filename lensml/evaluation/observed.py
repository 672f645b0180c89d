"""Scores of observed lenses, and how far from the training domain each of them lies."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.neighbors import NearestNeighbors

from lensml.data.images import unstretch
from lensml.data.observed import Cutout, Grid, UnusableImageError, read_cutout
from lensml.data.torch_dataset import Cutouts, Images
from lensml.evaluation.anomaly.scores import anomaly_score, restore, score_masks
from lensml.evaluation.classification.calibration import apply_temperature, read_temperature
from lensml.evaluation.domain.cutouts import CutoutJudge
from lensml.evaluation.domain.verdict import Verdict
from lensml.evaluation.statistics.predictions import write_examples
from lensml.evaluation.statistics.tables import write_formats
from lensml.models.mae import MaskedAutoencoder
from lensml.schema.anomaly import COMPARING, Scoring
from lensml.schema.encoders import Encoder
from lensml.schema.observed import ObservedLens
from lensml.training.classification.run import load_classifier
from lensml.training.engine.checkpoint import load_weights
from lensml.training.engine.device import prepare_device
from lensml.training.engine.prediction import embed, predict_probabilities
from lensml.training.engine.setting import Setting

N_NEIGHBOURS = 10
NOTE = (
    "A ranking, not a detection. Probabilities and anomaly are given of lenses within the "
    "training domain alone: those whose light, fitted smooth lens and residual have nothing that "
    "fewer than three in a hundred of a class's validation images have, whose PSF is known and "
    "no wider. "
    "domain_distance: percentile, among the domain's validation "
    "images, of the distance to the nearest training images in the classifier's embedding, mean "
    "over seeds; peak and flux: percentiles of the brightest pixel and of the total flux over the "
    "background's rms. anomaly: percentile of the masked autoencoder's score {score} among "
    "validation images without substructure, mean over seeds. Probabilities: {spread}, calibrated "
    "on the domain's validation images. pixels: arcsec of the cut-out, what says so, how many "
    "make a pixel of the domain along an axis, how many hold no data."
)

UNJUDGED = Verdict(False, np.inf, "no smooth lens can be fitted to images of this domain")
SPREAD = {True: "mean ± standard deviation over {n} seeds", False: "of the one seed"}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Networks:
    """What scores cut-outs.

    Attributes:
        classifiers: weights -> calibration.json, one per seed.
        encoder: of the classifiers.
        classes: that they know.
        symmetry: averaged over; 'none' for a single pass.
        detectors: weights of masked autoencoders, one per seed; none where there are none.
        scoring: of the masked autoencoders.
        score: the headline.
    """

    classifiers: Mapping[str, str]
    encoder: Encoder
    classes: Sequence[str]
    symmetry: str
    detectors: Sequence[str]
    scoring: Scoring
    score: str


def score_observed(
    lenses: Mapping[str, ObservedLens],
    train: Sequence[str],
    validation: Sequence[str],
    networks: Networks,
    outputs: Sequence[str],
    examples: str,
    *,
    grid: Grid,
    judge: CutoutJudge | None,
    n_reference: int,
    setting: Setting,
) -> None:
    """Score cut-outs; one that cannot be used is a row with its reason.

    Args:
        lenses: by name.
        train, validation: stores of the domain, one per class, ``no_sub`` first.
        networks: trained in the domain.
        outputs: the .csv, .html, .md and .tex files to write.
        examples: npz for a figure, of the images that can be used.
        grid: of the domain.
        judge: who says which are of the domain; None where nobody can, and none has probabilities.
        n_reference: images of every store that are compared with.
        setting: see :class:`lensml.training.engine.setting.Setting`.
    """
    cutouts, reasons = read_all(lenses, grid)
    names = pd.Index(list(lenses), name="lens")
    table = pd.DataFrame({"reason": [reasons.get(name, "") for name in lenses]}, index=names)
    arrays: dict[str, np.ndarray] = {}
    if cutouts:
        found, arrays = _scores_of(cutouts, train, validation, networks, n_reference, setting)
        _withhold(found, cutouts, judge)
        table = table.join(pd.DataFrame(found, index=pd.Index(list(cutouts), name="lens")))
        arrays |= {name: found[name] for name in found if name.startswith("p_")}
        arrays |= {"lens": np.array(list(cutouts)), "statement": found["statement"].astype(str)}
    write_examples(examples, pixel_scale=np.array(grid.pixel_scale, float), **arrays)
    n = len(networks.classifiers)
    spread = SPREAD[n > 1].format(n=n)
    caption = f"Observed lenses. {NOTE.format(score=networks.score, spread=spread)}"
    whole = table.reset_index()
    write_formats(outputs, whole, summary_of(whole, networks.classes), caption)


def _scores_of(
    cutouts: Mapping[str, Cutout],
    train: Sequence[str],
    validation: Sequence[str],
    networks: Networks,
    n_reference: int,
    setting: Setting,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Columns of the table, and images for the figure."""
    device = prepare_device(setting.compute)
    images = Cutouts(
        np.stack([c.image for c in cutouts.values()]),
        np.array([c.photons for c in cutouts.values()]),
        setting.network_input,
        device=device,
    )
    known, held_out = (
        setting.images(stores, device, limit=n_reference) for stores in (train, validation)
    )
    found = _classified(images, known, held_out, networks, device)
    found |= _brightness(images, held_out)
    smooth = train[0], validation[0]
    anomaly, arrays = _restored(images, smooth, networks, n_reference, setting)
    found |= anomaly
    found |= facts_of(list(cutouts.values()))
    arrays["image"] = images.rows(np.arange(len(images)))
    return found, arrays


def _withhold(
    found: dict[str, np.ndarray], cutouts: Mapping[str, Cutout], judge: CutoutJudge | None
) -> None:
    """Say where every cut-out lies, and take from those outside what networks said of them."""
    verdicts = judge.verdicts(list(cutouts.values())) if judge else [UNJUDGED] * len(cutouts)
    found["statement"] = np.array([statement(verdict) for verdict in verdicts])
    outside = np.array([not verdict.within for verdict in verdicts])
    for name in found:
        if name.startswith("p_") or name == "anomaly":
            found[name] = np.where(outside, np.nan, found[name])


def read_all(
    lenses: Mapping[str, ObservedLens], grid: Grid
) -> tuple[dict[str, Cutout], dict[str, str]]:
    """Cut-outs that can be used, and why the others cannot."""
    cutouts, reasons = {}, {}
    for name, lens in lenses.items():
        try:
            cutouts[name] = read_cutout(lens, grid)
        except UnusableImageError as error:
            reasons[name] = str(error)
        # Files hold what nobody foresaw, and none of them may end the others' job.
        except Exception as error:
            log.exception("%s", name)
            reason = " ".join(str(error).split())
            reasons[name] = f"{lens.image}: {type(error).__name__} ({reason})"
    return cutouts, reasons


def facts_of(cutouts: Sequence[Cutout]) -> dict[str, np.ndarray]:
    """Columns that say how every cut-out was read."""
    seen = [c.observation for c in cutouts]
    psf_sources = [o.psf.scale.source if o.psf and o.psf.scale else "" for o in seen]
    return {
        "psf_ratio": np.array([c.psf_ratio for c in cutouts]),
        "psf_scale_source": np.array(psf_sources),
        "pixel_scale": np.array([o.scale.arcsec for o in seen]),
        "scale_source": np.array([o.scale.source for o in seen]),
        "finer_by": np.array([c.finer_by for c in cutouts]),
        "n_missing": np.array([o.n_missing for o in seen]),
        "border_rms": np.array([c.border_rms for c in cutouts]),
    }


def statement(verdict: Verdict) -> str:
    """Where an image lies, in words."""
    if verdict.within:
        return "within the training domain"
    return f"outside the training domain: {verdict.reason}"


def percentile(value: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Share of ``among`` (M,) below every ``value`` (N,), per cent."""
    return 100 * np.searchsorted(np.sort(among), value) / len(among)


def _classified(
    images: Images, train: Images, validation: Images, networks: Networks, device: torch.device
) -> dict[str, np.ndarray]:
    """Probabilities over seeds, and the distance from the domain in the embedding."""
    probabilities, distances = [], []
    for weights, calibration in networks.classifiers.items():
        network = load_classifier(
            weights,
            encoder=networks.encoder,
            img_size=images.img_size,
            in_chans=images.in_chans,
            num_classes=len(networks.classes),
            device=device,
        )
        p = predict_probabilities(network, images, symmetry=networks.symmetry)
        probabilities.append(apply_temperature(p, read_temperature(calibration)))
        network.eval()
        known, held_out, new = (
            embed(network.encoder, x, np.arange(len(x))).cpu().numpy()  # type: ignore[arg-type]
            for x in (train, validation, images)
        )
        distances.append(percentile(*_distances(known, new, held_out)))
    mean, spread = np.mean(probabilities, 0), spread_of(np.array(probabilities))
    found = {}
    for k, name in enumerate(networks.classes):
        found[f"p_{name}"], found[f"p_{name}_std"] = mean[:, k], spread[:, k]
    return {**found, "domain_distance": np.mean(distances, 0)}


def spread_of(values: np.ndarray) -> np.ndarray:
    """Standard deviation over seeds, (...): NaN of one seed, which has none.

    Args:
        values: (seeds, ...).
    """
    if len(values) < 2:
        return np.full(values.shape[1:], np.nan)
    return np.std(values, 0, ddof=1)


def _distances(known: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """Mean distance to the nearest of ``known``, every direction in units of its spread."""
    center, spread = known.mean(0), np.maximum(known.std(0), 1e-12)
    n = min(N_NEIGHBOURS, len(known))
    nearest = NearestNeighbors(n_neighbors=n).fit((known - center) / spread)
    return [nearest.kneighbors((x - center) / spread)[0].mean(1) for x in others]


def _brightness(images: Images, validation: Images) -> dict[str, np.ndarray]:
    """Percentiles of the brightest pixel and of the flux among validation images."""
    measured = []
    for x in (images, validation):
        linear = unstretch(x.rows(np.arange(len(x))), x.network_input)
        measured.append((linear.max((1, 2)), linear.sum((1, 2), dtype=float)))
    (peak, flux), (peaks, fluxes) = measured
    return {"peak": percentile(peak, peaks), "flux": percentile(flux, fluxes)}


def _restored(
    images: Images,
    smooth: tuple[str, str],
    networks: Networks,
    n_reference: int,
    setting: Setting,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Percentile of the anomaly score over seeds, and the first seed's residual.

    ``smooth`` are the stores without substructure, of training and validation.
    """
    percentiles, arrays = [], {}
    device = prepare_device(setting.compute)
    scoring, name = networks.scoring, networks.score
    for weights in networks.detectors:
        model = MaskedAutoencoder(scoring.mae, images.img_size).to(device)
        load_weights(weights, model)
        model.eval()
        masks = score_masks(scoring, model.num_patches)
        others = setting.images([smooth[1]], device, limit=n_reference)
        found, normal = (restore(model, x, masks) for x in (images, others))
        compared = None
        if name in COMPARING:
            limit = scoring.reference.n_images
            compared = restore(model, setting.images([smooth[0]], device, limit=limit), masks)
        scores = [anomaly_score(name, x, compared, scoring) for x in (found, normal)]
        percentiles.append(percentile(*scores))
        if not arrays:
            residual = model.unpatchify(torch.from_numpy(found.residual))[:, 0]
            arrays = {"residual": residual.numpy()}
    return ({"anomaly": np.mean(percentiles, 0)} if percentiles else {}), arrays


def summary_of(table: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """The table in texts: what a reader needs of every lens."""
    rows = []
    for row in table.to_dict("records"):
        text = {"lens": row["lens"]}
        usable = not row["reason"]
        for name in classes:
            text[f"p_{name}"] = _probability(row, name) if usable else "–"
        for name in ("anomaly", "domain_distance", "peak", "flux"):
            known = usable and name in row and np.isfinite(row[name])
            text[name] = f"{row[name]:.0f}" if known else "–"
        text["pixels"] = _pixels(row) if usable else "–"
        text["statement"] = row["statement"] if usable else f"not scored: {row['reason']}"
        rows.append(text)
    return pd.DataFrame(rows)


def _probability(row: Mapping[str, Any], name: str) -> str:
    spread = row[f"p_{name}_std"]
    if not np.isfinite(row[f"p_{name}"]):
        return "–"
    return f"{row[f'p_{name}']:.2f}" + (f" ± {spread:.2f}" if np.isfinite(spread) else "")


def _pixels(row: Mapping[str, Any]) -> str:
    missing = f", {row['n_missing']:.0f} without data" if row["n_missing"] else ""
    scale = f"{row['pixel_scale']:.4g} ({row['scale_source']})"
    return f"{scale}, {row['finer_by']:.3g} per pixel{missing}"
