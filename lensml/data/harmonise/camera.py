"""What a camera does to light, and the camera that two of them can be brought to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from lensml.data.harmonise.psf import Gaussian, Psf, common_psf, widened
from lensml.schema.simulation import Domain

SAME = 1e-9  # relative difference of pixels that are the same


@dataclass(frozen=True)
class Camera:
    """What turns a sky into an image, noise apart.

    Attributes:
        pixel_scale: arcsec.
        psf: Gaussians whose shares sum to 1; that they are cut off far out is left aside.
        zero_point: magnitude of 1 e-/s.
        num_pix: pixels per axis of an image.
    """

    pixel_scale: float
    psf: Psf
    zero_point: float
    num_pix: int

    @property
    def field(self) -> float:
        """Width of an image, arcsec."""
        return self.num_pix * self.pixel_scale

    def psf_on(self, pixel_scale: float) -> Psf:
        """The PSF that a camera of other pixels would need to see the same, or slightly less.

        A square pixel has the variance p^2 / 12 per axis. Light that is found again between the
        pixels of one grid, to be put into those of another, costs as much once more.
        """
        if same(self.pixel_scale, pixel_scale):
            return self.psf
        return widened(self.psf, (2 * self.pixel_scale**2 - pixel_scale**2) / 12)

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON and the attributes of stores."""
        return {**asdict(self), "psf": [list(part) for part in self.psf]}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Inverse of :meth:`as_dict`."""
        return cls(**{**content, "psf": tuple(Gaussian(*part) for part in content["psf"])})


@dataclass(frozen=True)
class CommonCamera:
    """Where the images of two cameras meet.

    Attributes:
        camera: to whose pixels, PSF and zero point both are brought.
        field: width in arcsec that both saw; pixels outside it are background alone.
    """

    camera: Camera
    field: float

    def inside(self) -> np.ndarray:
        """Which pixels of an axis both cameras saw entirely, (num_pix,) bool."""
        scale, n = self.camera.pixel_scale, self.camera.num_pix
        outer_edge = (np.abs(np.arange(n) - (n - 1) / 2) + 0.5) * scale
        return outer_edge <= self.field / 2 * (1 + SAME)


def same(a: float, b: float) -> bool:
    """Whether two pixel scales are one."""
    return abs(a - b) <= SAME * max(a, b)


def camera_of(domain: Domain) -> Camera:
    """The camera of a domain, as its observer knows it."""
    instrument = domain.instrument
    return Camera(
        pixel_scale=instrument.pixel_scale,
        psf=tuple(Gaussian(*part) for part in instrument.psf_components),
        zero_point=instrument.magnitude_zero_point,
        num_pix=domain.num_pix,
    )


def common_camera(source: Camera, target: Camera) -> CommonCamera:
    """The sharpest camera that both can be brought to without sharpening either.

    It has the larger of both pixels, the wider of both PSFs (pixel responses included), and of
    the source the zero point and the number of pixels, so that the source's encoder fits.
    """
    scale = max(source.pixel_scale, target.pixel_scale)
    camera = Camera(
        pixel_scale=scale,
        psf=common_psf(source.psf_on(scale), target.psf_on(scale)),
        zero_point=source.zero_point,
        num_pix=source.num_pix,
    )
    return CommonCamera(camera, min(source.field, target.field, camera.field))
