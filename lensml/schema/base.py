"""What every configuration section shares."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

NAME_PATTERN = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


class Section(BaseModel):
    """A frozen configuration section: no key that it does not know, no type that it must guess."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _check_name(name: str) -> str:
    if not NAME_PATTERN.match(name):
        raise ValueError(
            "names become folders: allowed are letters, digits, '.', '_' and '-', starting with a "
            "letter or digit, at most 64 characters"
        )
    return name


def _check_unique(values: list) -> list:
    repeated = sorted({str(v) for v in values if values.count(v) > 1})
    if repeated:
        raise ValueError(
            f"{', '.join(repeated)} listed more than once; each entry may appear once"
        )
    return values


Name = Annotated[str, AfterValidator(_check_name)]
UniqueNames = Annotated[list[Name], Field(min_length=1), AfterValidator(_check_unique)]
Seeds = Annotated[
    list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1), AfterValidator(_check_unique)
]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
