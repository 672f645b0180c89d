"""What is simulated: observing domains, and how many of their images."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from lensml.schema.base import Count, Name, Section
from lensml.schema.bounds import radius_of, reach
from lensml.schema.files import ImageFiles
from lensml.schema.instrument import Instrument
from lensml.schema.population import Population
from lensml.schema.priors import DiscThetaE

CENTER = ("center_x", "center_y")
SPLITS = ("train", "val", "test")


class DomainFile(Section):
    """A domain as it is written in the catalogue: names, and changes to what they stand for."""

    description: str
    """One line for readers."""
    label: str = ""
    """Name in figures; the file's name, where there is none."""
    instrument: Name
    """An instrument of the catalogue."""
    population: Name
    """A population of the catalogue."""
    num_pix: Annotated[int, Field(ge=8, le=1024)]
    """Pixels per axis."""
    supersampling_factor: Annotated[int, Field(ge=1, le=16)]
    """Rays per pixel and axis."""
    refinement_factor: Annotated[int, Field(ge=1, le=16)] = 1
    """Rays per ray and axis that go a second time through cells whose brightness bends."""
    files: ImageFiles | None = None
    """Images that others made, instead of simulated ones ([guide](../docs/files.md))."""
    instrument_changes: dict[str, Any] = Field(default_factory=dict)
    """What is otherwise than in the instrument's file."""
    population_changes: dict[str, Any] = Field(default_factory=dict)
    """What is otherwise than in the population's file."""


class Domain(Section):
    """An observing domain with its instrument and population resolved.

    Where its images are in files, these are what their smooth lenses are fitted with and what
    their symmetry is taken from.
    """

    name: Name
    num_pix: Annotated[int, Field(ge=8, le=1024)]  # pixels per axis
    supersampling_factor: Annotated[int, Field(ge=1, le=16)]  # rays per pixel and axis
    refinement_factor: Annotated[int, Field(ge=1, le=16)] = 1  # per ray, where brightness bends
    instrument: Instrument
    population: Population
    files: ImageFiles | None = None

    @model_serializer(mode="wrap")
    def _simulated_as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Of a simulated domain the same as before there were files: stores name their domain."""
        content: dict[str, Any] = handler(self)
        if content.get("files") is None:
            content.pop("files", None)
        return content


def beyond_the_field(domain: Domain) -> list[str]:
    """What of a domain's lenses and PSF does not fit into its images, one text each."""
    scale = domain.instrument.pixel_scale
    half = domain.num_pix * scale / 2
    field = f"{domain.num_pix} pixels of {scale:g} arcsec"
    return [
        f"{key} reaches {size:.3g} arcsec and half of the field is {half:.3g} ({field}): the "
        "image would miss it"
        for key, size in _sizes(domain)
        if size > half
    ]


def _sizes(domain: Domain) -> list[tuple[str, float]]:
    """Keys and how far from the centre what they describe can lie, arcsec."""
    lens, source = domain.population.lens, domain.population.source
    found = [("psf_fwhm", domain.instrument.psf_fwhm)]
    if lens.theta_E is not None:
        found.append(("lens.theta_E", reach(lens.theta_E)[1]))
    found += [(f"lens.{k}", max(map(abs, reach(getattr(lens, k))))) for k in CENTER]
    if not isinstance(source.position, DiscThetaE):
        found.append(("source.position", radius_of(source.position)))
    return found


class Simulation(Section):
    """How many images are simulated, and by which engine."""

    engine: Literal["numba", "lenstronomy"]
    """`numba`: the fused kernel. `lenstronomy`: the reference, a hundred times slower."""
    precision: Literal["float32", "float64"]
    """Of the kernel; images are stored as float32."""
    n_train: Count
    """Training images per class and domain."""
    n_val: Count
    """Validation images per class and domain."""
    n_test: Count
    """Test images per class and domain."""
    images_per_block: Count
    """Images of one job, which are one chunk of the Zarr array."""

    def count(self, split: str) -> int:
        """Images per class in a split."""
        return {"train": self.n_train, "val": self.n_val, "test": self.n_test}[split]
