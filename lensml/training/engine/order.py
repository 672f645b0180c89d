"""Which images a step sees, and the random numbers that it may use."""

from __future__ import annotations

import numpy as np
import torch

from lensml.data.torch_dataset import Images


def batch_order(images: Images, batch_size: int, seed: int, *, paired: bool) -> BatchOrder:
    """Order of the training images.

    The classes share their systems: lens, source and noise are equal at equal index. A batch of
    whole systems holds each of them once per class, so that what has nothing to do with the class
    cancels in the gradient, and learning starts hundreds of steps earlier.

    Args:
        images: labelled, the stores of the classes one after the other.
        batch_size: images; whole systems take a multiple of the number of classes.
        seed: of the order.
        paired: whole systems; False draws images one by one.

    Raises:
        ValueError: the classes do not share their systems.
    """
    if not paired:
        return BatchOrder(len(images), batch_size, seed)
    labels = labels_of(images)
    classes = int(labels.max()) + 1
    if len(set(np.bincount(labels))) > 1:
        raise ValueError("paired batches need the same number of images in every class")
    groups = np.arange(len(images)).reshape(classes, -1)
    ids = images.system_id
    if ids is None or any(not np.array_equal(ids[groups[0]], ids[row]) for row in groups):
        raise ValueError("paired batches need classes that share their lens systems")
    return BatchOrder(groups.shape[1], max(batch_size // classes, 1), seed, groups=groups)


def labels_of(images: Images) -> np.ndarray:
    """Labels of labelled images, (N,) int.

    Raises:
        ValueError: they have none.
    """
    if images.labels is None:
        raise ValueError("these images have no labels")
    return images.labels


class BatchOrder:
    """Which images a step sees: each once per epoch, in an order drawn from (seed, epoch).

    An epoch has ``n // batch_size`` batches; what is left over differs from epoch to epoch.

    Attributes:
        per_epoch: batches of an epoch.
        copies: parts of a batch whose images correspond, 1 without groups.
        images_per_batch: images of a batch.
    """

    def __init__(
        self, n: int, batch_size: int, seed: int, groups: np.ndarray | None = None
    ) -> None:
        """Order ``n`` items.

        Args:
            n: images, or groups of images that stay together.
            batch_size: items per batch.
            seed: of the order.
            groups: (K, n) image indices of every group; None where items are images.
        """
        if n < 2:
            raise ValueError(f"training needs at least two images, got {n}")
        self.n, self.batch_size, self.seed = n, min(batch_size, n), seed
        self.per_epoch = n // self.batch_size
        self.copies = 1 if groups is None else len(groups)
        self.images_per_batch = self.batch_size * self.copies
        self._groups = groups
        self._epoch, self._order = -1, np.zeros(0, np.int64)

    def __call__(self, step: int) -> np.ndarray:
        """Image indices of a step's batch."""
        epoch, position = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = np.random.default_rng([self.seed, epoch]).permutation(self.n)
        items = self._order[position * self.batch_size : (position + 1) * self.batch_size]
        return items if self._groups is None else self._groups[:, items].ravel()


def step_generator(seed: int, step: int, purpose: int = 0) -> torch.Generator:
    """Generator of a step's random numbers, so that none depends on the steps before it."""
    entropy = np.random.SeedSequence([seed, step, purpose]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(entropy >> np.uint64(1)))
