"""Images that no network of a domain was trained for, made of the domain's own.

What is added has its photons' noise; fluxes and sizes are those of the image that is corrupted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lensml.fit.observed import Observed
from lensml.schema.simulation import Domain

FAINTEST = 20.0  # flux of what is added at least, background rms
PIXEL_STEPS = 5  # per pixel and axis, in which a profile is averaged
POINT = 0.3  # of a pixel: softening of a profile's middle


def with_lens_light(images: Observed, domain: Domain, rng: np.random.Generator) -> Observed:
    """The light of a galaxy at the lens, twice as bright as the image, de Vaucouleurs."""
    profiles = [_sersic(domain, 0.0, 0.0, radius=0.6, index=4.0)] * len(images)
    return _added(images, 2.0, profiles, rng)


def with_neighbour(images: Observed, domain: Domain, rng: np.random.Generator) -> Observed:
    """A galaxy half as bright as the image, a little outside the arcs."""
    half = domain.num_pix * domain.instrument.pixel_scale / 2
    distance = rng.uniform(0.55, 0.85, len(images)) * half
    angle = rng.uniform(0, 2 * np.pi, len(images))
    places = np.stack([distance * np.cos(angle), distance * np.sin(angle)], axis=1)
    profiles = [_sersic(domain, x, y, radius=0.25, index=1.0) for x, y in places]
    return _added(images, 0.5, profiles, rng)


def of_a_galaxy(images: Observed, domain: Domain, rng: np.random.Generator) -> Observed:
    """No lens at all: a galaxy as bright as the image."""
    places = rng.normal(0, 0.1, (len(images), 2))
    profiles = [_sersic(domain, x, y, radius=0.3, index=1.0) for x, y in places]
    return _added(images, 1.0, profiles, rng, empty(images, domain, rng))


def of_a_star(images: Observed, domain: Domain, rng: np.random.Generator) -> Observed:
    """A star as bright as the image."""
    radius = domain.instrument.psf_fwhm / 2  # half its light is within half its FWHM
    profiles = [_sersic(domain, 0.0, 0.0, radius=radius, index=0.5)] * len(images)
    return _added(images, 1.0, profiles, rng, empty(images, domain, rng))


def empty(images: Observed, domain: Domain, rng: np.random.Generator) -> Observed:
    """Nothing but the background's noise."""
    del domain
    noise = rng.normal(size=images.image.shape) * images.background_rms[:, None, None]
    return replace(images, image=noise.astype(np.float32), subtracted=None)


def saturated(images: Observed, domain: Domain, rng: np.random.Generator) -> Observed:
    """The brightest hundredth of the pixels at one value."""
    del domain, rng
    highest = np.quantile(images.image, 0.99, axis=(1, 2), keepdims=True)
    return replace(images, image=np.minimum(images.image, highest.astype(np.float32)))


CORRUPTIONS: dict[str, Callable[[Observed, Domain, np.random.Generator], Observed]] = {
    "lens_light_left": with_lens_light,
    "neighbour": with_neighbour,
    "galaxy_without_lens": of_a_galaxy,
    "star": of_a_star,
    "noise_alone": empty,
    "saturated": saturated,
}


def _added(
    images: Observed,
    share: float,
    profiles: list[np.ndarray],
    rng: np.random.Generator,
    onto: Observed | None = None,
) -> Observed:
    """Light of so many times an image's flux, with its noise, on the images or on others."""
    onto = onto or images
    faintest = FAINTEST * images.background_rms
    flux = share * np.maximum(images.image.sum((1, 2), dtype=float), faintest)
    light = flux[:, None, None] * np.stack(profiles)
    photons = np.sqrt(light / images.exposure_time[:, None, None])
    image = onto.image + light + photons * rng.normal(size=light.shape)
    return replace(onto, image=image.astype(np.float32))


def _sersic(domain: Domain, x: float, y: float, *, radius: float, index: float) -> np.ndarray:
    """A round profile of flux 1 within the field, (n, n); ``radius`` is that of half its light."""
    n, scale = domain.num_pix, domain.instrument.pixel_scale
    fine = n * PIXEL_STEPS
    axis = (np.arange(fine) - (fine - 1) / 2) * scale / PIXEL_STEPS
    r = np.sqrt((axis[:, None] - y) ** 2 + (axis - x) ** 2 + (POINT * scale) ** 2)
    b = 2 * index - 1 / 3  # Ciotti & Bertin 1999, to its first orders
    light = np.exp(-b * (r / radius) ** (1 / index))
    pixels = light.reshape(n, PIXEL_STEPS, n, PIXEL_STEPS).sum((1, 3))
    return pixels / pixels.sum()
