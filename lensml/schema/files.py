"""Domains whose images lie in files that others made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from lensml.schema.base import Positive, Section, check_one_of

if TYPE_CHECKING:
    from lensml.schema.errors import Origins


class ImageFiles(Section):
    """Where images lie and what they are called there; exactly one of folder and table is given.

    A folder has ``<split>/<class>/`` or ``<class>/`` below it, with npy, npz, FITS or grey PNG
    files of one image or many. A table is a CSV file with columns ``image`` (a path beside it,
    ``many.npy[3]`` for one of many) and ``class``, and where it is known ``split``, ``group`` (the
    lens: images of one stay in one split), ``background_rms`` and ``exposure_time``.
    """

    folder: str | None = None
    """Has `<split>/<class>/` or `<class>/` below it, with npy, npz, FITS or grey PNG files of one
    image or many.
    """
    table: str | None = None
    """A CSV file with columns `image` (a path beside it, `many.npy[3]` for one of many) and
    `class`, and where it is known `split`, `group`, `background_rms` and `exposure_time`.
    """
    classes: dict[Literal["no_sub", "cdm", "vortex"], Annotated[str, Field(min_length=1)]] = Field(
        default_factory=dict
    )
    """What a class is called there; its own name where it is left out."""
    flux_scale: Positive = 1.0
    """e-/s per unit of the files."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        return check_one_of(self, "folder", "table")


def files_problems(config: Any, origins: Origins) -> list[str]:
    """What cannot be done with images of which nothing but noise and exposure is known.

    Args:
        config: every section of the configuration, domains resolved.
        origins: files of the configuration.
    """
    imported = [name for name, domain in config.resolved.items() if domain.files is not None]
    sections = (
        (config.regression, "regression.domains", "it has no truth to regress"),
        (config.limit, "limit.domains", "it cannot be simulated"),
        (config.attribution, "attribution.domains", "it has no truth to compare with"),
    )
    lines = [
        origins.line(key, f"'{name}' consists of files: {problem}", value=section.domains)
        for section, key, problem in sections
        for name in imported
        if section.domains != "all" and name in section.domains
    ]
    return lines + _paired(config, origins, imported) + _light(config, origins, imported)


def _paired(config: Any, origins: Origins, imported: list[str]) -> list[str]:
    problem = "consists of files: classes do not share lens systems; allowed is false"
    return [
        origins.line("classifier.paired_batches", f"'{name}' {problem}", value=True)
        for name in imported
        if config.classifier.paired_batches and name in config.classifier.domains
    ]


def _light(config: Any, origins: Origins, imported: list[str]) -> list[str]:
    lines = []
    for name in imported:
        light = config.resolved[name].population.lens_light
        if light is not None and light.treatment == "subtracted":
            problem = (
                "its population has lens light subtracted, of which files say nothing; allowed is "
                "a population without lens light, or with lens light that is kept"
            )
            lines.append(origins.line(f"catalogue.domains.{name}.population", problem))
    return lines
