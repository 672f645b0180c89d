"""Anomaly scores of fitted smooth lenses, and of the potential that explains what they leave.

Nothing is trained and nothing of an image's truth goes in; that simulation and fit share their
family of lenses and sources is what they owe their power to.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lensml.data.fits import OUTCOMES, Fits, open_fits
from lensml.evaluation.statistics.predictions import Scored, write_scores
from lensml.training.engine.setting import Setting

FITTED = ("fitted", "not_converged")  # outcomes with a model
MOST_ANOMALOUS = float(np.finfo(np.float32).max)  # score of an image without one


def score_fits(
    fits: Sequence[Sequence[str]], scored: Sequence[Scored], *, setting: Setting
) -> None:
    """Write columns of fits as anomaly scores.

    Args:
        fits: of every part the stores of the fits, one per class.
        scored: parts of images, and files of the scores: ``chi2``, ``z`` and ``evidence``, or one
            of :data:`lensml.fit.statistics.STATISTICS`.
        setting: see :class:`lensml.training.engine.setting.Setting`.

    Raises:
        ValueError: the fits are of other images, or lack a score.
    """
    for stores, part in zip(fits, scored, strict=True):
        images = setting.arrays(part.stores, limit=part.limit)
        found = [open_fits(path) for path in stores]
        for name, output in part.outputs.items():
            rows = [score_of(one, name)[: part.limit] for one in found]
            score = np.concatenate(rows)
            if len(score) != len(images):
                raise ValueError(f"{stores[0]}: {len(score)} fits for {len(images)} images")
            write_scores(output, score, images, part.classes)


def score_of(fits: Fits, name: str) -> np.ndarray:
    """A column of fits as a score, (N,): an image without a model is most anomalous of all.

    Raises:
        ValueError: there is no such column.
    """
    columns = {**fits.statistics, **fits.columns}
    if name not in columns:
        raise ValueError(f"{fits.path}: holds no {name}; it has {', '.join(columns)}")
    modelled = np.isin(fits.columns["outcome"], [OUTCOMES.index(name) for name in FITTED])
    score = np.asarray(columns[name], dtype=float)
    return np.where(modelled & np.isfinite(score), score, MOST_ANOMALOUS)
