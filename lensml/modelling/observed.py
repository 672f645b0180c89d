"""An observed lens, from its files to a judged model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensml.modelling.field import read_field
from lensml.modelling.lens import LensModel, model_field
from lensml.modelling.verdict import Facts, facts_of, statement_of
from lensml.schema.observed import ObservedLens


@dataclass(frozen=True)
class ObservedModel:
    """A modelled lens and what may be said of it.

    Attributes:
        lens: the model: ``best.arcs``, ``best.lens_light``, ``best.nodes`` of the source.
        facts: that are judged.
        statement: in words.
    """

    lens: LensModel
    facts: Facts
    statement: str

    @property
    def parameters(self) -> dict[str, tuple[float, float]]:
        """Of the mass: name -> value and error, angles in arcsec."""
        return self.lens.parameters


def model_lens(image: str | Path, **known: Any) -> ObservedModel:
    """Model an observed lens from its files.

    Args:
        image: FITS or npy file, or a folder with ``data.fits``, ``noise_map.fits``, ``psf.fits``.
        known: of the cut-out, as in the configuration: ``noise_map``, ``psf`` or ``psf_fwhm``,
            ``pixel_scale`` (arcsec), ``hdu``, ``center``, ``mask`` and so on, see
            :class:`lensml.schema.observed.ObservedLens`.

    Raises:
        UnusableImageError: a file cannot be used, or no start leads to a model.
        ValueError: something is said that is not known of a cut-out.
    """
    lens = model_field(read_field(ObservedLens.model_validate({"image": str(image), **known})))
    facts = facts_of(lens)
    return ObservedModel(lens, facts, statement_of(lens, facts))
