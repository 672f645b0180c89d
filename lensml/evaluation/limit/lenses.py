"""Smooth lenses, and the signals of substructure in them, that the bounds are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from lensml.evaluation.limit.fisher import Noise
from lensml.schema.limit import Bounds
from lensml.schema.simulation import Domain
from lensml.simulate.noise import noise_variance
from lensml.simulate.render import render_lens_light
from lensml.simulate.response import NUISANCE, images_of, jacobian, prior_width
from lensml.simulate.systems import draw_systems, redraw_substructure

SPLIT = "test"
PRECISION = "float32"  # of images with substructure: its errors are below 0.01 in d'


@dataclass(frozen=True)
class Lenses:
    """Smooth lenses, and the signals of substructure in them, at one flux of the source.

    Attributes:
        image: (N, pixels) e-/s per pixel, the lensed source.
        light: (N, pixels) light of the lens, of which only the photon noise matters here.
        jacobian: (N, pixels, k) by the parameters of lens and source that vary.
        width: (k,) standard deviations of these parameters in the population.
        background_rms: (N,) e-/s per pixel.
        exposure_time: (N,) s.
        signal: class -> (N, pixels): image with substructure minus image of the smooth lens.
        templates, draws: class -> one (n, pixels) array of such signals per bank system.
    """

    image: np.ndarray
    light: np.ndarray
    jacobian: np.ndarray
    width: np.ndarray
    background_rms: np.ndarray
    exposure_time: np.ndarray
    signal: Mapping[str, np.ndarray]
    templates: Mapping[str, Sequence[np.ndarray]]
    draws: Mapping[str, Sequence[np.ndarray]]

    def noise(self, i: int, flux: float) -> Noise:
        """Noise and nuisance of lens ``i`` with the source's flux multiplied by ``flux``."""
        return Noise.of(
            self.variance(i, flux * self.image[i], flux), flux * self.jacobian[i], self.width
        )

    def variance(self, i: int, image: np.ndarray, flux: float) -> np.ndarray:
        """Variance of the noise of an image of lens ``i``."""
        return noise_variance(
            image + self.light[i],
            background_rms=self.background_rms[i],
            exposure_time=self.exposure_time[i],
        )


def simulate_lenses(domain: Domain, *, classes: Sequence[str], spec: Bounds, seed: int) -> Lenses:
    """Render what the bounds of a domain are made of: its first test systems."""
    where: dict[str, Any] = {"seed": seed, "split": SPLIT}
    span: dict[str, Any] = {"start": 0, "stop": spec.n_systems}
    smooth = draw_systems(domain, classes[0], **where, **span)
    plain = images_of(smooth, domain, precision=PRECISION)
    light = render_lens_light(smooth, domain, precision=PRECISION)
    signal, templates, draws = {}, {}, {}
    n = spec.n_templates + spec.n_draws
    for name in classes[1:]:
        systems = draw_systems(domain, name, **where, **span)
        signal[name] = images_of(systems, domain, precision=PRECISION) - plain
        fresh = []
        for i in tqdm(
            range(min(spec.n_bank_systems, spec.n_systems)), desc=name, leave=False, disable=None
        ):
            systems = redraw_substructure(domain, name, **where, index=i, n_draws=n)
            fresh.append(images_of(systems, domain, precision=PRECISION) - plain[i])
        templates[name] = [x[: spec.n_templates] for x in fresh]
        draws[name] = [x[spec.n_templates :] for x in fresh]
    width = prior_width(domain)
    varying = [name for name, std in zip(NUISANCE, width, strict=True) if std > 0]
    return Lenses(
        image=images_of(smooth, domain, precision="float64"),
        light=np.zeros_like(plain) if light is None else light.reshape(plain.shape).astype(float),
        jacobian=jacobian(smooth, domain, names=varying),
        width=width[width > 0],
        background_rms=smooth.truth["background_rms"],
        exposure_time=smooth.truth["exposure_time"],
        signal=signal,
        templates=templates,
        draws=draws,
    )
