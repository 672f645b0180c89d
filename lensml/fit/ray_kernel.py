"""Brightness on rays and its derivatives: parts of :mod:`lensml.fit.kernel`.

Rays are worked out in blocks of ``BLOCK`` whose quantities lie one after the other in one flat
array ``w``: with fixed lengths and one array the compiler turns every loop into SIMD code.

The power law is written with complex numbers and without angles, so that nothing is singular where
the lens is round. With z the position from the centre, e = e1 + i e2, p = z - e z*, t = gamma - 1
and B = theta_E sqrt(1 - |e|^2), eqs. 13, 23 and 29 of Tessore & Metcalf 2015 (arXiv:1507.01819)
become

    alpha = F u S(-e* u^2),  F = B (B / |p|)^(t - 1),  u = p / |p|,  kappa = (2 - t) / 2 F / |p|,

with their series S(w) = sum_k a_k w^k, a_k / a_(k-1) = (2k - 2 + t) / (2k + 2 - t).
"""

from __future__ import annotations

import math

import numba
import numpy as np

from lensml.simulate.vector_math import exp2, log2

BLOCK = 64
# What a block holds of every ray: its position, the ray traced back to the source, ...
X, Y, BX, BY = 0, 1, 2, 3
UR, UI, FORCE, LOG_RATIO, INVERSE_P = 4, 5, 6, 7, 8  # u, F, log2(B / |p|), 1 / |p|
SR, SI, TR, TI, VR, VI = 9, 10, 11, 12, 13, 14  # S, dS/dw, dS/dt
WR, WI = 15, 16  # w
GX, GY = 17, 18  # derivatives of brightness by the position in the source's plane
OUT = 19  # brightness, then its derivative by every parameter
N_PARAMETERS = 19
ROWS = OUT + 1 + N_PARAMETERS

# Scalars of a lens and its source, float32.
CX, CY, E1, E2, T, B, LOG2_B, T_OVER_THETA, T_OVER_ROOM, GAMMA1, GAMMA2 = range(11)
M3C, M3S, M4C, M4S = 11, 12, 13, 14  # a_m / (1 - m^2) times cos and sin of m phi_m, arcsec
SX, SY, SE1, SE2, INVERSE_ROOM, ONE_PLUS_E2 = 15, 16, 17, 18, 19, 20
LOG2_AMP, B_OVER_LN2, LOG2_R2, HALF_INVERSE_N, B_HALF_N, LN_N_CONSTANT, N_B_SLOPE = range(21, 28)
FLOOR2, SLOPE_FLOOR2 = 28, 29
N_SCALARS = 30

MAX_TERMS = 100
SERIES_TOLERANCE = 1e-6  # of f^n: the first term left out is smaller by 2 n + 3
_LN2 = math.log(2)
_f = np.float32
ONE, TWO, HALF, TINY = _f(1), _f(2), _f(0.5), _f(1e-30)


@numba.njit(error_model="numpy", forceinline=True)
def digamma(x):
    """Logarithmic derivative of the gamma function for x > 0 (Abramowitz & Stegun 6.3.5, .18)."""
    below = 0.0
    while x < 6:
        below -= 1 / x
        x += 1
    y = 1 / (x * x)
    return below + math.log(x) - 0.5 / x - y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y / 240)))


