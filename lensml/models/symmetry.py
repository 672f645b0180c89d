"""Exact symmetries of a population: augmentation in training, averaging at test time."""

from __future__ import annotations

import torch
from torch import Tensor

# Elements as (transpose, flip rows, flip columns); the square group has all eight.
SYMMETRIES: dict[str, list[tuple[bool, bool, bool]]] = {
    "none": [(False, False, False)],
    "half_turn": [(False, False, False), (False, True, True)],
    "flips": [(False, r, c) for r in (False, True) for c in (False, True)],
    "square": [(t, r, c) for t in (False, True) for r in (False, True) for c in (False, True)],
}


def transform(x: Tensor, element: tuple[bool, bool, bool]) -> Tensor:
    """Apply one element to (N, C, H, W) images (square if it transposes)."""
    transpose, rows, columns = element
    x = x.transpose(2, 3) if transpose else x
    dims = [d for d, flip in ((2, rows), (3, columns)) if flip]
    return x.flip(dims) if dims else x


def random_symmetry(
    x: Tensor, symmetry: str, generator: torch.Generator, *, copies: int = 1
) -> Tensor:
    """Every image under a random element of the group.

    Args:
        x: (N, C, H, W).
        symmetry: key of ``SYMMETRIES``.
        generator: on the CPU.
        copies: the batch is this many parts of equal length whose images correspond; those at
            equal position get the same element.
    """
    elements = SYMMETRIES[symmetry]
    if len(elements) == 1:
        return x
    choice = torch.randint(len(elements), (len(x) // copies,), generator=generator).repeat(copies)
    out = torch.empty_like(x)
    for k, element in enumerate(elements):
        mask = (choice == k).to(x.device)
        out[mask] = transform(x[mask], element)
    return out
