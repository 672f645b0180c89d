"""The only bridge from stores to torch: batches of images on a device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lensml.data.images import StretchedImages
from lensml.schema.training import NetworkInput


class Images(StretchedImages):
    """Images whose batches are tensors; see :class:`lensml.data.images.StretchedImages`."""

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
        self._device = torch.device(device)
        loaded = None if self._array is None else torch.from_numpy(self._array)
        self._loaded = None if loaded is None else loaded.unsqueeze(1).to(self._device)
        if self._device.type != "cpu":
            self._array = None  # one copy is enough

    def batch(self, index: np.ndarray) -> Tensor:
        """Images at ``index`` on the network's scale, (len(index), 1, H, W)."""
        if self._loaded is not None:
            return self._loaded[torch.from_numpy(np.asarray(index)).to(self._device)]
        return torch.from_numpy(self.rows(index)).unsqueeze(1).to(self._device)
