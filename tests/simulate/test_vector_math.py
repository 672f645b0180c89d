"""Elementary functions of the kernel over their whole range."""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np

from lensml.simulate import vector_math


def compiled(function: Callable[..., float], arguments: int) -> Callable[..., np.ndarray]:
    """Apply an elementary function to float32 arrays as the kernel does."""

    @numba.njit(fastmath=True, error_model="numpy")
    def of_one(out, x):
        for i in range(out.size):
            out[i] = function(x[i])

    @numba.njit(fastmath=True, error_model="numpy")
    def of_two(out, x, y):
        for i in range(out.size):
            out[i] = function(x[i], y[i])

    loop = {1: of_one, 2: of_two}[arguments]  # compiled when it is called

    def apply(*values: np.ndarray) -> np.ndarray:
        out = np.empty(values[0].shape, np.float32)
        loop(out, *values)
        return out

    return apply


# float32 holds 24 bits, 1.2e-7 of a value from one to the next: a few roundings make 4e-7.
ROUNDING = 4e-7


def test_exp2_agrees_with_numpy_over_its_range():
    x = np.linspace(-125.9, 127.4, 1_000_003, dtype=np.float32)
    x = np.concatenate([x, np.arange(-126, 128, dtype=np.float32)])
    found = compiled(vector_math.exp2, 1)(x)
    np.testing.assert_allclose(found, np.exp2(x.astype(float)), rtol=ROUNDING)


def test_exp2_of_a_vanishing_brightness_is_nothing():
    found = compiled(vector_math.exp2, 1)(np.array([-127, -1e3, -1e6, -3e38], np.float32))
    assert (found >= 0).all()
    assert (found <= 2.0**-126).all()


def test_log2_agrees_with_numpy_over_all_normal_numbers():
    rng = np.random.default_rng(8)
    x = np.exp2(rng.uniform(-125.9, 127.9, 1_000_000)).astype(np.float32)
    near_one = (1 + rng.uniform(-0.3, 0.4, 100_000)).astype(np.float32)
    x = np.concatenate([x, near_one, [np.float32(1), np.float32(2**0.5), np.float32(0.5**0.5)]])
    found = compiled(vector_math.log2, 1)(x)
    np.testing.assert_allclose(found, np.log2(x.astype(float)), rtol=ROUNDING)


def test_atan2_agrees_with_numpy_in_the_upper_half_plane():
    rng = np.random.default_rng(9)
    radius = 10 ** rng.uniform(-6, 6, 1_000_000)
    angle = rng.uniform(0, np.pi, radius.size)
    y = np.abs(radius * np.sin(angle)).astype(np.float32)
    x = (radius * np.cos(angle)).astype(np.float32)
    axes = np.array([[0, 1], [1, 0], [0, -1], [1, 1], [1, -1]], np.float32)
    y, x = np.concatenate([y, axes[:, 0]]), np.concatenate([x, axes[:, 1]])
    found = compiled(vector_math.atan2_upper, 2)(y, x)
    expected = np.arctan2(y.astype(float), x.astype(float))
    np.testing.assert_allclose(found, expected, rtol=ROUNDING)
