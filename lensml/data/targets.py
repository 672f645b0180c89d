"""What regression learns, from the truth of a store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lensml.data.store import open_store
from lensml.schema.regression import TARGETS


@dataclass(frozen=True)
class Target:
    """The quantity that is regressed on the images of a class.

    ``log10_mass_fraction`` is log10 of all substructure mass in the image over the lens mass
    inside the Einstein radius, M(<theta_E) = pi Sigma_cr theta_E^2; ``log10_axion_mass`` is
    log10(m_a / eV).

    Attributes:
        substructure: the class, key of ``TARGETS``.
        einstein_mass: Msun inside an Einstein radius of 1 arcsec.
    """

    substructure: str
    einstein_mass: float

    @property
    def name(self) -> str:
        """Of the quantity."""
        return TARGETS[self.substructure]

    def values(self, path: str | Path) -> np.ndarray:
        """Target of every image of a store, (N,) float64, dex.

        Raises:
            ValueError: an image has none, for want of substructure.
        """
        truth = open_store(path, check=False).truth  # whoever reads the images checks the files
        if self.name == "log10_axion_mass":
            values = np.asarray(truth["log10_axion_mass"], float)
        else:
            lens_mass = self.einstein_mass * np.square(truth["theta_E_total"])
            with np.errstate(divide="ignore"):
                values = np.log10(truth["m_sub_total"] / lens_mass)
        missing = int(np.sum(~np.isfinite(values)))
        if missing:
            raise ValueError(
                f"{path}: {missing} of {len(values)} images have no {self.name} (no substructure "
                "was drawn); take the domain out of regression.domains or raise its substructure"
            )
        return values
