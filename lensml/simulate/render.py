"""Noise-free images of lens systems, by the numba kernel or by lenstronomy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lensml.physics.ellipticity import MAX_MODULUS, phis_qs
from lensml.physics.light import SMOOTHING, b_ns
from lensml.schema.population import CdmTnfw
from lensml.schema.simulation import Domain
from lensml.simulate.axes import ray_axis
from lensml.simulate.columns import HALO_COLUMNS, LINE_COLUMNS, MACRO_COLUMNS
from lensml.simulate.galaxy_sources import load_galaxies
from lensml.simulate.systems import Systems

FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))
SERIES_TOLERANCE = {"float32": 1e-8, "float64": 1e-15}
MAX_SERIES_TERMS = 400
LENS_LIGHT_SAMPLING = {"supersampling_factor": 5, "refinement_factor": 5}
LIGHT_COLUMNS = ("amp", "R_sersic", "n_sersic", "e1", "e2")


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


def psf_taps(domain: Domain) -> np.ndarray:
    """The Gaussians of the domain's PSF as weights along one axis.

    A separable Gaussian with a share of the light is the outer product of its row with itself, so
    a row holds the root of the share.

    Returns:
        (components, 2 radius + supersampling_factor,), narrower ones padded by zeros.
    """
    instrument, ss = domain.instrument, domain.supersampling_factor
    rows = [
        np.sqrt(share)
        * binned_gaussian(
            psf_fwhm=fwhm,
            psf_truncation=instrument.psf_truncation,
            pixel_scale=instrument.pixel_scale,
            supersampling_factor=ss,
        )
        for share, fwhm in instrument.psf_components
    ]
    longest = max(row.size for row in rows)
    return np.stack([np.pad(row, (longest - row.size) // 2) for row in rows])


def render(
    systems: Systems,
    domain: Domain,
    *,
    engine: str,
    precision: str,
) -> np.ndarray:
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
    macro = _macro_table(systems, precision)
    series, n_terms = _series(systems, precision)
    points, lines = _point_table(systems, precision), _line_table(systems, precision)
    halos = _halo_table(systems, domain, precision)
    galaxies = _galaxy_table(systems, domain, precision)
    taps = psf_taps(domain).astype(precision)
    ss = domain.supersampling_factor
    trace(
        images,
        ray_axis(domain),
        macro,
        series,
        n_terms,
        *points,
        *lines,
        *halos,
        *galaxies,
        taps,
        ss,
        domain.refinement_factor,
    )
    return images


def _macro_table(systems: Systems, precision: str) -> np.ndarray:
    """Lens and source of every image in the kernel's own terms (``columns.MACRO_COLUMNS``)."""
    t = systems.truth
    phi, q = phis_qs(t["e1"], t["e2"])
    source_phi, source_q = phis_qs(t["source_e1"], t["source_e2"])
    b = b_ns(t["source_n_sersic"])
    has_galaxy = t["source_scale"] > 0
    columns = {
        "center_x": t["center_x"],
        "center_y": t["center_y"],
        "cos_phi": np.cos(phi),
        "sin_phi": np.sin(phi),
        "q": q,
        "series_ratio": (1 - q) / (1 + q),
        "series_scale": 2 * t["theta_E"] * np.sqrt(q) / (1 + q),
        "gamma1": t["gamma1"],
        "gamma2": t["gamma2"],
        "source_x": t["source_center_x"],
        "source_y": t["source_center_y"],
        "source_cos_phi": np.cos(source_phi),
        "source_sin_phi": np.sin(source_phi),
        "source_q": source_q,
        "log2_amp": np.log2(t["source_amp"]) + b / np.log(2),
        "b_over_ln2": b / np.log(2),
        "log2_R_sersic": np.log2(t["source_R_sersic"]),
        "half_inverse_n": 1 / (2 * t["source_n_sersic"]),
        "slope_excess": t["gamma"] - 2,
        "log2_b": np.log2(np.maximum(t["theta_E"], 1e-30) * np.sqrt(q)),
        "kappa_sheet": t["kappa_sheet"],
        "r_sheet2": t["r_sheet"] ** 2,
        **dict(zip(("m3_cos", "m3_sin"), _multipole(3, t, phi, q), strict=True)),
        **dict(zip(("m4_cos", "m4_sin"), _multipole(4, t, phi, q), strict=True)),
        "floor2": np.full(len(systems), SMOOTHING**2),
        "galaxy_amp": t["source_amp"],
        "galaxy_inverse_scale": np.where(
            has_galaxy, 1 / np.where(has_galaxy, t["source_scale"], 1), 0
        ),
    }
    return _table(columns, MACRO_COLUMNS).astype(precision)


def _table(columns: Mapping[str, np.ndarray], names: Sequence[str]) -> np.ndarray:
    """Columns (N,) side by side in the order of their names, (N, len(names))."""
    return np.stack([columns[name] for name in names], axis=1)


