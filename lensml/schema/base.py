"""What every configuration section shares."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag

_Part = TypeVar("_Part", bound="Section")
NAME_PATTERN = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


class Section(BaseModel):
    """A frozen configuration section: no key that it does not know, no type that it must guess."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    def part(self, kind: type[_Part]) -> _Part:
        """The part of this section that is another: how a run is made, without which runs exist.

        Args:
            kind: a section that this one is derived from.
        """
        return kind.model_validate(self.model_dump(include=set(kind.model_fields)))


class WrongKey(ValueError):
    """What a validator of a whole section raises where one of its keys is wrong beside others.

    Attributes:
        key: of the section.
        problem: what is allowed, with the values that it depends on.
    """

    def __init__(self, key: str, problem: str) -> None:
        self.key, self.problem = key, problem
        super().__init__(f"{key} {problem}")


def check_one_of(section: _Part, first: str, second: str) -> _Part:
    """The section, if exactly one of two keys is given.

    Raises:
        ValueError: both are, or neither.
    """
    given = [key for key in (first, second) if getattr(section, key) is not None]
    if len(given) != 1:
        found = "both" if given else "neither"
        raise ValueError(f"give exactly one of {first} and {second}, found {found}")
    return section


def check_name(name: str) -> str:
    """A name that can be a folder.

    Raises:
        ValueError: it cannot.
    """
    if not NAME_PATTERN.match(name):
        raise ValueError(
            "names become folders: allowed are letters, digits, '.', '_' and '-', starting with a "
            "letter or digit, at most 64 characters"
        )
    return name


def check_unique(values: list) -> list:
    """A list without repetitions.

    Raises:
        ValueError: something is listed twice.
    """
    repeated = sorted({str(v) for v in values if values.count(v) > 1})
    if repeated:
        raise ValueError(
            f"{', '.join(repeated)} listed more than once; each entry may appear once"
        )
    return values


def without_null(named: Any) -> Any:
    """Entries of a mapping that an overlay did not leave out by null."""
    if not isinstance(named, Mapping):
        return named
    return {name: value for name, value in named.items() if value is not None}


Name = Annotated[str, AfterValidator(check_name)]
UniqueNames = Annotated[list[Name], Field(min_length=1), AfterValidator(check_unique)]
Seeds = Annotated[
    list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1), AfterValidator(check_unique)
]
ALL = "all"


def _all_or_list(value: Any) -> str | None:
    return ALL if value == ALL else "list" if isinstance(value, list) else None


_all_or = Discriminator(
    _all_or_list,
    custom_error_type="all_or_list",
    custom_error_message="should be 'all' or a list",
)
AllOrNames = Annotated[
    Annotated[Literal["all"], Tag(ALL)] | Annotated[UniqueNames, Tag("list")], _all_or
]
AllOrSeeds = Annotated[
    Annotated[Literal["all"], Tag(ALL)] | Annotated[Seeds, Tag("list")], _all_or
]
Positive = Annotated[float, Field(gt=0)]
Rate = Annotated[float, Field(gt=0, le=10)]  # of learning
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
