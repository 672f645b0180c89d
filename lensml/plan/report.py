"""Where figures and tables stand in the report of a run, and which caption is theirs."""

from __future__ import annotations

import re
from dataclasses import dataclass

CATEGORIES = {  # a figure's folder or a table's name -> heading
    "gallery": "Images",
    "audit": "Audit",
    "fits": "Fits",
    "misspecification": "Fits",
    "classification": "Classification",
    "transfer": "Classification",
    "adaptation": "Adaptation",
    "criteria": "Adaptation",
    "label_reads": "Adaptation",
    "cameras": "Adaptation",
    "development": "Adaptation",
    "anomaly": "Anomalies",
    "sweep": "Anomalies",
    "pretraining": "Anomalies",
    "regression": "Regression",
    "limit": "Limits",
    "network_limit": "Limits",
    "attribution": "Attribution",
    "studies": "Studies",
    "study": "Studies",
    "search_trials": "Studies",
    "observed": "Observed lenses",
    "observed_models": "Observed lenses",
    "verdicts": "Observed lenses",
    "benchmark": "Speed",
    "fit_speed": "Speed",
    "workflow_overhead": "Speed",
    "training_speed": "Speed",
}
WILDCARD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Entry:
    """A figure or table in the report.

    Attributes:
        category: heading that it stands under.
        caption: name of a file in ``docs/captions``, without its ending.
        labels: what tells it from others of its category; wildcards are filled in.
    """

    category: str
    caption: str
    labels: dict[str, str]


def of_figure(name: str) -> Entry:
    """A figure by its pattern, such as ``adaptation/roc_{source}_{target}_{encoder}``."""
    kind = _kind(name)
    folder, _, rest = kind.partition("/")
    return _entry(folder, kind.replace("/", "_"), rest or folder, name)


def of_table(name: str) -> Entry:
    """A table by its pattern, such as ``classification``."""
    key = _kind(name) or WILDCARD.findall(name)[0]
    return _entry(key, "table", "table" if WILDCARD.search(name) else f"table of {key}", name)


def _kind(name: str) -> str:
    """A pattern without its wildcards and what joins them."""
    return WILDCARD.sub("", name).rstrip("_/")


def _entry(key: str, caption: str, what: str, name: str) -> Entry:
    labels = {"what": what.replace("_", " ")}
    labels |= {wildcard: f"{{{wildcard}}}" for wildcard in WILDCARD.findall(name)}
    return Entry(CATEGORIES[key], caption, labels)
