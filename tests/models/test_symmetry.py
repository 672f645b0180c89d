"""Symmetries of images."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor
from toy.networks import generator, noise

from lensml.models.symmetry import SYMMETRIES, apply_elements, random_symmetry, transform

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def moved_by_hand(x: Tensor, element: tuple[bool, bool, bool]) -> Tensor:
    """An element applied pixel by pixel."""
    transpose, rows, columns = element
    size = x.shape[2]
    out = torch.empty_like(x)
    for r, c in itertools.product(range(size), range(size)):
        a, b = (size - 1 - r if rows else r), (size - 1 - c if columns else c)
        out[:, :, r, c] = x[:, :, b, a] if transpose else x[:, :, a, b]
    return out


def key(x: Tensor) -> tuple[float, ...]:
    return tuple(x.flatten().tolist())


@pytest.mark.parametrize("element", SYMMETRIES["square"])
def test_an_element_moves_pixels_as_it_says(element):
    x = noise(2, 3, 5, 5)
    assert torch.equal(transform(x, element), moved_by_hand(x, element))


@pytest.mark.parametrize(
    ("name", "order"), [("none", 1), ("half_turn", 2), ("flips", 4), ("square", 8)]
)
def test_symmetries_form_a_group_of_distinct_elements(name, order):
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    elements = SYMMETRIES[name]
    orbit = {key(transform(x, e)) for e in elements}
    assert len(elements) == len(orbit) == order
    assert key(x) in orbit
    for a, b in itertools.product(elements, elements):
        assert key(transform(transform(x, a), b)) in orbit


def test_the_square_group_is_rotations_and_mirrored_rotations():
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    rotations = [torch.rot90(x, k, (2, 3)) for k in range(4)]
    expected = {key(r) for r in rotations} | {key(r.flip(3)) for r in rotations}
    assert {key(transform(x, e)) for e in SYMMETRIES["square"]} == expected


def test_half_a_turn_is_two_quarter_turns():
    x = noise(1, 1, 4, 4)
    assert torch.equal(transform(x, SYMMETRIES["half_turn"][1]), torch.rot90(x, 2, (2, 3)))


@pytest.mark.parametrize("name", list(SYMMETRIES))
def test_random_symmetry_gives_every_element_equally_often_and_nothing_else(name):
    n, order = 1600, len(SYMMETRIES[name])
    one = torch.arange(9.0).reshape(1, 1, 3, 3)
    count = dict.fromkeys((key(transform(one, e)) for e in SYMMETRIES[name]), 0)
    for image in random_symmetry(one.repeat(n, 1, 1, 1), name, generator()):
        count[key(image)] += 1  # KeyError: not of the group
    tolerance = 5 * math.sqrt(n / order * (1 - 1 / order))  # binomial, 5 standard errors
    assert all(abs(c - n / order) <= tolerance for c in count.values())


def test_random_symmetry_keeps_every_image_in_its_place():
    x = noise(50, 1, 4, 4)
    out = random_symmetry(x, "square", generator())
    for before, after in zip(x, out, strict=True):
        assert key(after) in {key(transform(before[None], e)) for e in SYMMETRIES["square"]}


def test_corresponding_images_of_a_batch_get_the_same_element():
    part = noise(20, 1, 4, 4)
    out = random_symmetry(part.repeat(3, 1, 1, 1), "square", generator(), copies=3)
    first, second, third = out.split(20)
    assert torch.equal(first, second)
    assert torch.equal(first, third)
    changed = sum(not torch.equal(x, y) for x, y in zip(part, first, strict=True))
    assert 10 <= changed <= 20  # 17.5 +- 1.5: all but one element of eight move an image


def test_random_symmetry_follows_from_the_generator():
    x = noise(50, 1, 4, 4)
    first, second = (random_symmetry(x, "square", generator(5)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, random_symmetry(x, "square", generator(6)))


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_elements_move_pixels_as_transform_does(symmetry):
    group = SYMMETRIES[symmetry]
    x = torch.randn(len(group), 2, 5, 5)
    found = apply_elements(x, symmetry, torch.arange(len(group)))
    for k, element in enumerate(group):
        assert torch.equal(found[k : k + 1], transform(x[k : k + 1], element))
