"""Fitting a target's camera, and judging whether a camera is all that differs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from lensml.data.blind_camera.match import (
    HIGH,
    LOW,
    N_FREQUENCIES,
    NAMES,
    Match,
    Matched,
    Parameters,
    frequencies,
)
from lensml.data.blind_camera.spectra import FEWEST, Sample, half_light_radius, spectra
from lensml.data.files import write_json
from lensml.data.harmonise.camera import Camera

REFUSED = 1e-4  # probability of a match as bad, below which no camera is believed
WINGS = 1e-2  # below it, a second Gaussian is tried
SAME_PIXELS = 2.0  # standard deviations within which pixels are taken to be the source's
FIELD = 0.98  # of the smaller field, which the window reaches
SETTLED = 0.005  # relative change of the pixels after which windows are as large as one another
SETTLES = 3  # rounds at most
STARTS = 3  # of the best points of the grid
# Departures from the guess, in logarithms of pixel and PSF, where the grid is.
GRID = [(pixel, psf) for pixel in (-0.08, -0.04, 0.0, 0.04, 0.08) for psf in (-0.7, 0.0, 0.7)]
WING_STARTS = [(0.1, 1.6), (0.1, 2.5), (0.35, 1.6), (0.35, 2.5)]
BOUND = 1e-3  # of the range of a parameter: closer to its end it was not found


@dataclass(frozen=True)
class Given:
    """What is known of the target's camera and not to be fitted; None for the rest.

    Attributes:
        pixel_scale: arcsec, as a header's WCS has it.
        psf_fwhm: arcsec, of one Gaussian.
        zero_point: magnitude of 1 e-/s.
    """

    pixel_scale: float | None = None
    psf_fwhm: float | None = None
    zero_point: float | None = None


@dataclass(frozen=True)
class Fit:
    """A fitted camera.

    Attributes:
        camera: of the target.
        errors: standard deviations by parameter: ``pixel`` and ``psf`` relative, ``zero_point`` in
            magnitudes, ``wing_share``, ``wing_width`` over the core's; 0 where it was given.
        chi2, dof, p_value: of the match of the spectra, see
            :class:`lensml.data.blind_camera.match.Matched`.
        refusal: why the camera is not to be used; None where it is.
    """

    camera: Camera
    errors: dict[str, float]
    chi2: float
    dof: float
    p_value: float
    refusal: str | None

    def accepted(self) -> Camera:
        """The camera.

        Raises:
            ValueError: the fit was refused; says why.
        """
        if self.refusal is not None:
            raise ValueError(self.refusal)
        return self.camera

    def write(self, path: str | Path) -> None:
        """Write JSON atomically."""
        write_json(path, {**asdict(self), "camera": self.camera.as_dict()})

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Inverse of :meth:`write`."""
        content: dict[str, Any] = json.loads(Path(path).read_text())
        return cls(**{**content, "camera": Camera.from_dict(content["camera"])})


def fit_camera(
    source_camera: Camera,
    source: Sample,
    target: Sample,
    *,
    given: Given | None = None,
    repeats: float = 1,
    seed: int = 0,
) -> Fit:
    """Fit a target's camera to unlabelled images of both domains.

    Pixels that are the source's within their error are taken to be the source's. A second Gaussian
    is fitted where one does not do. The fit is refused where the spectra differ by what no camera
    can make: then the populations differ.

    Args:
        source_camera: known.
        source, target: images, drawn from the same population.
        given: what is known of the target's camera.
        repeats: images of a domain that show one lens system: the classes of a simulated domain
            share theirs, and say less together than as many systems would.
        seed: of the groups whose scatter gives the errors.

    Raises:
        ValueError: there are too few images.
    """
    for name, sample in (("source", source), ("target", target)):
        if len(sample) < FEWEST:
            raise ValueError(f"{name}: {len(sample)} images, a camera needs {FEWEST} to be fitted")
    given = given or Given()
    match, found = _settled(source_camera, source, target, given, repeats, seed)
    errors = _errors(found)
    # Other pixels, if only by a little, would cost a resampling.
    if abs(found.parameters.values[0]) < SAME_PIXELS * errors["pixel"]:
        found = _best(match, _with_the_pixels_of_the_source(found.parameters))
    return Fit(
        camera=found.parameters.camera(source_camera, match.num_pix),
        errors={**_errors(found), "pixel": errors["pixel"]},
        chi2=found.chi2,
        dof=found.dof,
        p_value=found.p_value,
        refusal=_refusal(found, match),
    )


