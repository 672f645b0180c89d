"""Domains whose images lie in files that others made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from lensml.schema.base import Positive, Section

if TYPE_CHECKING:
    from lensml.schema.errors import Origins


class ImageFiles(Section):
    """Where images lie and what they are called there: in a folder, a table, or one array.

    A folder has ``<split>/<class>/`` or ``<class>/`` below it, with npy, npz, FITS or grey PNG
    files of one image or many. A table is a CSV file with columns ``image`` (a path beside it,
    ``many.npy[3]`` for one of many) and ``class``, and where it is known ``split``, ``group`` (the
    lens: images of one stay in one split), ``background_rms`` and ``exposure_time``. An array is
    one npy, npz, HDF5 or Zarr file of N images; what a table has as columns are arrays (N,) beside
    it, or columns of a CSV file with a row for every image.
    """

    folder: str | None = None
    """Has `<split>/<class>/` or `<class>/` below it, with npy, npz, FITS or grey PNG files of one
    image or many.
    """
    table: str | None = None
    """A CSV file with columns `image` (a path beside it, `many.npy[3]` for one of many) and
    `class`, and where it is known `split`, `group`, `background_rms` and `exposure_time`.
    """
    array: str | None = None
    """One npy, npz, HDF5 or Zarr file with all images (N, H, W)."""
    images: Annotated[str, Field(min_length=1)] | None = None
    """Name of the array of the images, where it is not `image` or `images` and not the only one;
    `train/x` for one in a group.
    """
    labels: Annotated[str, Field(min_length=1)] | None = None
    """The class of every image of the array: the name of an array of the same file, or a CSV file
    with a column `class` and a row for every image.
    """
    classes: dict[Literal["no_sub", "cdm", "vortex"], Annotated[str, Field(min_length=1)]] = Field(
        default_factory=dict
    )
    """What a class is called there; its own name where it is left out."""
    flux_scale: Positive = 1.0
    """e-/s per unit of the files."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        places = ("folder", "table", "array")
        given = [name for name in places if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"give exactly one of folder, table and array, found {found}")
        return self

    @model_validator(mode="after")
    def _labels_of_an_array(self) -> Self:
        if self.array is not None and self.labels is None:
            raise ValueError(
                "labels is missing: what says of every image of the array which class it is of; "
                "allowed are the name of an array of the same file, or a CSV file"
            )
        if self.array is None and (self.labels or self.images):
            raise ValueError("labels and images are for an array alone; give array, or leave them")
        return self

    @property
    def labels_table(self) -> str | None:
        """The CSV file with labels of an array, where they lie in one."""
        labels = self.labels or ""
        return labels if labels.lower().endswith(".csv") else None


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
