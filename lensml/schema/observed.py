"""Observed cut-outs that trained networks score: snakemake observed."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from lensml.schema.base import Count, Name, Positive, Section

Hdu = int | str  # number or name of a FITS extension
Center = Annotated[list[float], Field(min_length=2, max_length=2)]


class ObservedLens(Section):
    """One cut-out and what is known of it."""

    image: str  # .fits or .npy, background subtracted or even
    hdu: Hdu = 0
    noise_map: str | None = None  # rms of every pixel in the image's unit, .fits or .npy
    noise_hdu: Hdu = 0
    pixel_scale: Positive | None = None  # arcsec; null: from the header's WCS
    psf_fwhm: Positive | None = None  # arcsec; null: from psf
    psf: str | None = None  # image of the PSF in the image's pixels; null: not known
    psf_hdu: Hdu = 0
    center: Center | None = None  # x, y in pixels counted from 0; null: the middle

    @model_validator(mode="after")
    def _one_psf(self) -> Self:
        if self.psf is not None and self.psf_fwhm is not None:
            raise ValueError("give psf or psf_fwhm, not both")
        return self


class Observed(Section):
    """Cut-outs, and the domain whose networks score them."""

    domain: Name | None  # null: the first of classifier.domains
    n_reference: Count  # images per class of the domain that a cut-out is compared with
    lenses: dict[Name, ObservedLens]


def observed_problems(config: Any) -> list[str]:
    """What is wrong in the section, one line each.

    Args:
        config: with the sections observed and classifier.
    """
    domain, trained = config.observed.domain, config.classifier.domains
    if domain is None or domain in trained:
        return []
    known = ", ".join(trained)
    return [f"observed.domain = '{domain}': is not listed under 'classifier.domains' ({known})"]
