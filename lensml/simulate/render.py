"""Noise-free images of lens systems, by the numba kernel or by lenstronomy."""

from __future__ import annotations

import numpy as np

from lensml.physics.ellipticity import phi_q
from lensml.physics.light import b_n
from lensml.schema.simulation import Domain
from lensml.simulate.systems import Systems

FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))
SERIES_TOLERANCE = {"float32": 1e-8, "float64": 1e-15}
MAX_SERIES_TERMS = 400


def pixel_axis(num_pix: int, pixel_scale: float) -> np.ndarray:
    """Pixel centres of either axis.

    Returns:
        (num_pix,) float64 arcsec, symmetric about zero.
    """
    return -(num_pix - 1) / 2 * pixel_scale + np.arange(num_pix) * pixel_scale


def ray_axis(domain: Domain) -> np.ndarray:
    """Ray coordinates of either axis, to the last bit those of lenstronomy's sub-grid.

    Returns:
        (num_pix supersampling_factor,) float64 arcsec.
    """
    pixels = pixel_axis(domain.num_pix, domain.instrument.pixel_scale)
    ss = domain.supersampling_factor
    rays = np.empty(domain.num_pix * ss)
    step = pixels[1] - pixels[0]
    for j in range(ss):
        rays[j::ss] = pixels + step * (-1 / 2.0 + 1 / (2.0 * ss) + j / float(ss))
    return rays


def binned_gaussian(
    *, psf_fwhm: float, psf_truncation: float, pixel_scale: float, supersampling_factor: int
) -> np.ndarray:
    """Gaussian on the ray grid, truncated and normalised as ``scipy.ndimage``, binned to a pixel.

    Args:
        psf_fwhm: arcsec.
        psf_truncation: standard deviations.
        pixel_scale: arcsec.
        supersampling_factor: rays per pixel and axis.

    Returns:
        (2 radius + supersampling_factor,) weights that turn surface brightness along one axis
        into flux per pixel (they sum to ``pixel_scale``).
    """
    sigma = psf_fwhm / FWHM_PER_SIGMA / pixel_scale * supersampling_factor
    radius = int(psf_truncation * sigma + 0.5)
    offsets = np.arange(-radius, radius + 1)
    gaussian = np.exp(-0.5 * (offsets / sigma) ** 2)
    box = np.full(supersampling_factor, pixel_scale / supersampling_factor)
    return np.convolve(gaussian / gaussian.sum(), box)


def render(systems: Systems, domain: Domain, *, engine: str, precision: str) -> np.ndarray:
    """Noise-free images.

    Args:
        systems: truth of N images.
        domain: camera and sampling.
        engine: 'numba' or 'lenstronomy'.
        precision: 'float32' or 'float64', of the numba kernel; lenstronomy works in float64.

    Returns:
        (N, num_pix, num_pix) e-/s per pixel, of the given precision.
    """
    if engine == "lenstronomy":
        from lensml.simulate.lenstronomy_bridge import render_with_lenstronomy

        return render_with_lenstronomy(systems, domain).astype(precision)
    from lensml.simulate.kernel import trace

    images = np.empty((len(systems), domain.num_pix, domain.num_pix), precision)
    macro, n_terms = _macro_table(systems, precision)
    points, lines = _point_table(systems, precision), _line_table(systems, precision)
    taps = binned_gaussian(
        psf_fwhm=domain.instrument.psf_fwhm,
        psf_truncation=domain.instrument.psf_truncation,
        pixel_scale=domain.instrument.pixel_scale,
        supersampling_factor=domain.supersampling_factor,
    ).astype(precision)
    ss = domain.supersampling_factor
    trace(images, ray_axis(domain), macro, n_terms, *points, *lines, taps, ss)
    return images


def _macro_table(systems: Systems, precision: str) -> tuple[np.ndarray, np.ndarray]:
    """Lens and source of every image in the kernel's own terms (``kernel.MACRO_COLUMNS``)."""
    from lensml.simulate.kernel import MACRO_COLUMNS

    rows, terms = [], []
    truth = systems.truth
    for i in range(len(systems)):
        t = {name: column[i] for name, column in truth.items()}
        phi, q = phi_q(t["e1"], t["e2"])
        ratio = (1 - q) / (1 + q)
        source_phi, source_q = phi_q(t["source_e1"], t["source_e2"])
        b, n = b_n(t["source_n_sersic"]), t["source_n_sersic"]
        rows.append(
            (
                t["center_x"],
                t["center_y"],
                np.cos(phi),
                np.sin(phi),
                q,
                ratio,
                2 * t["theta_E"] * np.sqrt(q) / (1 + q),
                t["gamma1"],
                t["gamma2"],
                t["source_center_x"],
                t["source_center_y"],
                np.cos(source_phi),
                np.sin(source_phi),
                source_q,
                np.log2(t["source_amp"]) + b / np.log(2),
                b / np.log(2),
                np.log2(t["source_R_sersic"]),
                1 / (2 * n),
            )
        )
        terms.append(_series_terms(ratio, SERIES_TOLERANCE[precision]))
    table = np.array(rows, precision).reshape(len(rows), len(MACRO_COLUMNS))
    return table, np.array(terms, np.int64)


def _series_terms(ratio: float, tolerance: float) -> int:
    """Terms after which ratio^n / (2n + 1) is below the tolerance."""
    if ratio <= 0:
        return 1
    return int(np.clip(np.ceil(np.log(tolerance) / np.log(ratio)), 1, MAX_SERIES_TERMS))


def _point_table(systems: Systems, precision: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if systems.profile != "POINT_MASS":
        return np.zeros(len(systems) + 1, np.int64), np.empty((0, 2)), np.empty(0, precision)
    p = systems.perturbers
    xy = np.stack([p["center_x"], p["center_y"]], axis=1)
    return systems.offset, xy, (p["theta_E"] ** 2).astype(precision)


def _line_table(systems: Systems, precision: str) -> tuple[np.ndarray, np.ndarray]:
    from lensml.simulate.kernel import LINE_COLUMNS

    if systems.profile != "LINE_MASS":
        empty = np.empty((0, len(LINE_COLUMNS)), precision)
        return np.zeros(len(systems) + 1, np.int64), empty
    p = systems.perturbers
    columns = (
        p["center_x"],
        p["center_y"],
        np.cos(p["angle"]),
        np.sin(p["angle"]),
        p["length"] / 2,
        p["core"] ** 2,
        p["theta_E"] ** 2 / p["length"],
    )
    return systems.offset, np.stack(columns, axis=1).astype(precision)
