"""The only bridge from stores to torch: batches of images on a device."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lensml.data.images import StretchedImages, stretch
from lensml.schema.encoders import NetworkInput


class Images(StretchedImages):
    """Images whose batches are tensors; see :class:`lensml.data.images.StretchedImages`.

    Attributes:
        device: where batches go.
    """

    def __init__(
        self,
        stores: Sequence[str | Path],
        spec: NetworkInput,
        *,
        device: torch.device | str = "cpu",
        **options: Any,
    ) -> None:
        """Open stores.

        Args:
            stores: one per class, or one pool.
            spec: of the network's input.
            device: where batches go; images that fit in memory are kept there.
            options: of :class:`lensml.data.images.StretchedImages`.
        """
        super().__init__(stores, spec, **options)
        self.device = torch.device(device)
        loaded = None if self._array is None else torch.from_numpy(self._array)
        self._loaded = None if loaded is None else loaded.to(self.device)
        if self.device.type != "cpu":
            self._array = None  # one copy is enough

    def batch(
        self, index: np.ndarray, generator: torch.Generator | None = None, *, copies: int = 1
    ) -> Tensor:
        """Images at ``index`` on the network's scale, (len(index), C, H, W).

        Args:
            index: (N,).
            generator, copies: of noise that is drawn anew, see :class:`RedrawnImages`.
        """
        if self._loaded is not None:
            return self._loaded[torch.from_numpy(np.asarray(index)).to(self.device)]
        return torch.from_numpy(self.channels(index)).to(self.device)

    def noise_on_scale(self, x: Tensor, index: np.ndarray) -> Tensor:
        """Standard deviation of every pixel's noise on the network's scale, to first order.

        The noise of :meth:`noise_rms` through the derivative of the stretch.

        Args:
            x: (n, 1, H, W) images on the network's scale.
            index: (n,) which images they are.

        Raises:
            ValueError: the stretch has no inverse, or a network sees more than the image.
        """
        if self.network_input.channels != ["image"]:
            raise ValueError(
                f"network_input.channels = {self.network_input.channels}: allowed where errors "
                "are in units of noise is image alone"
            )
        spec, photons = self.network_input, self._photons_at(index)
        flux = x * spec.scale  # in units of noise_units times the background's rms
        slope = torch.ones_like(x)
        if spec.stretch == "asinh":
            flux, slope = flux.sinh(), flux.cosh()
        elif spec.stretch != "linear":
            raise ValueError(
                f"network_input.stretch = '{spec.stretch}': noise has no scale there; allowed "
                "where errors are in units of noise are asinh and linear"
            )
        rms = (1 + flux.clamp_min(0) * spec.noise_units / photons).sqrt()
        return rms / (spec.scale * spec.noise_units * slope)

    def _photons_at(self, index: np.ndarray) -> Tensor:
        """As :meth:`photons`, (n, 1, 1, 1) on the device."""
        chosen = torch.from_numpy(np.asarray(index)).to(self.device)
        return self._device_photons[chosen][:, None, None, None]

    @cached_property
    def _device_photons(self) -> Tensor:
        return torch.from_numpy(self.photons().astype(np.float32)).to(self.device)


class RedrawnImages(Images):
    """Noise-free images that get fresh noise whenever they are read.

    The noise is that of the camera: Gaussian of variance background_rms^2 + image / exposure_time
    (the rule of :func:`lensml.simulate.noise.noise_variance`).
    """

    def __init__(self, stores: Sequence[str | Path], spec: NetworkInput, **options: Any) -> None:
        """Open stores of a domain whose instrument has ``noise: none``; see :class:`Images`.

        Raises:
            ValueError: the images of a store have noise already, or the stretch has no inverse.
        """
        # Background units are linear: noise is added before the stretch.
        linear = {"stretch": "linear", "noise_units": 1.0, "scale": 1.0}
        super().__init__(stores, spec.model_copy(update=linear), **options)
        for store in self._stores:
            if store.attributes["noise_model"] != "none":
                raise ValueError(
                    f"{store.path}: noise cannot be drawn anew, the images have noise"
                )
        if spec.stretch == "per_image_max":
            raise ValueError("noise is drawn anew for the stretches asinh and linear only")
        if spec.channels != ["image"]:
            raise ValueError("noise is drawn anew for images alone: nothing is fitted to them")
        self.stretched = spec

    def batch(
        self, index: np.ndarray, generator: torch.Generator | None = None, *, copies: int = 1
    ) -> Tensor:
        """Images at ``index`` with noise, on the network's scale, (len(index), 1, H, W).

        Args:
            index: (N,).
            generator: of the noise, on the CPU; None for noise-free images.
            copies: the batch is this many parts of equal length that share their noise.
        """
        x = super().batch(index)
        if generator is not None:
            one = torch.randn((len(x) // copies, *x.shape[1:]), generator=generator)
            noise = one.to(x.device).repeat(copies, 1, 1, 1)
            x = x + noise * (1 + x.clamp_min(0) / self._photons_at(index)).sqrt()
        x = x / self.stretched.noise_units
        return (x.asinh() if self.stretched.stretch == "asinh" else x) / self.stretched.scale


class Cutouts(Images):
    """Images that belong to no store, in units of their background's rms."""

    def __init__(
        self,
        images: np.ndarray,
        photons: np.ndarray,
        spec: NetworkInput,
        *,
        device: torch.device | str = "cpu",
    ) -> None:
        """Stretch images.

        Args:
            images: (N, H, W), as large as what the network sees.
            photons: (N,) see :meth:`photons`; infinite where not known.
            spec: of the network's input.
            device: where batches go.
        """
        ones = np.ones(len(images))
        self.network_input, self.background_rms, self._known = spec, ones, photons
        self.labels = self.system_id = None
        self.index, self._start = np.arange(len(images)), np.array([0, len(images)])
        self.img_size = images.shape[-1]
        self._array = stretch(images, ones, spec)[:, None]
        self.device = torch.device(device)
        self._loaded = torch.from_numpy(self._array).to(self.device)

    def photons(self) -> np.ndarray:
        """As given, (N,)."""
        return self._known
