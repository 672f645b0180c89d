"""Elementary functions that LLVM can vectorise in float32; float64 uses the C library.

Branch-free so that a loop over rays becomes SIMD code. Relative errors in float32 are below 4e-7.
Call them only from numba-compiled code.
"""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numba.extending import overload

# What the compiler may assume of the kernels' numbers. That there is neither NaN nor infinity, and
# no sign of zero, changes no result. It may not reorder sums, fuse a product with a sum or
# approximate a quotient, because it would do so by the instructions at hand: with these three
# alone, images are the same bytes on every processor, and as fast.
FASTMATH = {"nnan", "ninf", "nsz"}
_f, _i = np.float32, np.int32
_LN2 = _f(math.log(2))
_PI, _HALF_PI, _QUARTER_PI = _f(math.pi), _f(math.pi / 2), _f(math.pi / 4)
_TAN_PI_8 = _f(math.tan(math.pi / 8))


def exp2(x: float) -> float:
    """2**x."""
    return 2.0**x


def log2(x: float) -> float:
    """Base-2 logarithm of a positive, normal number."""
    return math.log2(x)


def atan2_upper(y: float, x: float) -> float:
    """``atan2`` for y >= 0: the angle of (x, y) in [0, pi]."""
    return math.atan2(y, x)


@overload(exp2, inline="always")
def _exp2(x):
    if x != types.float32:
        return lambda x: math.exp(x * 0.6931471805599453)

    def implementation(x):
        clamped = max(x, _f(-126.0))
        # Adding 1000.5 first makes the truncation round to nearest for every reachable exponent.
        k = _i(_i(clamped + _f(1000.5)) - _i(1000))
        r = (clamped - _f(k)) * _LN2
        p = _f(1 / 24) + r * (_f(1 / 120) + r * _f(1 / 720))
        p = _f(1) + r * (_f(1) + r * (_f(0.5) + r * (_f(1 / 6) + r * p)))
        return p * _i(_i(k + _i(127)) << _i(23)).view(np.float32)

    return implementation


@overload(log2, inline="always")
def _log2(x):
    if x != types.float32:
        return lambda x: math.log(x) * 1.4426950408889634

    def implementation(x):
        bits = _f(x).view(np.int32)
        # Subtracting the bits of sqrt(1/2) puts the mantissa into [sqrt(1/2), sqrt(2)).
        exponent = _i(_i(bits - _i(0x3F3504F3)) >> _i(23))
        mantissa = _i(bits - _i(exponent << _i(23))).view(np.float32)
        s = (mantissa - _f(1)) / (mantissa + _f(1))
        z = s * s
        p = _f(0.5770780163555854) + z * _f(0.4121985831111324)
        p = _f(2.885390081777927) + z * (_f(0.9617966939259757) + z * p)
        return _f(exponent) + s * p

    return implementation


@overload(atan2_upper, inline="always")
def _atan2_upper(y, x):
    if x != types.float32:
        return lambda y, x: math.atan2(y, x)

    def implementation(y, x):
        ax = abs(x)
        small, large = min(ax, y), max(ax, y)
        t = small / max(large, _f(1e-30))
        # atan on [0, 1] by reduction to |t| < tan(pi/8) (coefficients of the Cephes library).
        reduce = t > _TAN_PI_8
        w = (t - _f(1)) / (t + _f(1)) if reduce else t
        z = w * w
        p = _f(1.99777106478e-1) + z * (_f(-1.38776856032e-1) + z * _f(8.05374449538e-2))
        p = w + w * z * (_f(-3.33329491539e-1) + z * p)
        angle = p + _QUARTER_PI if reduce else p
        angle = _HALF_PI - angle if y > ax else angle
        return _PI - angle if x < _f(0) else angle

    return implementation
