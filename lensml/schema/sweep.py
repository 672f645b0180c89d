"""Settings of the masked autoencoder, one varied at a time: snakemake sweep."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError

from lensml.schema.anomaly import Anomaly, Mae, Score, Scoring
from lensml.schema.base import Name, Section, Seeds, check_unique
from lensml.schema.errors import Origins, rule_of
from lensml.schema.references import unlisted_domain

N_TRAIN = "n_train"
Factor = Literal[
    "mask_ratio",
    "patch_size",
    "depth",
    "decoder_depth",
    "loss",
    "epochs",
    "n_masks",
    "masks",
    "n_train",
]
Values = Annotated[list[int | float | str], Field(min_length=1), AfterValidator(check_unique)]


class Sweep(Section):
    """What of ``anomaly`` is varied, and by what."""

    domain: Name | None
    """`null`: the first of `anomaly.domains`."""
    seeds: Seeds
    """One run each."""
    scores: Annotated[list[Score], Field(min_length=1), AfterValidator(check_unique)]
    """Which of the scores of `anomaly` are shown."""
    vary: dict[Factor, Values]
    """Setting: values. `mask_ratio`, `patch_size`, `depth`, `decoder_depth`, `loss`, `epochs` of
    `anomaly.mae`; `masks`, `n_masks`, which need no training; `n_train`, training images at equal
    steps. The rest stays as in `anomaly`.
    """


def swept(anomaly: Anomaly, factor: Factor, value: Any) -> Scoring:
    """The masked autoencoder and its scoring with one thing changed.

    Args:
        anomaly: as configured.
        factor: key of ``anomaly.mae`` or of ``anomaly``, or ``n_train``, which changes neither.
        value: that it takes.

    Raises:
        ValidationError: the value is not allowed.
    """
    section = {name: getattr(anomaly, name) for name in Scoring.model_fields}
    changed = {
        name: part.model_dump() if isinstance(part, Section) else part
        for name, part in section.items()
    }
    if factor in Mae.model_fields:
        changed["mae"][factor] = value
    elif factor != N_TRAIN:
        changed[factor] = value
    return Scoring.model_validate(changed)


def retrained(factor: Factor) -> bool:
    """Whether the network depends on a factor, and not its scores alone."""
    return factor in Mae.model_fields or factor == N_TRAIN


def configured(anomaly: Anomaly, factor: Factor, n_train: int) -> Any:
    """The value of a factor outside the sweep."""
    if factor == N_TRAIN:
        return n_train
    return getattr(anomaly.mae if factor in Mae.model_fields else anomaly, factor)


def sweep_problems(config: Any, origins: Origins) -> list[str]:
    """What is wrong in the sweep of a configuration, one line each.

    Args:
        config: with the sections sweep, anomaly, simulation, network_input and its domains.
        origins: files of the configuration.
    """
    lines = unlisted_domain("sweep.domain", config, origins)
    # Values that nobody chose are judged when the sweep is asked for.
    if lines or not origins.chosen("sweep"):
        return lines
    return [
        origins.line(f"sweep.vary.{factor}", reason, value=value)
        for factor, value, reason in misfits_of_sweep(config)
    ]


def misfits_of_sweep(config: Any) -> list[tuple[Factor, Any, str]]:
    """Values that a run cannot have, with their factor and the reason."""
    sweep = config.sweep
    domain = sweep.domain or (config.anomaly.domains or config.domains)[0]
    size = config.network_input.img_size(config.resolved[domain].num_pix)
    return [
        (factor, value, reason)
        for factor, values in sweep.vary.items()
        for value in values
        for reason in _reasons(config, factor, value, size)
    ]


def _reasons(config: Any, factor: Factor, value: Any, size: int) -> list[str]:
    if factor == N_TRAIN:
        known = isinstance(value, int) and value >= 2
        return [] if known else ["must be a whole number of at least 2 images"]
    try:
        patch = swept(config.anomaly, factor, value).mae.patch_size
    except ValidationError as error:
        return [rule_of(item) for item in error.errors()]
    if size % patch and factor == "patch_size":
        return [f"must divide the image of {size} pixels"]
    return []
