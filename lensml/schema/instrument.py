"""Cameras and their exposures."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lensml.schema.base import Positive, Section
from lensml.schema.bounds import within
from lensml.schema.priors import Prior


class PsfWings(Section):
    """A second, wider Gaussian of the point spread function."""

    fraction: Annotated[float, Field(gt=0, lt=1)]
    """Share of the light in the second Gaussian."""
    fwhm: Annotated[float, within(0.001, 20, "arcsec")]
    """Of the second Gaussian, arcsec; wider than the first."""


class Instrument(Section):
    """A camera and its exposure; names follow lenstronomy's observation configurations.

    The noise of the background is either given (``background_rms``) or follows from
    ``read_noise`` and ``sky_brightness``.
    """

    description: str
    """One line for readers."""
    pixel_scale: Annotated[float, within(0.001, 5, "arcsec")]
    """Arcsec."""
    exposure_time: Annotated[Prior, within(1e-3, 1e7, "s")]
    """Of one exposure, s."""
    num_exposures: Annotated[int, Field(ge=1, le=100_000)]
    """How many exposures are added."""
    magnitude_zero_point: Annotated[
        float, within(15, 35, "mag", "8.9 is the zero point of janskys, not of 1 e-/s")
    ]
    """Magnitude of 1 e-/s."""
    psf_fwhm: Annotated[float, within(0.001, 20, "arcsec")]
    """Of the Gaussian point spread function, arcsec."""
    psf_wings: PsfWings | None = None
    """Share of the light in a second, wider Gaussian and its FWHM; none if left out."""
    psf_truncation: Annotated[float, within(1, 20)] = 4.0
    """Where the PSF ends, in standard deviations of either Gaussian."""
    read_noise: Annotated[float, within(0, 1e4, "e-")] | None = None
    """Per exposure and pixel, e-; with `sky_brightness`, instead of `background_rms`."""
    sky_brightness: Annotated[float, within(10, 35, "mag / arcsec^2")] | None = None
    """mag / arcsec^2."""
    background_rms: Positive | None = None
    """e-/s per pixel, instead of `read_noise` and `sky_brightness`."""
    noise: Literal["gaussian", "none"] = "gaussian"
    """`gaussian`, or `none` for published data without noise."""

    @property
    def psf_components(self) -> list[tuple[float, float]]:
        """Share of the light and FWHM (arcsec) of the Gaussians that make up the PSF."""
        if self.psf_wings is None:
            return [(1.0, self.psf_fwhm)]
        wings = self.psf_wings
        return [(1 - wings.fraction, self.psf_fwhm), (wings.fraction, wings.fwhm)]

    @model_validator(mode="after")
    def _wings_are_wider(self) -> Self:
        if self.psf_wings is not None and self.psf_wings.fwhm <= self.psf_fwhm:
            raise ValueError(
                f"psf_wings.fwhm ({self.psf_wings.fwhm}) must be above psf_fwhm ({self.psf_fwhm})"
            )
        return self

    @model_validator(mode="after")
    def _one_background(self) -> Self:
        physical = self.read_noise is not None and self.sky_brightness is not None
        partial = self.read_noise is not None or self.sky_brightness is not None
        if physical == (self.background_rms is not None) or (partial and not physical):
            found = [
                f"{key} = {value}"
                for key in ("background_rms", "read_noise", "sky_brightness")
                if (value := getattr(self, key)) is not None
            ]
            raise ValueError(
                "give either background_rms, or both read_noise and sky_brightness, found "
                + (", ".join(found) or "none of them")
            )
        return self
