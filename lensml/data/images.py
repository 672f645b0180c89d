"""Images of stores on the network's scale, in memory or mapped: all that needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lensml.data.fits import fits_of, open_fits
from lensml.data.machine import usable_memory
from lensml.data.store import Store, open_store
from lensml.schema.encoders import NetworkInput

PIECE = 32  # images at a time: they stay in the cache


def stretch(image: np.ndarray, background_rms: np.ndarray, spec: NetworkInput) -> np.ndarray:
    """Images on the network's scale.

    The scale is fixed unless ``spec.stretch`` is 'per_image_max': dividing by each image's own
    maximum hides flux and mixes in its noise.

    Args:
        image: (N, H, W) e-/s per pixel.
        background_rms: (N,) e-/s per pixel.
        spec: stretch, noise_units and scale; nothing is cropped here.

    Returns:
        (N, H, W) float32.
    """
    out = np.empty(image.shape, np.float32)
    _stretch_into(out, np.array(image, np.float32), background_rms, spec, np.empty_like(out))
    return out


def _stretch_into(
    out: np.ndarray,
    x: np.ndarray,
    background_rms: np.ndarray,
    spec: NetworkInput,
    size: np.ndarray,
) -> None:
    """As :func:`stretch`, of images ``x``, which are written over, as is ``size``.

    Fresh memory would cost as much as the arithmetic.
    """
    if spec.stretch == "per_image_max":
        np.divide(x, x.max((1, 2), keepdims=True), out=out)
        return
    x /= (background_rms * spec.noise_units).astype(np.float32)[:, None, None]
    if spec.stretch == "linear":
        np.divide(x, np.float32(spec.scale), out=out)
        return
    # asinh |x| = log(|x| + sqrt(x^2 + 1)): four times faster than numpy's arcsinh, and off by
    # one rounding of 1 near zero, a millionth of the noise.
    np.square(x, out=out)
    out += 1
    np.sqrt(out, out=out)
    out += np.abs(x, out=size)
    np.log(out, out=out)
    out /= np.float32(spec.scale)
    np.copysign(out, x, out=out)


def unstretch(x: np.ndarray, spec: NetworkInput) -> np.ndarray:
    """Inverse of :func:`stretch`: the image in units of its background's standard deviation.

    Args:
        x: (...) on the network's scale.
        spec: stretch, noise_units and scale.

    Raises:
        ValueError: the scale of 'per_image_max' is not kept.
    """
    if spec.stretch == "per_image_max":
        raise ValueError(
            "network_input.stretch = 'per_image_max': the image's flux is lost; allowed where "
            "images are brought back to fluxes are asinh and linear"
        )
    scaled = x * spec.scale
    return (np.sinh(scaled) if spec.stretch == "asinh" else scaled) * spec.noise_units


def squash(fitted: np.ndarray, channel: str, spec: NetworkInput) -> np.ndarray:
    """A residual or a convergence map on the network's scale, of any shape, float32."""
    units = spec.residual_units if channel == "residual" else spec.kappa_units
    return np.arcsinh(fitted / np.float32(units), dtype=np.float32)


