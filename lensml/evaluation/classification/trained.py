"""A trained classifier as its users have it: from images in e-/s to probabilities."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lensml.data.observed.noise import border_rms

BATCH = 64  # images that a network is given at once: few enough for the caches of a CPU


@dataclass(frozen=True, kw_only=True)
class TrainedClassifier(ABC):
    """A network with what it must be told of images, whatever runs it.

    Attributes:
        domain: whose images it is for: no other's probabilities mean anything.
        classes: in the order of the probabilities.
        num_pix: pixels per axis of an image.
        pixel_scale: arcsec.
        channels: what it sees: ``image``, and maps of the fitted smooth lens.
        temperature: of its calibration; 1 where it was not calibrated.
        judged_by: sections ``domain`` and ``fit`` of the configuration and ``seed``, by which it
            is told whether an image is of the domain; None where a run's configuration says it.
    """

    domain: str
    classes: tuple[str, ...]
    num_pix: int
    pixel_scale: float
    channels: tuple[str, ...]
    temperature: float
    judged_by: Mapping[str, Any] | None = field(default=None, repr=False)

    @abstractmethod
    def _probabilities(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """Of images, their noise and maps, (N, K) float32."""

    def predict_proba(
        self,
        image: np.ndarray,
        background_rms: np.ndarray | float | None = None,
        **fitted: np.ndarray,
    ) -> np.ndarray:
        """Calibrated probabilities of the classes, which are taken to be equally frequent.

        Args:
            image: (N, H, W), or (H, W) for one, e-/s per pixel, sky subtracted, lens in the
                middle.
            background_rms: (N,) or one for all, e-/s per pixel; measured on each image's border
                if not given.
            fitted: ``residual`` (in units of the noise) and ``kappa`` of the fitted smooth lens,
                shaped as the images, where ``channels`` has them.

        Returns:
            (N, K) float32, rows sum to 1.

        Raises:
            ValueError: images of another size or with pixels that are not finite, or maps that
                are missing or that the network does not see.
        """
        images = self._maps("image", np.asarray(image))
        wanted = [channel for channel in self.channels if channel != "image"]
        if fitted.keys() != set(wanted):
            given = ", ".join(sorted(fitted)) or "none"
            raise ValueError(
                f"the network sees {', '.join(self.channels)}: maps {', '.join(wanted) or 'none'} "
                f"of the fit are needed beside the image, not {given}"
            )
        maps = [self._maps(name, np.asarray(fitted[name])) for name in wanted]
        if any(len(each) != len(images) for each in maps):
            raise ValueError("every image needs its maps")
        rms = _rms(images, background_rms)
        found = [
            self._probabilities([x[k : k + BATCH] for x in (images, rms, *maps)])
            for k in range(0, len(images), BATCH)
        ]
        return np.concatenate(found)

    def _maps(self, name: str, x: np.ndarray) -> np.ndarray:
        x = x[None] if x.ndim == 2 else x
        if x.ndim != 3 or x.shape[1:] != (self.num_pix, self.num_pix):
            raise ValueError(
                f"{name} has shape {x.shape}; images of {self.domain} are (N, {self.num_pix}, "
                f"{self.num_pix}), {self.pixel_scale:g} arcsec per pixel"
            )
        bad = np.flatnonzero(~np.isfinite(x).all((1, 2)))
        if len(bad):
            raise ValueError(f"{name} {bad[0]} has pixels that are not finite")
        return np.ascontiguousarray(x, dtype=np.float32)


def _rms(images: np.ndarray, given: np.ndarray | float | None) -> np.ndarray:
    if given is None:
        everything = np.ones(images.shape[1:], bool)
        found = np.array([border_rms(image.astype(float), everything) for image in images])
    else:
        found = np.broadcast_to(np.asarray(given, dtype=float), len(images))
    if not (np.isfinite(found) & (found > 0)).all():
        raise ValueError("background_rms must be above 0 for every image, e-/s per pixel")
    return np.ascontiguousarray(found, dtype=np.float32)
