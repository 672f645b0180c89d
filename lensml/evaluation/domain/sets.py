"""Whether images are a domain's as a set, where one by one each of them could be.

A blurred small source looks like a sharp large one, so that no single image shows a wrong PSF. A
set does: the fitted shapes of the sources are distributed otherwise. A fact of the set is
compared with every mixture of the classes, as nobody knows how many of each there are, by the
largest distance of their cumulative distributions (Kolmogorov 1933).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from scipy.stats import kstwo

from lensml.evaluation.domain.facts import FACTS
from lensml.evaluation.domain.judge import Ordinary

FEWEST = 30  # images of a set that is judged
FALSE_ALARMS = 1e-3  # of sets of the domain's own images that are refused, at most
STEPS = 10  # of a class's share in a mixture


class Fact(NamedTuple):
    """A fact that a camera leaves its mark on, whatever lenses somebody chose.

    Attributes:
        column: of the table of predictions.
        change, back: from the column to the fact, and back.
        words: for a reason.
    """

    column: str
    change: Callable[[np.ndarray], np.ndarray]
    back: Callable[[np.ndarray], np.ndarray]
    words: str


OF_A_SET = {
    "chi2": Fact("chi2", np.log10, lambda x: 10**x, "chi2 of the smooth lenses"),
    "ln_R_sersic": Fact("R_sersic", np.log, np.exp, "radii of the sources"),
    "ln_n_sersic": Fact("n_sersic", np.log, np.exp, "Sersic indices of the sources"),
}


def columns_of(facts: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of a table from facts (N, F) of images."""
    names = list(FACTS)
    return {f.column: f.back(facts[:, names.index(name)]) for name, f in OF_A_SET.items()}


def reason_against_set(columns: Mapping[str, np.ndarray], ordinary: Ordinary) -> str:
    """Why images are not a domain's as a set; empty where they may be, or are too few to tell.

    Args:
        columns: ``chi2``, ``R_sersic`` and ``n_sersic`` (N,) of images that are each within.
        ordinary: the domain's own images.
    """
    found = {
        name: fact.change(np.asarray(columns[fact.column])) for name, fact in OF_A_SET.items()
    }
    if min(map(len, found.values())) < FEWEST:
        return ""
    values = {name: chance(value, ordinary, name) for name, value in found.items()}
    worst = min(values, key=lambda name: values[name])
    if values[worst] * len(values) >= FALSE_ALARMS:
        return ""
    own = np.median(ordinary.facts[:, list(FACTS).index(worst)])
    side = "larger" if np.median(found[worst]) > own else "smaller"
    return (
        f"as a set of {len(found[worst])}: {OF_A_SET[worst].words} are {side} than the domain's; "
        "is the PSF that of its camera?"
    )


def chance(values: np.ndarray, ordinary: Ordinary, name: str) -> float:
    """How often images of the domain lie as far from the nearest mixture of its classes.

    Args:
        values: (N,) of a fact.
        ordinary: the domain's own images.
        name: of the fact.
    """
    known = ordinary.facts[:, list(FACTS).index(name)]
    classes = [np.sort(known[ordinary.labels == k]) for k in np.unique(ordinary.labels)]
    values, n = np.sort(values), len(values)
    shares = mixtures(len(classes))
    above, below = (
        shares @ np.stack([np.searchsorted(own, values, side) / len(own) for own in classes])
        for side in ("right", "left")
    )
    steps = np.arange(1, n + 1) / n
    distance = np.maximum((steps - above).max(1), (below - (steps - 1 / n)).max(1)).min()
    fewest = min(map(len, classes))
    return float(kstwo.sf(distance, max(round(n * fewest / (n + fewest)), 1)))


def mixtures(n_classes: int) -> np.ndarray:
    """Shares of the classes in steps of a tenth, (M, n_classes), each row of sum 1."""
    grid = np.indices((STEPS + 1,) * n_classes).reshape(n_classes, -1).T
    return grid[grid.sum(1) == STEPS] / STEPS
