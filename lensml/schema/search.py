"""Search of hyperparameters on validation images."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationError, model_validator

from lensml.schema.base import Count, Name, Section, Seeds, WrongKey
from lensml.schema.errors import Origins, nearest, rule_of
from lensml.schema.references import unlisted, unlisted_domain
from lensml.schema.studies import Recipe, Variant, resolve_variant

SECTIONS = {
    "encoder": "encoder_changes",
    "classifier": "classifier",
    "network_input": "network_input",
}
FIXED = {"domains", "encoders", "seeds", "epochs", "kind"}  # what a search may not change
Number = int | float
Value = int | float | str | bool | None | list[int] | list[float]


class Range(Section):
    """Numbers between two ends; whole numbers if both ends are."""

    low: Number
    """Lowest value; whole numbers are drawn if both ends are."""
    high: Number
    """Highest value."""
    log: bool = False
    """Drawn evenly in the logarithm."""

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if not self.low < self.high:
            raise WrongKey("low", f"must be below high ({self.high})")
        if self.log and self.low <= 0:
            raise WrongKey("low", "must be above 0 in a logarithmic range")
        return self

    @property
    def whole(self) -> bool:
        """Only whole numbers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def holding(self, value: Any) -> Range:
        """This range, wide enough for a value."""
        return Range(low=min(self.low, value), high=max(self.high, value), log=self.log)

    @property
    def ends(self) -> list[Any]:
        """Values that must be allowed for all others to be."""
        return [self.low, self.high]


class Choices(Section):
    """One of several values."""

    choices: Annotated[list[Value], Field(min_length=2)]
    """The values that may be drawn."""

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if len(set(self.labels)) < len(self.labels):
            raise ValueError("each choice may appear once")
        return self

    @property
    def labels(self) -> list[str]:
        """Choices as text: lists are values, too."""
        return [json.dumps(choice) for choice in self.choices]

    def holding(self, value: Any) -> Choices:
        """These choices and a value."""
        known = json.dumps(value) in self.labels
        return self if known else Choices(choices=[*self.choices, value])

    @property
    def ends(self) -> list[Any]:
        """Values that must be allowed for all others to be."""
        return list(self.choices)


def _tag(value: Any) -> str:
    listed = "choices" in value if isinstance(value, dict) else isinstance(value, Choices)
    return "choices" if listed else "range"


Allowed = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choices, Tag("choices")], Discriminator(_tag)
]


def _check_parameter(name: str) -> str:
    section, _, key = name.partition(".")
    if section not in SECTIONS or not key or key in FIXED:
        raise ValueError(
            f"must be one of {', '.join(SECTIONS)}, a dot and a key of that section (other than "
            f"{', '.join(sorted(FIXED))})"
        )
    return name


Parameter = Annotated[str, AfterValidator(_check_parameter)]


class Search(Section):
    """Search of hyperparameters at equal compute: snakemake search."""

    domain: Name | None
    """`null`: the first of `classifier.domains`."""
    encoder: Name
    """Which of `encoders`, with the recipe in `classifier` and `network_input`."""
    workers: Count
    """Jobs that share the study, on one device each."""
    n_trials: Count
    """Of all workers."""
    n_startup_trials: Count
    """The first ones are drawn at random and none is pruned before."""
    epochs: Count
    """Length of a trial."""
    evaluations_per_epoch: Count
    """Validations of a trial."""
    n_warmup_evaluations: Count
    """How many of them a trial has before it can be pruned."""
    n_confirmed: Count
    """So many of the best trials, and the shipped recipe, are trained again with `seeds`, for as
    many operations as `classifier.epochs` of the shipped one.
    """
    seeds: Seeds
    """Of these runs."""
    space: Annotated[dict[Parameter, Allowed], Field(min_length=1)]
    """`encoder.<key>`, `classifier.<key>` or `network_input.<key>`: `{low, high, log}` (whole
    numbers if both ends are) or `{choices: [...]}`. The shipped value is always part of it.
    """

    @model_validator(mode="after")
    def _has_enough_trials(self) -> Self:
        if self.n_trials < self.workers:
            raise WrongKey("n_trials", f"must not be below workers ({self.workers})")
        surely_finished = min(self.n_startup_trials, self.n_trials)
        if self.n_confirmed >= surely_finished:
            raise WrongKey(
                "n_confirmed",
                f"must be below n_startup_trials and n_trials ({surely_finished}): other trials "
                "may be pruned",
            )
        return self


def changes_of(values: Mapping[str, Any]) -> Variant:
    """The changes of the shipped recipe that a trial's values are.

    Args:
        values: by name of the parameter, such as ``classifier.learning_rate``.
    """
    changes: dict[str, dict[str, Any]] = {field: {} for field in SECTIONS.values()}
    for name, value in values.items():
        section, _, key = name.partition(".")
        changes[SECTIONS[section]][key] = value
    return Variant.model_validate(changes)


def values_of(recipe: Recipe, space: Iterable[str]) -> dict[str, Any]:
    """The values that a recipe has in a search space.

    Args:
        recipe: encoder, classifier and input.
        space: names of the parameters.

    Raises:
        KeyError: the recipe has no such parameter.
    """
    plain = recipe.model_dump()
    pairs = {name: name.partition(".")[::2] for name in space}
    return {name: plain[section][key] for name, (section, key) in pairs.items()}


def space_around(recipe: Recipe, spec: Search) -> dict[str, Range | Choices]:
    """The search space, with the values of the shipped recipe in it."""
    values = values_of(recipe, spec.space)
    return {name: allowed.holding(values[name]) for name, allowed in spec.space.items()}


def search_problems(config: Any, origins: Origins) -> list[str]:
    """What is wrong in the search of a configuration, one line each.

    Args:
        config: with the sections search, encoders, classifier, network_input and the list of
            domains.
        origins: files of the configuration.
    """
    search = config.search
    lines = unlisted_domain("search.domain", config, origins)
    if search.encoder not in config.encoders:
        name = search.encoder
        return [*lines, unlisted("search.encoder", name, "encoders", config.encoders, origins)]
    for name, allowed in search.space.items():
        where = f"search.space.{name}"
        try:
            values_of(_recipe(config, Variant()), [name])
        except KeyError:
            section = _recipe(config, Variant()).model_dump()[name.partition(".")[0]]
            problem = f"the recipe of '{search.encoder}' has no such key; "
            lines.append(_line(where, problem + nearest(name.partition(".")[2], section), origins))
        else:
            found = _misfits(config, name, allowed)
            lines += [_line(where, problem, origins, value) for value, problem in found]
    return lines


def _recipe(config: Any, variant: Variant) -> Recipe:
    return resolve_variant(
        variant,
        encoder=config.search.encoder,
        encoders=config.encoders,
        classifier=config.classifier,
        network_input=config.network_input,
    )


def _line(where: str, problem: str, origins: Origins, value: Any = None) -> str:
    """A line about a parameter, whose name has a dot that is none of the path."""
    return origins.line(where, problem, value=value, at="search.space")


def _misfits(config: Any, name: str, allowed: Range | Choices) -> list[tuple[Any, str]]:
    """Values of one parameter that are not allowed while the others are as shipped.

    A combination of values may be right where each alone is not (heads that divide a width), so
    that only types and bounds of the parameter itself are problems.
    """
    lines = []
    for value in allowed.ends:
        try:
            _recipe(config, changes_of({name: value}))
        except ValidationError as error:
            key = name.partition(".")[2]
            own = [item for item in error.errors() if key in item["loc"]]
            lines += [(value, rule_of(item)) for item in own[:1]]
    return lines
