"""Observed cut-outs that trained networks score: snakemake observed."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from lensml.schema.base import Count, Name, Positive, Section
from lensml.schema.errors import Origins
from lensml.schema.references import unlisted

LONGEST_NAME = 64


def _check_extension(hdu: Any) -> Any:
    if isinstance(hdu, list) and [type(part) for part in hdu] != [str, int]:
        raise ValueError("an extension is a number, a name, or [name, version] such as [SCI, 2]")
    return hdu


def _text_of_name(name: Any) -> Any:
    """YAML reads a name of digits as a number, and one like 2024-05-01 as a day."""
    if isinstance(name, bool) or name is None:
        raise ValueError(f"YAML reads this name of a lens as {name}; put it in quotes")
    return str(name) if isinstance(name, int | float | datetime.date) else name


def _check_distinct(lenses: Any) -> Any:
    if isinstance(lenses, dict):
        names = [str(name) for name in lenses]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name} is listed twice, as a number and as a text")
    return lenses


def _check_lens_name(name: str) -> str:
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise ValueError(
            f"the name of a lens is a line of 1 to {LONGEST_NAME} letters, digits, spaces or signs"
        )
    return name


Hdu = Annotated[int | str | list[str | int], AfterValidator(_check_extension)]  # of a FITS file
Center = Annotated[list[float], Field(min_length=2, max_length=2)]
NoiseKind = Literal["rms", "variance", "inverse_variance", "weight"]
# No folder is named after a lens, so that its name may be anything that fits in a table.
LensName = Annotated[str, BeforeValidator(_text_of_name), AfterValidator(_check_lens_name)]


class ObservedLens(Section):
    """One cut-out and what is known of it."""

    image: str
    """A folder with `data.fits` and, where they are, `noise_map.fits`, `psf.fits`,
    `mask_extra_galaxies.fits` and the `pixel_scale` of an `info.json`; or `.fits` or `.npy`, one
    plane, background subtracted or even.
    """
    hdu: Hdu | None = None
    """Extension by number, name, or `[SCI, 2]`; `null`: the primary image, else the only one, else
    the one called SCI.
    """
    noise_map: str | None = None
    """Noise of every pixel in the image's unit, or `null`: the rms is then measured at the border,
    which must hold no light.
    """
    noise_hdu: Hdu | None = None
    """Extension of the noise map, as `hdu`."""
    noise_kind: NoiseKind = "rms"
    """Of the map: `rms`, `variance`, `inverse_variance`, or `weight` (an inverse variance of
    unknown scale, which the border sets).
    """
    pixel_scale: Positive | None = None
    """Arcsec; `null`: from the CD matrix or CDELT of the header, distortions left out. The table
    says which, and how many make a pixel of the domain.
    """
    psf_fwhm: Positive | None = None
    """Arcsec; without it and `psf`, the PSF is not known, and not matched."""
    psf: str | None = None
    """Image of the PSF, whose width is measured."""
    psf_hdu: Hdu | None = None
    """Extension of the PSF, as `hdu`."""
    psf_pixel_scale: Positive | None = None
    """Arcsec per pixel of `psf`; `null`: by its header (PIXELSCL, PIXSCALE or its WCS), else that
    of the image.
    """
    center: Center | None = None
    """`[x, y]` of the lens in pixels counted from 0; `null`: the middle."""
    mask: str | None = None
    """`.fits` or `.npy`, not 0 where a model of the lens leaves pixels out: neighbours, a second
    arc; `null`: light that no model explains is masked, and the picture shows where.
    """
    mask_hdu: Hdu | None = None
    """Extension of the mask, as `hdu`."""

    @model_validator(mode="after")
    def _one_psf(self) -> Self:
        if self.psf is not None and self.psf_fwhm is not None:
            raise ValueError("give psf or psf_fwhm, not both")
        if self.psf is None and self.psf_pixel_scale is not None:
            raise ValueError("psf_pixel_scale is that of psf, which is missing")
        if self.noise_map is None and self.noise_kind != "rms":
            raise ValueError("noise_kind is that of noise_map, which is missing")
        return self


def files_of(lens: ObservedLens) -> list[str]:
    """Every file that is read for a lens, each once: image, noise map, PSF, mask."""
    files = (lens.image, lens.noise_map, lens.psf, lens.mask)
    return list(dict.fromkeys(file for file in files if file is not None))


class Observed(Section):
    """Cut-outs, and the domain whose networks score them."""

    domain: Name | None
    """Whose networks score the cut-outs; `null`: the first of `classifier.domains`."""
    n_reference: Count
    """Images per class of the domain's training and validation sets that a cut-out is compared
    with.
    """
    n_mocks: Annotated[int, Field(ge=0)]
    """Of `snakemake observed_models`: mocks of every lens with an adequate model, in which the
    potential filter is run as in the lens; 0 for none.
    """
    lenses: Annotated[dict[LensName, ObservedLens], BeforeValidator(_check_distinct)]
    """Name: keys of a cut-out. Any name will do; put one in quotes that begins with 0 or that YAML
    takes for something else (`no`).
    """


def observed_problems(config: Any, origins: Origins) -> list[str]:
    """What is wrong in the section, one line each.

    Args:
        config: with the sections observed and classifier.
        origins: files of the configuration.
    """
    domain, trained = config.observed.domain, config.classifier.domains
    if domain is None or domain in trained:
        return []
    return [unlisted("observed.domain", domain, "classifier.domains", trained, origins)]