def _settled(
    camera: Camera, source: Sample, target: Sample, given: Given, repeats: float, seed: int
) -> tuple[Match, Matched]:
    """The best camera with windows of the same size on the sky, which depends on its pixels."""
    sizes = source.images.shape[1] / 2, target.images.shape[1] / 2
    ratio = half_light_radius(source) / half_light_radius(target)
    if given.pixel_scale is not None:
        ratio = given.pixel_scale / camera.pixel_scale
    for last in range(SETTLES):
        radius = FIELD * min(sizes[0], sizes[1] * ratio)
        match = Match(
            source=spectra(source, radius, seed=seed),
            target=spectra(target, radius / ratio, seed=seed + 1),
            camera=camera,
            num_pix=target.images.shape[1],
            frequency=frequencies(camera, ratio),
            repeats=repeats,
        )
        found = _best(match, *_starts(match, ratio, given))
        before, ratio = ratio, float(np.exp(found.parameters.values[0]))
        if abs(ratio / before - 1) < SETTLED or last == SETTLES - 1:
            break
    return match, found


def _starts(match: Match, ratio: float, given: Given) -> list[Parameters]:
    """The best points of a grid about what half-light radii and mean fluxes suggest."""
    camera = match.camera
    known = (given.pixel_scale, given.psf_fwhm, given.zero_point)
    free = np.array([value is None for value in known])
    fixed = np.array(
        [
            np.log((given.pixel_scale or camera.pixel_scale) / camera.pixel_scale),
            np.log((given.psf_fwhm or camera.psf[0].fwhm) / camera.psf[0].fwhm),
            (given.zero_point or camera.zero_point) - camera.zero_point,
        ]
    )
    guess = np.array([np.log(ratio), 0.0, 2.5 * np.log10(max(match.flux_ratio(), 1e-6))])
    points = [guess + np.array([pixel, psf, 0.0]) for pixel, psf in GRID]
    made = [Parameters(np.where(free, point, fixed), free) for point in points]
    return sorted(made, key=match.chi2)[:STARTS]


def _best(match: Match, *starts: Parameters) -> Matched:
    """The best camera from several starts, with wings where one Gaussian does not do.

    Whoever gives the width of the PSF says that it is one Gaussian.
    """
    found = min((match.solve(start) for start in starts), key=lambda m: m.chi2)
    if found.p_value >= WINGS or not found.parameters.free[1]:
        return found
    winged = [found.parameters.with_wings(*start) for start in WING_STARTS]
    better = min((match.solve(start) for start in winged), key=lambda m: m.chi2)
    return better if better.p_value > found.p_value else found


def _free_names(found: Matched) -> list[str]:
    return [name for name, free in zip(NAMES, found.parameters.free, strict=False) if free]


def _errors(found: Matched) -> dict[str, float]:
    """Standard deviations by name."""
    errors = dict.fromkeys(NAMES[: len(found.parameters.values)], 0.0)
    deviations = np.sqrt(np.maximum(found.covariance.diagonal(), 0))
    return errors | dict(zip(_free_names(found), map(float, deviations), strict=True))


def _with_the_pixels_of_the_source(parameters: Parameters) -> Parameters:
    values, free = parameters.values.copy(), parameters.free.copy()
    values[0], free[0] = 0.0, False
    return Parameters(values, free)


def _refusal(found: Matched, match: Match) -> str | None:
    """Why a camera is not believed, or None."""
    values, n = found.parameters.values, len(found.parameters.values)
    spans = zip(NAMES, values, LOW[:n], HIGH[:n], found.parameters.free, strict=False)
    ends = [
        name
        for name, value, low, high, free in spans
        if free and min(value - low, high - value) < BOUND * (high - low)
    ]
    if found.p_value >= REFUSED and not ends:
        return None
    if found.p_value >= REFUSED:
        return (
            f"no camera was found: {', '.join(ends)} at the end of what is allowed; the "
            "populations may differ"
        )
    sizes = "sizes, shapes or lenses" if found.parameters.free[2] else "sizes, shapes, brightness"
    return (
        f"the populations differ by what no camera can make ({sizes}): with the best one chi^2 is "
        f"{found.chi2:.0f} of {found.dof:.0f} degrees of freedom, and the target departs in "
        f"{_worst('mean profile', found.residual[:N_FREQUENCIES], match)} and in "
        f"{_worst('power', found.residual[N_FREQUENCIES:], match)}"
    )


def _worst(name: str, residual: np.ndarray, match: Match) -> str:
    k = int(np.abs(residual).argmax())
    where = match.frequency[k]
    return f"{name} by {residual[k]:+.1f} standard deviations at {where:.2f} per arcsec"