@numba.njit(error_model="numpy", forceinline=True)
def prepare(g, x, step, floor):
    """Scalars of the kernel from parameters.

    Args:
        g: (N_SCALARS,) output.
        x: (N_PARAMETERS,) float64.
        step: arcsec between rays where they are densest: derivatives see the cusp of a source no
            more sharply than a third of that.
        floor: arcsec, where the Sersic profile ends inward.
    """
    room = 1 - x[2] * x[2] - x[3] * x[3]
    t = x[1] - 1
    scale = x[0] * math.sqrt(room)
    g[CX], g[CY], g[E1], g[E2] = x[4], x[5], x[2], x[3]
    g[T], g[B], g[LOG2_B] = t, scale, math.log2(scale)
    g[T_OVER_THETA], g[T_OVER_ROOM] = t / x[0], t / room
    g[GAMMA1], g[GAMMA2] = x[6], x[7]
    g[M3C], g[M3S], g[M4C], g[M4S] = x[15] / -8, x[16] / -8, x[17] / -15, x[18] / -15
    n = math.exp(x[10])
    b, b_slope = 1.9992 * n - 0.3271, 1.9992  # as lensml.physics.light.b_n
    log_amp = (
        x[8] - math.log(2 * math.pi * n) - 2 * x[9] + 2 * n * math.log(b) - math.lgamma(2 * n)
    )
    e2 = x[11] * x[11] + x[12] * x[12]
    g[SX], g[SY], g[SE1], g[SE2] = x[13], x[14], x[11], x[12]
    g[INVERSE_ROOM], g[ONE_PLUS_E2] = 1 / (1 - e2), 1 + e2
    g[LOG2_AMP], g[B_OVER_LN2], g[LOG2_R2] = log_amp / _LN2, b / _LN2, 2 * x[9] / _LN2
    g[HALF_INVERSE_N], g[B_HALF_N] = 0.5 / n, 0.5 * b / n
    inner = 2 * math.log(b) + 2 * n * b_slope / b - 2 * digamma(2 * n)
    g[LN_N_CONSTANT], g[N_B_SLOPE] = n * inner - 1, n * b_slope
    g[FLOOR2] = floor * floor
    g[SLOPE_FLOOR2] = max(floor, 0.3 * step) ** 2