def _multipole(
    m: int, t: dict[str, np.ndarray], phi: np.ndarray, q: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Radial amplitude a_m / (1 - m^2) times cos and sin of m phi_m."""
    amplitude = t[f"a{m}_a"] * t["theta_E"] / np.sqrt(q) / (1 - m**2)
    angle = m * (phi + t[f"delta_phi_m{m}"])
    return amplitude * np.cos(angle), amplitude * np.sin(angle)


def _series(systems: Systems, precision: str) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of the ellipsoid's series (Tessore & Metcalf 2015, eq. 29) and their number.

    With t = gamma - 1 each is (2k - 2 + t) / (2k + 2 - t) times the one before: 1 / (2k + 1) for
    an isothermal slope.
    """
    t = systems.truth
    modulus = np.minimum(np.hypot(t["e1"], t["e2"]), MAX_MODULUS)
    tolerance = SERIES_TOLERANCE[precision]
    terms = np.array([_series_terms(float(f), tolerance) for f in modulus], np.int64)
    k = np.arange(1, terms.max(initial=1) + 1)
    slope = t["gamma"][:, None] - 1
    ratio = (2 * k - 2 + slope) / (2 * k + 2 - slope)
    first = np.ones((len(systems), 1))
    return np.concatenate([first, np.cumprod(ratio, axis=1)], axis=1).astype(precision), terms


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
    if systems.profile != "LINE_MASS":
        empty = np.empty((0, len(LINE_COLUMNS)), precision)
        return np.zeros(len(systems) + 1, np.int64), empty
    p = systems.perturbers
    columns = {
        "line_x": p["center_x"],
        "line_y": p["center_y"],
        "line_cos": np.cos(p["angle"]),
        "line_sin": np.sin(p["angle"]),
        "half_length": p["length"] / 2,
        "core2": p["core"] ** 2,
        "line_scale": np.sign(p["mass"]) * p["theta_E"] ** 2 / p["length"],
    }
    return systems.offset, _table(columns, LINE_COLUMNS).astype(precision)


def _halo_table(
    systems: Systems, domain: Domain, precision: str
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Halos of every image; None where the population, not only this class of it, has none."""
    from lensml.simulate.halo_kernel import enclosed_table

    if not isinstance(domain.population.cdm, CdmTnfw):
        return None, None, None, None
    if systems.profile != "TNFW":
        table = np.empty((0, 0), np.float32)
        empty = np.empty((0, len(HALO_COLUMNS)))
        return np.zeros(len(systems) + 1, np.int64), np.empty((0, 2)), empty, table
    table = enclosed_table() if precision == "float32" else np.empty((0, 0), np.float32)
    return systems.offset, *halo_columns(systems.perturbers), table


def halo_columns(perturbers: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Truncated NFW halos in the kernel's own terms.

    Returns:
        (P, 2) positions in arcsec and (P, 4) ``columns.HALO_COLUMNS``.
    """
    p = perturbers
    columns = {
        "theta_N2": p["alpha_Rs"] * p["Rs"] / (1 + np.log(0.5)),
        "inverse_Rs2": p["Rs"] ** -2.0,
        "Rs2": p["Rs"] ** 2,
        "tau": p["r_trunc"] / p["Rs"],
    }
    return np.stack([p["center_x"], p["center_y"]], axis=1), _table(columns, HALO_COLUMNS)


def _galaxy_table(
    systems: Systems, domain: Domain, precision: str
) -> tuple[np.ndarray, np.ndarray]:
    name = domain.population.source.galaxies
    index = systems.truth["source_galaxy"].astype(np.int64)
    if name is None or (index < 0).all():
        return np.full(len(systems), -1), np.empty((0, 0, 0), precision)
    return index, load_galaxies(name).image.astype(precision)


def render_lens_light(systems: Systems, domain: Domain, *, precision: str) -> np.ndarray | None:
    """Images of the light of the lenses alone, noise-free; None where a population has none.

    Returns:
        (N, num_pix, num_pix) e-/s per pixel, or None.
    """
    if domain.population.lens_light is None:
        return None
    n = len(systems)
    light = {f"source_{k}": systems.truth[f"lens_light_{k}"] for k in LIGHT_COLUMNS}
    centre = {f"source_{k}": systems.truth[k] for k in ("center_x", "center_y")}
    no_lens = ("theta_E", "e1", "e2", "gamma1", "gamma2", "kappa_sheet", "a3_a", "a4_a")
    unlensed = {name: np.zeros(n) for name in no_lens} | {"gamma": np.full(n, 2.0)}
    alone = Systems(
        profile="POINT_MASS",
        truth={**systems.truth, **unlensed, **light, **centre, "source_galaxy": np.full(n, -1)},
        offset=np.zeros(n + 1, np.int64),
        perturbers={"center_x": np.zeros(0), "center_y": np.zeros(0), "theta_E": np.zeros(0)},
    )
    fine = domain.model_copy(update=LENS_LIGHT_SAMPLING)  # whatever the arcs are sampled with
    return render(alone, fine, engine="numba", precision=precision)


def with_lens_light(
    arcs: np.ndarray, systems: Systems, domain: Domain, *, precision: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """Images with what is seen of the lens's light, and the light that was subtracted from them.

    Args:
        arcs: (N, n, n) noise-free images of the lensed sources, e-/s per pixel.
        systems: their truth.
        domain: camera and population.
        precision: of the kernel.

    Returns:
        The images, and the subtracted light of the same shape (None where nothing is subtracted).
    """
    prior = domain.population.lens_light
    light = render_lens_light(systems, domain, precision=precision)
    if prior is None or light is None:
        return arcs, None
    if prior.treatment == "kept":
        return arcs + light, None
    residual = systems.truth["lens_light_residual"].astype(light.dtype)[:, None, None]
    return arcs + residual * light, (1 - residual) * light
