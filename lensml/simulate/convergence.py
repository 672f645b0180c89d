"""Convergence of the substructure alone, averaged over the pixels of the image."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from tqdm import tqdm

from lensml.physics.profiles import line_mass_deflection
from lensml.schema.simulation import Domain
from lensml.simulate.axes import pixel_axis
from lensml.simulate.halo_kernel import enclosed_table, halo_deflection
from lensml.simulate.render import halo_columns
from lensml.simulate.systems import Systems

STEPS = 8  # of the trapezoidal rule along the edge of a pixel
LINE_PARAMETERS = ("theta_E", "length", "core", "angle", "center_x", "center_y")


def substructure_convergence(systems: Systems, domain: Domain) -> np.ndarray:
    """Mean convergence of the perturbers in every pixel.

    The mean of kappa over a pixel is half the outward flux of the deflection through its edges
    over its area (Gauss), which needs no finer grid where a profile is steep and conserves mass
    from pixel to pixel. A point mass is spread over the pixel that it lies in. The uniform disc
    that makes room for substructure is not part of it.

    Args:
        systems: truth of N images.
        domain: camera and population.

    Returns:
        (N, num_pix, num_pix) float64, dimensionless.
    """
    scale = domain.instrument.pixel_scale
    axis = pixel_axis(domain.num_pix, scale)
    edges = np.append(axis - scale / 2, axis[-1] + scale / 2)
    mean = _points if systems.profile == "POINT_MASS" else _extended(systems.profile)
    return np.stack(
        [
            mean({k: v[start:stop] for k, v in systems.perturbers.items()}, edges)
            for start, stop in tqdm(
                zip(systems.offset[:-1], systems.offset[1:], strict=True),
                total=len(systems),
                desc="convergence",
                disable=None,
            )
        ]
    )


def _points(perturbers: Mapping[str, np.ndarray], edges: np.ndarray) -> np.ndarray:
    """Point masses: theta_E^2 pi over the area of a pixel."""
    mass, _, _ = np.histogram2d(
        perturbers["center_y"],
        perturbers["center_x"],
        bins=(edges, edges),
        weights=np.pi * perturbers["theta_E"] ** 2,
    )
    return mass / (edges[1] - edges[0]) ** 2


def _extended(profile: str) -> Callable[[Mapping[str, np.ndarray], np.ndarray], np.ndarray]:
    deflection = {"LINE_MASS": _line_deflection, "TNFW": _halo_deflection}[profile]

    def mean(perturbers: Mapping[str, np.ndarray], edges: np.ndarray) -> np.ndarray:
        n = len(edges) - 1
        fine = np.linspace(edges[0], edges[-1], n * STEPS + 1)
        return mean_convergence(*deflection(perturbers, fine), edges[1] - edges[0])

    return mean


def mean_convergence(alpha_x: np.ndarray, alpha_y: np.ndarray, pixel_scale: float) -> np.ndarray:
    """Mean convergence of every pixel from the deflection on a grid that holds its edges.

    Args:
        alpha_x, alpha_y: (n STEPS + 1, n STEPS + 1) arcsec, rows along y, from the lowest edge of
            the first pixel to the highest of the last.
        pixel_scale: arcsec.

    Returns:
        (n, n).
    """
    through_x = _along_edges(alpha_x[:, ::STEPS])  # (n, n + 1): every vertical edge
    through_y = _along_edges(alpha_y[::STEPS].T)  # the same of the horizontal ones
    flux = np.diff(through_x, axis=1) + np.diff(through_y, axis=1).T
    return flux / (2 * pixel_scale)


def _along_edges(alpha: np.ndarray) -> np.ndarray:
    """Mean along the edge of every pixel by the trapezoidal rule, (n STEPS + 1, m) -> (n, m)."""
    pieces = (alpha[1:] + alpha[:-1]) / 2
    return pieces.reshape(-1, STEPS, alpha.shape[1]).mean(1)


def _line_deflection(
    perturbers: Mapping[str, np.ndarray], axis: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.meshgrid(axis, axis)
    total_x, total_y = np.zeros_like(x), np.zeros_like(x)
    for i, mass in enumerate(perturbers["mass"]):
        given = {name: float(perturbers[name][i]) for name in LINE_PARAMETERS}
        alpha_x, alpha_y = line_mass_deflection(x, y, **given)
        total_x += np.sign(mass) * alpha_x
        total_y += np.sign(mass) * alpha_y
    return total_x, total_y


def _halo_deflection(
    perturbers: Mapping[str, np.ndarray], axis: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """By the renderer's own kernel: a realistic image has hundreds of halos."""
    table = enclosed_table()
    xy, halos = halo_columns(perturbers)
    total = np.empty((2, len(axis), len(axis)), np.float32)
    row = np.empty(table.shape[1], np.float32)
    halo_deflection(total[0], total[1], axis, xy, halos, table, row)
    return total[0].astype(float), total[1].astype(float)
