"""Search of settings of adaptation on a pair whose target labels may be used."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, Field, ValidationError

from lensml.schema.adaptation import JOINT_METHODS, Adaptation, Pair
from lensml.schema.base import Count, Name, Section, Seeds, UniqueNames
from lensml.schema.errors import Origins, dotted, rule_of
from lensml.schema.references import unlisted
from lensml.schema.search import Allowed, Choices, Range
from lensml.schema.yaml_reader import deep_merge

METHODS = ("adda", *JOINT_METHODS)
DIGITS = 3  # significant ones of a number that is drawn


def _check_methods(methods: list[str]) -> list[str]:
    unknown = [method for method in methods if method not in METHODS]
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: allowed are {', '.join(METHODS)}")
    return methods


def _check_parameter(name: str) -> str:
    method, _, key = name.partition(".")
    if method not in METHODS or not key:
        raise ValueError(f"must be one of {', '.join(METHODS)}, a dot and a key of that section")
    return name


Parameter = Annotated[str, AfterValidator(_check_parameter)]


class Development(Section):
    """Settings of adaptation at random, judged on labelled target images: snakemake development.

    The pairs must be none of those that are reported; a method's settings are those of the trial
    with the best mean over pairs.
    """

    pairs: list[Pair]
    """None of `adaptation.pairs`. `[]`: nothing is searched. A trial counts by its mean over them.
    """
    encoder: Name
    """Of the source classifiers that every trial adapts."""
    seeds: Seeds
    """Of the source classifiers that every trial adapts."""
    methods: Annotated[UniqueNames, AfterValidator(_check_methods)]
    """Whose settings are searched."""
    n_trials: Count
    """Per method; the first has the settings of `adaptation`."""
    space: Annotated[dict[Parameter, Allowed], Field(min_length=1)]
    """`<method>.<key>`: `{low, high, log}` (whole numbers if both ends are) or `{choices: [...]}`.
    """


def trial_values(spec: Development, method: str, trial: int, seed: int) -> dict[str, Any]:
    """What a trial changes, by name of the parameter.

    Args:
        spec: the space.
        method: whose parameters are drawn.
        trial: number; the first, 0, changes nothing.
        seed: of the draws, which do not depend on the number of trials.
    """
    names = [name for name in spec.space if name.partition(".")[0] == method]
    if trial == 0:
        return {}
    rng = np.random.default_rng([seed, zlib.crc32(method.encode()), trial])
    return {name: _drawn(spec.space[name], rng) for name in names}


def configured_values(spec: Development, method: str, adaptation: Adaptation) -> dict[str, Any]:
    """What the parameters of a method's space are set to, by name: its first trial."""
    names = [name for name in spec.space if name.partition(".")[0] == method]
    section = getattr(adaptation, method)
    return {name: getattr(section, name.partition(".")[2]) for name in names}


def _drawn(allowed: Range | Choices, rng: np.random.Generator) -> Any:
    if isinstance(allowed, Choices):
        return allowed.choices[rng.integers(len(allowed.choices))]
    low, high = float(allowed.low), float(allowed.high)
    if allowed.whole:
        return int(rng.integers(int(low), int(high) + 1))
    if allowed.log:
        value = math.exp(rng.uniform(math.log(low), math.log(high)))
    else:
        value = float(rng.uniform(low, high))
    return float(f"{value:.{DIGITS}g}")


def changed(adaptation: Adaptation, values: Mapping[str, Any]) -> Adaptation:
    """The section of adaptation with values of a trial.

    Raises:
        ValidationError: a value is not allowed.
    """
    tree: dict[str, Any] = adaptation.model_dump()
    for name, value in values.items():
        method, _, key = name.partition(".")
        tree = deep_merge(tree, {method: {key: value}})
    return Adaptation.model_validate(tree)


def development_problems(config: Any, origins: Origins) -> list[str]:
    """What is wrong in the development of a configuration, one line each; none without pairs.

    Args:
        config: with the sections development, adaptation, classifier and the list of domains.
        origins: files of the configuration.
    """
    spec = config.development
    if not spec.pairs:
        return []
    seeds, encoders = config.classifier.seeds, config.adaptation.encoders
    lines = [
        unlisted("development.seeds", str(seed), "classifier.seeds", seeds, origins)
        for seed in spec.seeds
        if seed not in seeds
    ]
    if spec.encoder not in encoders:
        name = spec.encoder
        lines.append(
            unlisted("development.encoder", name, "adaptation.encoders", encoders, origins)
        )
    lines += [line for pair in spec.pairs for line in _pair_problems(pair, config, origins)]
    return lines + _space_problems(config, origins)


def _space_problems(config: Any, origins: Origins) -> list[str]:
    """The first value of a trial that is not allowed."""
    spec = config.development
    for method in spec.methods:
        for trial in range(spec.n_trials):
            values = trial_values(spec, method, trial, config.seed)
            try:
                changed(config.adaptation, values)
            except ValidationError as error:
                item = error.errors()[0]
                key = f"development.space.{dotted(item['loc'])}"
                problem, value = rule_of(item), item["input"]
                return [origins.line(key, problem, value=value, at="development.space")]
    return []


def _pair_problems(pair: Pair, config: Any, origins: Origins) -> list[str]:
    key, lines = "development.pairs", []
    if pair.source not in config.classifier.domains:
        trained = config.classifier.domains
        lines.append(
            unlisted(f"{key}.source", pair.source, "classifier.domains", trained, origins)
        )
    if pair.target not in config.domains:
        lines.append(unlisted(f"{key}.target", pair.target, "domains", config.domains, origins))
    if pair in config.adaptation.pairs:
        problem = (
            "is listed under 'adaptation.pairs'; what is chosen with a pair's labels must not be "
            "reported on it"
        )
        lines.append(origins.line(key, problem, value=f"{pair.source} to {pair.target}"))
    return lines
