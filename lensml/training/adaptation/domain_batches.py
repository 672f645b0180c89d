"""Batches of two domains: what every method of adaptation reads."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from lensml.data.torch_dataset import Images
from lensml.models.symmetry import random_symmetry
from lensml.training.engine.order import BatchOrder, step_generator

SOURCE, TARGET = 1, 2  # purposes of the generators of augmentation


class DomainBatches:
    """A batch of either domain per step, augmented by the symmetries of its population.

    Attributes:
        source, target: images.
        source_order, target_order: which of them a step sees.
    """

    def __init__(
        self,
        source: Images,
        target: Images,
        *,
        batch_size: int,
        seed: int,
        symmetries: tuple[str, str],
    ) -> None:
        """Order the images.

        Args:
            source: of the domain with labels.
            target: a pool of images without labels.
            batch_size: images of either domain.
            seed: of order and augmentation.
            symmetries: of the source's and of the target's population, keys of ``SYMMETRIES``.

        Raises:
            ValueError: the target images carry labels.
        """
        if target.labels is not None:
            raise ValueError("adaptation must not see target labels: hand it an unlabelled pool")
        self.source, self.target, self.seed = source, target, seed
        self.source_order = BatchOrder(len(source), batch_size, seed)
        self.target_order = BatchOrder(len(target), batch_size, seed + 1)
        self._symmetries = symmetries

    def __call__(self, step: int) -> tuple[Tensor, Tensor, np.ndarray]:
        """Images of a step: source and target, (B, 1, H, W) each, and the source's index, (B,)."""
        index = self.source_order(step)
        images = self.source.batch(index), self.target.batch(self.target_order(step))
        source, target = (
            random_symmetry(x, symmetry, step_generator(self.seed, step, purpose))
            for x, symmetry, purpose in zip(
                images, self._symmetries, (SOURCE, TARGET), strict=True
            )
        )
        return source, target, index
