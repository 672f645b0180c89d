"""Columns of the kernel's tables: names, in their order, and the constant of each name's place.

The compiled code takes plain rows of numbers; it reads ``row[SLOPE_EXCESS]`` where a reader would
say ``row.slope_excess``. numba freezes these constants, so that names cost nothing.
"""

from __future__ import annotations

# One row per image: lens and source.
MACRO_COLUMNS = (
    "center_x",
    "center_y",
    "cos_phi",
    "sin_phi",
    "q",
    "series_ratio",  # (1 - q) / (1 + q)
    "series_scale",  # 2 theta_E sqrt(q) / (1 + q)
    "gamma1",
    "gamma2",
    "source_x",
    "source_y",
    "source_cos_phi",
    "source_sin_phi",
    "source_q",
    "log2_amp",  # surface brightness at R_sersic, plus b_n / ln 2
    "b_over_ln2",
    "log2_R_sersic",
    "half_inverse_n",  # 1 / (2 n)
    "slope_excess",  # gamma - 2
    "log2_b",  # log2(theta_E sqrt(q))
    "kappa_sheet",
    "r_sheet2",
    "m3_cos",  # a_3 / (1 - 9) times cos and sin of 3 phi_3, in the frame of the sky, arcsec
    "m3_sin",
    "m4_cos",
    "m4_sin",
    "floor2",  # smoothing radius of the Sersic profile, squared
    "galaxy_amp",
    "galaxy_inverse_scale",  # 1 / arcsec
)
(
    CENTER_X,
    CENTER_Y,
    COS_PHI,
    SIN_PHI,
    Q,
    SERIES_RATIO,
    SERIES_SCALE,
    GAMMA1,
    GAMMA2,
    SOURCE_X,
    SOURCE_Y,
    SOURCE_COS_PHI,
    SOURCE_SIN_PHI,
    SOURCE_Q,
    LOG2_AMP,
    B_OVER_LN2,
    LOG2_R_SERSIC,
    HALF_INVERSE_N,
    SLOPE_EXCESS,
    LOG2_B,
    KAPPA_SHEET,
    R_SHEET2,
    M3_COS,
    M3_SIN,
    M4_COS,
    M4_SIN,
    FLOOR2,
    GALAXY_AMP,
    GALAXY_INVERSE_SCALE,
) = range(len(MACRO_COLUMNS))

# One row per cored line.
LINE_COLUMNS = (
    "line_x",
    "line_y",
    "line_cos",
    "line_sin",
    "half_length",
    "core2",
    "line_scale",  # sign of the mass times theta_E^2 / length
)
LINE_X, LINE_Y, LINE_COS, LINE_SIN, HALF_LENGTH, CORE2, LINE_SCALE = range(len(LINE_COLUMNS))

# One row per halo.
HALO_COLUMNS = ("theta_N2", "inverse_Rs2", "Rs2", "tau")
THETA_N2, INVERSE_RS2, RS2, TAU = range(len(HALO_COLUMNS))
