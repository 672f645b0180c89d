"""Noise of one image in one pass: normal deviates from random bits, times each pixel's rms.

Box and Muller's transform (1958, Ann. Math. Stat. 29, 610) costs a logarithm, a root and an angle
for two deviates, all of which the compiler vectorises; a rejection method, which NumPy has, it
cannot. Deviates end at 6.7 standard deviations, beyond which lies one in 3e10.
"""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable

import numba
import numpy as np

from lensml.simulate import vector_math
from lensml.simulate.vector_math import FASTMATH, log2

_f = np.float32
_MINUS_TWO_LN2 = _f(-2 * math.log(2))
_QUARTER_TURN = _f(math.pi / 2)


@numba.njit(fastmath=FASTMATH, error_model="numpy", forceinline=True)
def _normal_pairs(first, second, radius_bits, angle_bits):
    """Two independent standard normal deviates from 64 random bits each; all arrays (n,)."""
    for j in range(first.size):
        # 31 bits of a uniform deviate in (0, 1]; a float32 holds 24 of them, near zero all.
        u = (_f((radius_bits[j] >> np.int32(1)) & np.int32(0x7FFFFFFF)) + _f(0.5)) * _f(2.0**-31)
        radius = math.sqrt(max(_MINUS_TWO_LN2 * log2(u), _f(0)))  # pyright: ignore[reportArgumentType]
        # 30 bits of an angle between -45 and 45 degrees, two that choose the quadrant.
        x = _f(np.int32(angle_bits[j] << np.int32(2))) * _f(2.0**-32) * _QUARTER_TURN
        z = x * x
        # Coefficients of the Cephes library.
        sine = _f(8.3321608736e-3) - z * _f(1.9515295891e-4)
        sine = x + x * z * (z * sine - _f(1.6666654611e-1))
        cosine = _f(4.166664568298827e-2) + z * (
            z * _f(2.443315711809948e-5) - _f(1.388731625493765e-3)
        )
        cosine = _f(1) - _f(0.5) * z + z * z * cosine
        swap = (angle_bits[j] >> np.int32(30)) & np.int32(1)
        a = sine if swap else cosine
        b = cosine if swap else sine
        radius = -radius if angle_bits[j] < np.int32(0) else radius
        first[j], second[j] = radius * a, radius * b


def _compiled(sources: str) -> Callable[..., None]:
    """The kernel; numba's cache of it is that of these ``sources``, not of this file alone."""

    @numba.njit(fastmath=FASTMATH, error_model="numpy", cache=True)
    def draw_noise(noisy, image, light, bits, background_rms, exposure_time):
        """Add Gaussian noise of variance background_rms^2 + max(light, 0) / exposure_time.

        Args:
            noisy: (pixels,) float32 output, e-/s.
            image: (pixels,) noise-free, e-/s.
            light: (pixels,) light whose photons are noisy, e-/s.
            bits: (2 half,) int32 random bits, where half = ceil(pixels / 2).
            background_rms: e-/s per pixel.
            exposure_time: s.
        """
        _ = sources  # in the closure, and so in the key of numba's cache
        half = bits.size // 2
        deviates = np.empty(2 * half, np.float32)
        _normal_pairs(deviates[:half], deviates[half:], bits[:half], bits[half:])
        variance, inverse_time = _f(background_rms**2), _f(1 / exposure_time)
        for j in range(noisy.size):
            rms = math.sqrt(variance + inverse_time * max(_f(light[j]), _f(0)))
            noisy[j] = _f(image[j]) + rms * deviates[j]

    return draw_noise


draw_noise = _compiled(hashlib.sha256(inspect.getsource(vector_math).encode()).hexdigest())