class StretchedImages:
    """Images of one or more stores of a domain, addressed by one index.

    Attributes:
        network_input: channels, and scale of the images.
        labels: (N,) int64 class of every image, or None for a pool without labels.
        system_id: (N,) int64, or None for a pool without labels.
        background_rms: (N,) e-/s per pixel.
        index: (N,) index of the image within its own store.
        img_size: pixels per axis, after cropping.
    """

    def __init__(
        self,
        stores: Sequence[str | Path],
        spec: NetworkInput,
        *,
        max_memory_fraction: float,
        limit: int | None = None,
        labelled: bool = True,
    ) -> None:
        """Open stores; the class of an image is the position of its store in ``stores``.

        Args:
            stores: one per class, or one pool.
            spec: of the network's input.
            max_memory_fraction: images are loaded when they take less of the machine's memory.
            limit: use the first images of each store only.
            labelled: False for a pool, which has neither labels nor truth.
        """
        opened = [open_store(path) for path in stores]
        self._fits = [open_fits(fits_of(path)) for path in stores] if spec.fitted else []
        sizes = [len(s) if limit is None else min(limit, len(s)) for s in opened]
        self.network_input, self._stores = spec, opened
        self._start, self._sizes, self._labelled = np.cumsum([0, *sizes]), sizes, labelled
        columns = [s.truth["background_rms"][:n] for s, n in zip(opened, sizes, strict=True)]
        self.background_rms = np.concatenate(columns)
        self.index = np.concatenate([np.arange(n) for n in sizes])
        num_pix = opened[0].image.shape[1]
        self.img_size = spec.img_size(num_pix)
        self._margin = (num_pix - self.img_size) // 2
        self.labels = np.repeat(np.arange(len(opened)), sizes) if labelled else None
        self.system_id = _column(opened, sizes, "system_id") if labelled else None
        bytes_needed = len(self) * self.in_chans * self.img_size**2 * 4
        small = bytes_needed < max_memory_fraction * usable_memory()
        self._array = self._read_channels(np.arange(len(self))) if small else None

    def __len__(self) -> int:
        return int(self._start[-1])

    @property
    def in_chans(self) -> int:
        """Channels of what a network sees."""
        return len(self.network_input.channels)

    def rows(self, index: np.ndarray) -> np.ndarray:
        """Images at ``index`` on the network's scale, (len(index), H, W) float32.

        The images themselves, whatever channels a network sees.
        """
        channels = self.network_input.channels
        if self._array is None or "image" not in channels:
            return self._read(index)
        return self._array[index, channels.index("image")]

    def channels(self, index: np.ndarray) -> np.ndarray:
        """What a network sees of the images at ``index``, (len(index), C, H, W) float32."""
        return self._read_channels(index) if self._array is None else self._array[index]

    def noise_rms(self, linear: np.ndarray, index: np.ndarray) -> np.ndarray:
        """Noise of every pixel in units of the background's rms, of the shape of ``linear``.

        The camera's variance is background_rms^2 + max(image, 0) / exposure_time.

        Args:
            linear: (n, ...) images in units of their background's rms.
            index: (n,) which images they are.
        """
        photons = self.photons()[index].reshape(-1, *[1] * (linear.ndim - 1))
        return np.sqrt(1 + np.maximum(linear, 0) / photons).astype(np.float32)

    def photons(self) -> np.ndarray:
        """Background's rms times exposure time, (N,).

        An image in units of its background's rms, over this, is the variance of its photons.
        """
        return self.background_rms * _column(self._stores, self._sizes, "exposure_time")

    def truth(self, name: str) -> np.ndarray:
        """A column of the truth of every image, (N,).

        Raises:
            ValueError: the images are a pool, which has none.
        """
        if not self._labelled:
            raise ValueError(f"a pool without labels has no truth: {name}")
        return _column(self._stores, self._sizes, name)

    def knows(self, name: str) -> bool:
        """Whether a column of the truth is there: of images of files hardly any is."""
        return self._labelled and all(name in store.truth for store in self._stores)

    @property
    def group(self) -> np.ndarray | None:
        """Galaxy that every image has as its source, (N,); None where sources are drawn anew.

        A split holds few galaxies, and its images are no more independent than these are.
        """
        if not self.knows("source_galaxy"):
            return None
        galaxy = self.truth("source_galaxy")
        return galaxy if (galaxy >= 0).all() else None

    def _read_channels(self, index: np.ndarray) -> np.ndarray:
        channels = self.network_input.channels
        if channels == ["image"]:
            return self._read(index)[:, None]
        out = np.empty((len(index), len(channels), self.img_size, self.img_size), np.float32)
        for k, name in enumerate(channels):
            out[:, k] = self._read(index) if name == "image" else self._read_fitted(index, name)
        return out

    def _read_fitted(self, index: np.ndarray, name: str) -> np.ndarray:
        """A map of the fits on the network's scale, (len(index), H, W)."""
        out = np.empty((len(index), self.img_size, self.img_size), np.float32)
        inner = slice(self._margin, self._margin + self.img_size)
        owner = np.searchsorted(self._start, index, side="right") - 1
        for k in np.unique(owner):
            mask = owner == k
            whole = self._fits[k].maps[name][index[mask] - self._start[k]]
            out[mask] = squash(whole[:, inner, inner], name, self.network_input)
        return out

    def _read(self, index: np.ndarray) -> np.ndarray:
        out = np.empty((len(index), self.img_size, self.img_size), np.float32)
        raw, size = np.empty((2, min(len(index), PIECE), *out.shape[1:]), np.float32)
        inner = slice(self._margin, self._margin + self.img_size)
        owner = np.searchsorted(self._start, index, side="right") - 1
        for first in range(0, len(index), PIECE):
            rows = slice(first, min(first + PIECE, len(index)))
            n = rows.stop - first
            for k in np.unique(owner[rows]):
                mask = owner[rows] == k
                whole = self._stores[k].image[index[rows][mask] - self._start[k]]
                raw[:n][mask] = whole[:, inner, inner]
            rms = self.background_rms[index[rows]]
            _stretch_into(out[rows], raw[:n], rms, self.network_input, size[:n])
        return out


def _column(stores: Sequence[Store], sizes: Sequence[int], name: str) -> np.ndarray:
    return np.concatenate([s.truth[name][:n] for s, n in zip(stores, sizes, strict=True)])
