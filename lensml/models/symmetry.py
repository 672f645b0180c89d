"""Exact symmetries of a population: augmentation in training, averaging at test time."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

# Elements as (transpose, flip rows, flip columns); the square group has all eight.
SYMMETRIES: dict[str, list[tuple[bool, bool, bool]]] = {
    "none": [(False, False, False)],
    "half_turn": [(False, False, False), (False, True, True)],
    "flips": [(False, r, c) for r in (False, True) for c in (False, True)],
    "square": [(t, r, c) for t in (False, True) for r in (False, True) for c in (False, True)],
}


@lru_cache(maxsize=16)
def _pixel_maps(symmetry: str, size: int, device: torch.device) -> Tensor:
    """Pixel that every pixel of a transformed image comes from, (elements, size^2)."""
    grid = torch.arange(size**2, device=device).reshape(1, 1, size, size)
    return torch.stack([transform(grid, e).reshape(-1) for e in SYMMETRIES[symmetry]])


def transform(x: Tensor, element: tuple[bool, bool, bool]) -> Tensor:
    """Apply one element to (N, C, H, W) images (square if it transposes)."""
    transpose, rows, columns = element
    x = x.transpose(2, 3) if transpose else x
    dims = [d for d, flip in ((2, rows), (3, columns)) if flip]
    return x.flip(dims) if dims else x


def untransform(x: Tensor, element: tuple[bool, bool, bool]) -> Tensor:
    """Undo :func:`transform`: (N, C, H, W) as it was before the element was applied."""
    transpose, rows, columns = element
    x = transform(x, (False, rows, columns))
    return x.transpose(2, 3) if transpose else x


def random_elements(
    n: int, symmetry: str, generator: torch.Generator, *, copies: int = 1
) -> Tensor:
    """Random elements of the group for ``n`` images, (n,) positions in ``SYMMETRIES``.

    Args:
        n: images.
        symmetry: key of ``SYMMETRIES``.
        generator: on the CPU.
        copies: the batch is this many parts of equal length whose images correspond; those at
            equal position get the same element.
    """
    return torch.randint(len(SYMMETRIES[symmetry]), (n // copies,), generator=generator).repeat(
        copies
    )


def apply_elements(x: Tensor, symmetry: str, elements: Tensor) -> Tensor:
    """Every image under its element.

    All pixels are gathered at once, which is twice as fast as one element after the other.

    Args:
        x: (N, C, H, H).
        symmetry: key of ``SYMMETRIES``.
        elements: (N,) as :func:`random_elements` draws them.
    """
    if len(SYMMETRIES[symmetry]) == 1:
        return x
    maps = _pixel_maps(symmetry, x.shape[3], x.device)[elements.to(x.device)]
    return x.flatten(2).gather(2, maps[:, None].expand(-1, x.shape[1], -1)).view(x.shape)


def random_symmetry(
    x: Tensor, symmetry: str, generator: torch.Generator, *, copies: int = 1
) -> Tensor:
    """Every image under a random element of the group; see :func:`random_elements`."""
    return apply_elements(x, symmetry, random_elements(len(x), symmetry, generator, copies=copies))
