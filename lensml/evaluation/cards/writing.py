"""A folder with a classifier that is to be handed on: weights, description, model card."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import safe_open

from lensml.data.checksums import checksum_of_bytes
from lensml.data.files import write_bytes, write_json
from lensml.evaluation.audit.verdicts import verdicts_of
from lensml.evaluation.cards.description import described, description_of
from lensml.evaluation.cards.model_card import card_of


def write_card(
    weights: str,
    run: Mapping[str, str],
    table: str,
    outputs: Mapping[str, str],
    *,
    audits: Sequence[str],
    about: Mapping[str, Any],
    **network: Any,
) -> None:
    """Write the folder of a trained classifier.

    Args:
        weights: of its run.
        run: its ``calibration`` and ``run`` files.
        table: .csv of the classifiers.
        outputs: ``weights`` (safetensors that describe themselves), ``config`` (the same
            description as JSON) and ``card`` (README.md).
        audits: .csv of the domain's audit; what it failed stands in the card.
        about: label of the domain, images per class, confidence of the intervals.
        network: see :func:`lensml.evaluation.cards.description.description_of`.

    Raises:
        ValueError: the table has no row of the network, or a file is damaged.
    """
    told = {**about, "parameters": _parameters(weights)}
    description = description_of(run, table, about=told, **network)
    content = described(weights, description)
    card = card_of(description, verdicts_of(audits))
    write_bytes(outputs["weights"], content)
    file = {"name": Path(outputs["weights"]).name, "sha256": checksum_of_bytes(content)[1]}
    write_json(outputs["config"], {**description, "weights": file})
    write_bytes(outputs["card"], card.encode())


def _parameters(weights: str) -> int:
    with safe_open(weights, framework="numpy") as file:
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