@numba.njit(error_model="numpy", forceinline=True)
def expand(series, slope_series, x):
    """Coefficients of the series and their derivatives by the slope.

    Args:
        series, slope_series: (MAX_TERMS + 1,) outputs.
        x: (N_PARAMETERS,).

    Returns:
        Number of terms, the first of which is 1.
    """
    t, modulus = x[1] - 1, math.hypot(x[2], x[3])
    n = 1
    if modulus > 0:
        n = min(max(math.ceil(math.log(SERIES_TOLERANCE) / math.log(modulus)), 1), MAX_TERMS)
    series[0], slope_series[0] = 1, 0
    value, log_slope = 1.0, 0.0
    for k in range(1, n + 1):
        value *= (2 * k - 2 + t) / (2 * k + 2 - t)
        log_slope += 1 / (2 * k - 2 + t) + 1 / (2 * k + 2 - t)
        series[k], slope_series[k] = value, value * log_slope
    return n


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def deflect(w, g):
    """Unit vectors, forces and arguments of the series of a block."""
    cx, cy, e1, e2, tm, log_b = g[CX], g[CY], g[E1], g[E2], g[T] - ONE, g[LOG2_B]
    b = g[B]
    for i in range(BLOCK):
        x, y = w[X * BLOCK + i] - cx, w[Y * BLOCK + i] - cy
        pr = x - (e1 * x + e2 * y)
        pi = y - (e2 * x - e1 * y)
        r2 = pr * pr + pi * pi + TINY
        inverse = ONE / math.sqrt(r2)
        ur, ui = pr * inverse, pi * inverse
        ratio = log_b - HALF * log2(r2)
        w[UR * BLOCK + i] = ur
        w[UI * BLOCK + i] = ui
        w[INVERSE_P * BLOCK + i] = inverse
        w[LOG_RATIO * BLOCK + i] = ratio
        w[FORCE * BLOCK + i] = b * exp2(tm * ratio)
        u2r, u2i = ur * ur - ui * ui, TWO * ur * ui
        w[WR * BLOCK + i] = -(e1 * u2r + e2 * u2i)
        w[WI * BLOCK + i] = -(e1 * u2i - e2 * u2r)


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def sum_series(w, series, n_terms):
    """The series of a block by Horner's rule."""
    last = series[n_terms]
    for i in range(BLOCK):
        w[SR * BLOCK + i] = last
        w[SI * BLOCK + i] = _f(0)
    for k in range(n_terms - 1, -1, -1):
        a = series[k]
        for i in range(BLOCK):
            wr, wi = w[WR * BLOCK + i], w[WI * BLOCK + i]
            sr, si = w[SR * BLOCK + i], w[SI * BLOCK + i]
            w[SR * BLOCK + i] = a + wr * sr - wi * si
            w[SI * BLOCK + i] = wr * si + wi * sr


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def sum_series_slopes(w, series, slope_series, n_terms):
    """The series of a block with its derivatives by its argument and by the slope."""
    last, last_slope = series[n_terms], slope_series[n_terms]
    for i in range(BLOCK):
        w[SR * BLOCK + i] = last
        w[VR * BLOCK + i] = last_slope
        w[SI * BLOCK + i] = w[TR * BLOCK + i] = w[TI * BLOCK + i] = w[VI * BLOCK + i] = _f(0)
    for k in range(n_terms - 1, -1, -1):
        a, da = series[k], slope_series[k]
        for i in range(BLOCK):
            wr, wi = w[WR * BLOCK + i], w[WI * BLOCK + i]
            sr, si = w[SR * BLOCK + i], w[SI * BLOCK + i]
            tr, ti = w[TR * BLOCK + i], w[TI * BLOCK + i]
            vr, vi = w[VR * BLOCK + i], w[VI * BLOCK + i]
            w[TR * BLOCK + i] = sr + wr * tr - wi * ti
            w[TI * BLOCK + i] = si + wr * ti + wi * tr
            w[VR * BLOCK + i] = da + wr * vr - wi * vi
            w[VI * BLOCK + i] = wr * vi + wi * vr
            w[SR * BLOCK + i] = a + wr * sr - wi * si
            w[SI * BLOCK + i] = wr * si + wi * sr


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def trace_back(w, g):
    """Where the rays of a block meet the plane of the source."""
    cx, cy, g1, g2 = g[CX], g[CY], g[GAMMA1], g[GAMMA2]
    c3, s3, c4, s4 = g[M3C], g[M3S], g[M4C], g[M4S]
    for i in range(BLOCK):
        x, y = w[X * BLOCK + i], w[Y * BLOCK + i]
        ur, ui, sr, si = w[UR * BLOCK + i], w[UI * BLOCK + i], w[SR * BLOCK + i], w[SI * BLOCK + i]
        force = w[FORCE * BLOCK + i]
        w[BX * BLOCK + i] = x - force * (ur * sr - ui * si) - (g1 * x + g2 * y)
        w[BY * BLOCK + i] = y - force * (ur * si + ui * sr) - (g2 * x - g1 * y)
    if c3 == 0 and s3 == 0 and c4 == 0 and s4 == 0:
        return
    for i in range(BLOCK):
        x, y = w[X * BLOCK + i] - cx, w[Y * BLOCK + i] - cy
        inverse = ONE / math.sqrt(x * x + y * y + TINY)
        c, s = x * inverse, y * inverse
        # Powers of the unit vector: Xu et al. 2015 (arXiv:1307.4220), eq. B12.
        p2r, p2i = c * c - s * s, TWO * c * s
        p3r, p3i = p2r * c - p2i * s, p2r * s + p2i * c
        p4r, p4i = p2r * p2r - p2i * p2i, TWO * p2r * p2i
        radial = c3 * p3r + s3 * p3i + c4 * p4r + s4 * p4i
        tangential = _f(3) * (s3 * p3r - c3 * p3i) + _f(4) * (s4 * p4r - c4 * p4i)
        w[BX * BLOCK + i] -= c * radial - s * tangential
        w[BY * BLOCK + i] -= s * radial + c * tangential


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def shine(w, g):
    """Brightness of a block, e-/s/arcsec^2 (lenstronomy ``SERSIC_ELLIPSE``).

    Its q u^2 + v^2 / q is [(1 + e^2) r^2 - 2 e1 (x^2 - y^2) - 4 e2 x y] / (1 - e^2).
    """
    sx, sy, e1, e2, room, one_e2 = g[SX], g[SY], g[SE1], g[SE2], g[INVERSE_ROOM], g[ONE_PLUS_E2]
    log_amp, b, log_r2, half_n, floor2 = (
        g[LOG2_AMP],
        g[B_OVER_LN2],
        g[LOG2_R2],
        g[HALF_INVERSE_N],
        g[FLOOR2],
    )
    for i in range(BLOCK):
        x, y = w[BX * BLOCK + i] - sx, w[BY * BLOCK + i] - sy
        skew = e1 * (x * x - y * y) + TWO * e2 * x * y
        r2 = max((one_e2 * (x * x + y * y) - TWO * skew) * room, floor2)
        power = exp2((log2(r2) - log_r2) * half_n)
        w[OUT * BLOCK + i] = exp2(log_amp - b * power)


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def shine_slopes(w, g):
    """Derivatives of the brightness of a block by the parameters of the source."""
    sx, sy, e1, e2, room, one_e2 = g[SX], g[SY], g[SE1], g[SE2], g[INVERSE_ROOM], g[ONE_PLUS_E2]
    log_r2, half_n, floor2 = g[LOG2_R2], g[HALF_INVERSE_N], g[SLOPE_FLOOR2]
    b_half_n, constant, n_b_slope = g[B_HALF_N], g[LN_N_CONSTANT], g[N_B_SLOPE]
    b_ln2 = b_half_n * _f(_LN2)
    for i in range(BLOCK):
        x, y = w[BX * BLOCK + i] - sx, w[BY * BLOCK + i] - sy
        light = w[OUT * BLOCK + i]
        r2_round, plus, cross = x * x + y * y, x * x - y * y, TWO * x * y
        r2 = max((one_e2 * r2_round - TWO * (e1 * plus + e2 * cross)) * room, floor2)
        log_ratio = log2(r2) - log_r2
        power = exp2(log_ratio * half_n)
        by_r2 = -light * b_half_n * power / r2
        gx = TWO * by_r2 * room * (one_e2 * x - TWO * (e1 * x + e2 * y))
        gy = TWO * by_r2 * room * (one_e2 * y - TWO * (e2 * x - e1 * y))
        w[GX * BLOCK + i] = gx
        w[GY * BLOCK + i] = gy
        twice = TWO * by_r2 * room
        w[(OUT + 10) * BLOCK + i] = light * (TWO * b_half_n * power - TWO)
        w[(OUT + 11) * BLOCK + i] = light * (
            constant - n_b_slope * power + b_ln2 * power * log_ratio
        )
        w[(OUT + 12) * BLOCK + i] = twice * (e1 * (r2_round + r2) - plus)
        w[(OUT + 13) * BLOCK + i] = twice * (e2 * (r2_round + r2) - cross)
        w[(OUT + 14) * BLOCK + i] = -gx
        w[(OUT + 15) * BLOCK + i] = -gy


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def lens_slopes(w, g):
    """Derivatives of the brightness of a block by the parameters of the power law and of shear.

    A change d alpha of the deflection makes a ray brighter by -Re(G* d alpha), where G is the
    gradient of brightness in the source's plane. D = dp / p of every ellipticity is -z* / p and
    -i z* / p.
    """
    cx, cy, e1, e2, t = g[CX], g[CY], g[E1], g[E2], g[T]
    t_theta, t_room = g[T_OVER_THETA], g[T_OVER_ROOM]
    rest = ONE - t
    half_rest = HALF * (TWO - t)
    for i in range(BLOCK):
        gx, gy = w[GX * BLOCK + i], w[GY * BLOCK + i]
        x, y = w[X * BLOCK + i] - cx, w[Y * BLOCK + i] - cy
        ur, ui, force = w[UR * BLOCK + i], w[UI * BLOCK + i], w[FORCE * BLOCK + i]
        inverse_p = w[INVERSE_P * BLOCK + i]
        sr, si = w[SR * BLOCK + i], w[SI * BLOCK + i]
        tr, ti = w[TR * BLOCK + i], w[TI * BLOCK + i]
        vr, vi = w[VR * BLOCK + i], w[VI * BLOCK + i]
        wr, wi = w[WR * BLOCK + i], w[WI * BLOCK + i]
        hr, hi = force * (gx * ur + gy * ui), force * (gx * ui - gy * ur)  # G* F u
        ar, ai = hr * sr - hi * si, hr * si + hi * sr  # G* alpha
        w[(OUT + 1) * BLOCK + i] = -ar * t_theta
        w[(OUT + 2) * BLOCK + i] = -(ar * w[LOG_RATIO * BLOCK + i] * _f(_LN2) + hr * vr - hi * vi)
        qr, qi = hr * tr - hi * ti, hr * ti + hi * tr  # G* F u dS/dw
        u2r, u2i = ur * ur - ui * ui, TWO * ur * ui
        er, ei = qr * u2r - qi * u2i, qr * u2i + qi * u2r
        turn = TWO * (qr * wi + qi * wr)
        dr, di = -(x * ur - y * ui) * inverse_p, (x * ui + y * ur) * inverse_p  # -z* / p
        w[(OUT + 3) * BLOCK + i] = -(ar * (rest * dr - t_room * e1) - ai * di - er - turn * di)
        w[(OUT + 4) * BLOCK + i] = -(-ar * (rest * di + t_room * e2) - ai * dr - ei - turn * dr)
        # The centre moves against the ray: kappa and shear of the power law, gamma from Euler's
        # theorem, z kappa + z* gamma = (1 - t) alpha + ... for a force of degree 1 - t.
        kappa = half_rest * force * inverse_p
        fr, fi = force * (ur * sr - ui * si), force * (ur * si + ui * sr)
        nr, ni = rest * fr - x * kappa, rest * fi - y * kappa
        inverse_r2 = ONE / (x * x + y * y + TINY)
        shear_r, shear_i = (nr * x - ni * y) * inverse_r2, (nr * y + ni * x) * inverse_r2
        w[(OUT + 5) * BLOCK + i] = gx * (kappa + shear_r) + gy * shear_i
        w[(OUT + 6) * BLOCK + i] = gy * (kappa - shear_r) + gx * shear_i
        px, py = w[X * BLOCK + i], w[Y * BLOCK + i]
        w[(OUT + 7) * BLOCK + i] = gy * py - gx * px
        w[(OUT + 8) * BLOCK + i] = -(gx * py + gy * px)


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def multipole_slopes(w, g):
    """Derivatives of the brightness of a block by the multipoles, and by their centre."""
    cx, cy = g[CX], g[CY]
    c3, s3, c4, s4 = g[M3C], g[M3S], g[M4C], g[M4S]
    eighth, fifteenth = _f(1 / 8), _f(1 / 15)
    for i in range(BLOCK):
        gx, gy = w[GX * BLOCK + i], w[GY * BLOCK + i]
        x, y = w[X * BLOCK + i] - cx, w[Y * BLOCK + i] - cy
        inverse = ONE / math.sqrt(x * x + y * y + TINY)
        c, s = x * inverse, y * inverse
        p2r, p2i = c * c - s * s, TWO * c * s
        p3r, p3i = p2r * c - p2i * s, p2r * s + p2i * c
        p4r, p4i = p2r * p2r - p2i * p2i, TWO * p2r * p2i
        radial, tangential = gx * c + gy * s, gy * c - gx * s
        w[(OUT + 16) * BLOCK + i] = (radial * p3r - _f(3) * tangential * p3i) * eighth
        w[(OUT + 17) * BLOCK + i] = (radial * p3i + _f(3) * tangential * p3r) * eighth
        w[(OUT + 18) * BLOCK + i] = (radial * p4r - _f(4) * tangential * p4i) * fifteenth
        w[(OUT + 19) * BLOCK + i] = (radial * p4i + _f(4) * tangential * p4r) * fifteenth
        # Along the ray a multipole's deflection does not change, across it by 2 kappa.
        twice_kappa = inverse * (_f(-8) * (c3 * p3r + s3 * p3i) - _f(15) * (c4 * p4r + s4 * p4i))
        w[(OUT + 5) * BLOCK + i] -= tangential * twice_kappa * s
        w[(OUT + 6) * BLOCK + i] += tangential * twice_kappa * c
