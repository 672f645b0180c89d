"""What jobs that read images share, and what training writes; torch is imported on use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lensml.data.images import StretchedImages
from lensml.schema.encoders import NetworkInput
from lensml.schema.training import Compute

if TYPE_CHECKING:
    import torch

    from lensml.data.torch_dataset import Images


@dataclass(frozen=True)
class Setting:
    """What every run shares.

    Attributes:
        network_input: scale of the images.
        compute: device, threads, memory.
        seed: of this run.
        state: folder of its checkpoint.
        label: shown by the progress bar.
    """

    network_input: NetworkInput
    compute: Compute
    seed: int
    state: str
    label: str

    def images(self, stores: Sequence[str], device: torch.device, **options: Any) -> Images:
        """Images of stores on this run's scale and device."""
        from lensml.data.torch_dataset import Images
        from lensml.training.engine.ranks import world_size

        # Every process of a parallel run holds the images.
        fraction = self.compute.max_memory_fraction / world_size()
        return Images(
            stores, self.network_input, max_memory_fraction=fraction, device=device, **options
        )

    def arrays(self, stores: Sequence[str], **options: Any) -> StretchedImages:
        """Images of stores on this run's scale, without torch."""
        fraction = self.compute.max_memory_fraction
        return StretchedImages(stores, self.network_input, max_memory_fraction=fraction, **options)


@dataclass(frozen=True)
class Results:
    """Files that a training run writes."""

    weights: str
    history: str
    run: str
