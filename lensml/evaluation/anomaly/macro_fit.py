"""The physicist's baseline: what a smooth lens and source, fitted to an image, leave over.

Every image is fitted by an elliptical power law (isothermal where the population's slope is fixed)
with external shear and an elliptical Sersic source, by least squares in units of the image's own
noise. Nothing of the image's truth goes in: fits start from the lenses of training images that
look alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import least_squares
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from tqdm import tqdm

from lensml.data.files import write_csv
from lensml.data.store import Store, open_store
from lensml.evaluation.classification.baselines import all_images
from lensml.evaluation.statistics.predictions import Scored, write_scores
from lensml.physics.light import sersic_amplitude
from lensml.schema.anomaly import SmoothFit
from lensml.schema.simulation import Domain
from lensml.simulate.render import render, render_lens_light
from lensml.simulate.stored import domain_of, systems_of
from lensml.simulate.systems import Systems
from lensml.training.engine.setting import Setting

# Bounds, and step of the difference quotient.
FREE = {
    "theta_E": (0.05, 5.0, 1e-4),  # arcsec
    "gamma": (1.3, 2.8, 1e-3),
    "e1": (-0.6, 0.6, 1e-3),
    "e2": (-0.6, 0.6, 1e-3),
    "center_x": (-0.5, 0.5, 1e-4),  # arcsec
    "center_y": (-0.5, 0.5, 1e-4),
    "gamma1": (-0.4, 0.4, 1e-3),
    "gamma2": (-0.4, 0.4, 1e-3),
    "ln_flux": (-20.0, 20.0, 1e-3),  # of e-/s
    "ln_R_sersic": (np.log(0.02), np.log(2.0), 1e-3),  # of arcsec
    "ln_n_sersic": (np.log(0.3), np.log(8.0), 1e-3),
    "source_e1": (-0.6, 0.6, 1e-3),
    "source_e2": (-0.6, 0.6, 1e-3),
    "source_center_x": (-1.5, 1.5, 1e-4),  # arcsec
    "source_center_y": (-1.5, 1.5, 1e-4),
}
ABSENT = ("kappa_sheet", "r_sheet", "a3_a", "a4_a", "delta_phi_m3", "delta_phi_m4", "source_scale")
TRUTH_COLUMNS = (
    *("theta_E", "gamma", "e1", "e2", "center_x", "center_y", "gamma1", "gamma2"),
    *("source_amp", "source_R_sersic", "source_n_sersic", "source_e1", "source_e2"),
    *("source_center_x", "source_center_y"),
)
LIGHT_RADII = (
    0.3,
    0.8,
    2.0,
)  # arcsec, of round profiles that make up what is left of a lens's light
N_COMPONENTS = 40  # of the images among which neighbours are looked for
FIRST_EVALUATIONS = 10  # of every start; the best of them goes on


@dataclass(frozen=True)
class SmoothModel:
    """A smooth lens and source in a domain's camera.

    Attributes:
        domain: camera and population; ``supersampling_factor`` and refinement as of its images.
        names: parameters that are fitted, keys of ``FREE``.
        light: (K, pixels) e-/s per pixel, to which the lens's light adds linearly; K may be 0.
    """

    domain: Domain
    names: tuple[str, ...] = field(default=tuple(FREE))
    light: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    @classmethod
    def of(cls, domain: Domain) -> SmoothModel:
        """The model that suits a domain.

        Raises:
            ValueError: its sources are observed galaxies, which no Sersic profile is.
        """
        if domain.population.source.galaxies is not None:
            raise ValueError(f"{domain.name}: sources that are observed galaxies cannot be fitted")
        fixed = {"gamma"} if isinstance(domain.population.lens.gamma, float | int) else set()
        names = tuple(name for name in FREE if name not in fixed)
        return cls(domain, names, _light_templates(domain))

    def systems(self, x: np.ndarray) -> Systems:
        """Lens systems of parameters (M, len(names))."""
        m = len(x)
        value = dict(zip(self.names, x.T, strict=True))
        truth = {name: np.zeros(m) for name in ABSENT}
        slope = self.domain.population.lens.gamma
        truth["gamma"] = value["gamma"] if "gamma" in value else np.full(m, slope, dtype=float)
        direct = ("theta_E", "e1", "e2", "center_x", "center_y", "gamma1", "gamma2")
        of_source = ("source_e1", "source_e2", "source_center_x", "source_center_y")
        truth |= {name: value[name] for name in (*direct, *of_source)}
        truth["source_R_sersic"] = np.exp(value["ln_R_sersic"])
        truth["source_n_sersic"] = np.exp(value["ln_n_sersic"])
        shapes = zip(
            np.exp(value["ln_flux"]),
            truth["source_R_sersic"],
            truth["source_n_sersic"],
            strict=True,
        )
        truth["source_amp"] = np.array(
            [sersic_amplitude(f, R_sersic=R, n_sersic=n) for f, R, n in shapes]
        )
        truth["source_galaxy"] = np.full(m, -1)
        nothing = {name: np.zeros(0) for name in ("center_x", "center_y", "theta_E")}
        return Systems("POINT_MASS", truth, np.zeros(m + 1, np.int64), nothing)

    def images(self, x: np.ndarray) -> np.ndarray:
        """Noise-free arcs of parameters (M, len(names)), (M, pixels) e-/s per pixel."""
        images = render(self.systems(x), self.domain, engine="numba", precision="float64")
        return images.reshape(len(x), -1)

    def parameters(self, truth: Mapping[str, np.ndarray]) -> np.ndarray:
        """The parameters of drawn lenses, (N, len(names)), within their bounds."""
        radius, index = truth["source_R_sersic"], truth["source_n_sersic"]
        shapes = zip(radius, index, strict=True)
        unit = np.array([sersic_amplitude(1.0, R_sersic=R, n_sersic=n) for R, n in shapes])
        known = {
            **truth,
            "ln_flux": np.log(truth["source_amp"] / unit),
            "ln_R_sersic": np.log(radius),
            "ln_n_sersic": np.log(index),
        }
        low, high = self.bounds()
        found = np.stack([known[name] for name in self.names], axis=1)
        return np.clip(found, low + 1e-6, high - 1e-6)

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Of the parameters, (len(names),) each."""
        low, high, _ = np.array([FREE[name] for name in self.names]).T
        return low, high


@dataclass(frozen=True)
class Fit:
    """The best fit of one image.

    Attributes:
        chi2: sum of squares over the number of pixels less that of parameters.
        x: (parameters,).
        evaluations: of the model, without derivatives, over all starts.
    """

    chi2: float
    x: np.ndarray
    evaluations: int


def fit_image(
    image: np.ndarray, variance: np.ndarray, starts: np.ndarray, model: SmoothModel, limit: int
) -> Fit:
    """Fit one image.

    Args:
        image: (pixels,) e-/s per pixel.
        variance: (pixels,) (e-/s per pixel)^2 of its noise.
        starts: (K, parameters).
        model: of a smooth lens.
        limit: evaluations of the best start.
    """
    problem = _Problem(image, np.sqrt(variance), model)
    tried = [problem.solve(start, FIRST_EVALUATIONS) for start in starts]
    best = min(tried, key=lambda result: result.cost)
    final = problem.solve(best.x, limit) if best.status == 0 else best
    used = sum(result.nfev for result in tried) + (final.nfev if final is not best else 0)
    freedom = len(image) - len(final.x) - len(model.light)
    return Fit(2 * final.cost / freedom, final.x, used)


class _Problem:
    """Residuals of one image in units of its noise, and their derivatives."""

    def __init__(self, image: np.ndarray, rms: np.ndarray, model: SmoothModel) -> None:
        self.image, self.rms, self.model = image, rms, model
        self.steps = np.array([FREE[name][2] for name in model.names])
        # What light of the lens can explain is taken out of data and model alike.
        basis, _ = np.linalg.qr((model.light / rms).T) if len(model.light) else (None, None)
        self.basis = basis

    def _without_light(self, scaled: np.ndarray) -> np.ndarray:
        """Of (..., pixels) in units of noise, what is orthogonal to the lens's light."""
        if self.basis is None:
            return scaled
        return scaled - (scaled @ self.basis) @ self.basis.T

    def residual(self, x: np.ndarray) -> np.ndarray:
        """(pixels,) model minus image."""
        self.last, self.at = self.model.images(x[None])[0], x.copy()
        return self._without_light((self.last - self.image) / self.rms)

    def derivatives(self, x: np.ndarray) -> np.ndarray:
        """(pixels, parameters) by forward differences, away from the upper bound."""
        if not np.array_equal(x, self.at):
            self.residual(x)
        _, high = self.model.bounds()
        steps = np.where(x + self.steps < high, self.steps, -self.steps)
        moved = self.model.images(x + np.diag(steps))
        slopes = (moved - self.last) / steps[:, None] / self.rms
        return self._without_light(slopes).T

    def solve(self, start: np.ndarray, limit: int) -> Any:
        """Scipy's result from one start."""
        return least_squares(
            self.residual,
            start,
            jac=self.derivatives,  # type: ignore[arg-type]
            bounds=self.model.bounds(),
            x_scale="jac",
            max_nfev=limit,
            ftol=1e-5,
        )


def _light_templates(domain: Domain) -> np.ndarray:
    """Round de Vaucouleurs profiles of flux one where a population has lens light, (K, pixels)."""
    if domain.population.lens_light is None:
        return np.zeros((0, 0))
    k = len(LIGHT_RADII)
    truth = {name: np.zeros(k) for name in (*ABSENT, "center_x", "center_y")}
    truth["lens_light_R_sersic"] = np.array(LIGHT_RADII)
    truth["lens_light_n_sersic"] = np.full(k, 4.0)
    truth |= {"lens_light_e1": np.zeros(k), "lens_light_e2": np.zeros(k)}
    truth["lens_light_amp"] = np.array(
        [sersic_amplitude(1.0, R_sersic=R, n_sersic=4.0) for R in LIGHT_RADII]
    )
    systems = Systems("POINT_MASS", truth, np.zeros(k + 1, np.int64), {})
    light = render_lens_light(systems, domain, precision="float64")
    assert light is not None  # the population has some
    return light.reshape(k, -1)


def noise_map(store: Store, images: np.ndarray) -> np.ndarray:
    """Variance of every pixel as a pipeline would give it, (n, pixels) (e-/s per pixel)^2.

    Background, photons of the observed image and, where a lens's light was subtracted, the photons
    of what was subtracted.

    Args:
        store: of the images.
        images: (n, H, W), its first ones.
    """
    n, domain = len(images), domain_of(store)
    light = np.maximum(images, 0)
    prior = domain.population.lens_light
    if prior is not None and prior.treatment == "subtracted":
        systems = systems_of(store, 0, n)
        whole = render_lens_light(systems, domain, precision="float32")
        assert whole is not None  # the population has some
        share = 1 - systems.truth["lens_light_residual"][:, None, None]
        light = light + share * whole
    rms, time = (store.truth[k][:n, None, None] for k in ("background_rms", "exposure_time"))
    return (rms**2 + light / time).reshape(n, -1).astype(float)


def fit_store(path: str, training: str, output: str, spec: SmoothFit, setting: Setting) -> None:
    """Fit the first images of a store and write what is left of them.

    Args:
        path: store.
        training: store without substructure whose lenses fits start from.
        output: CSV with index, score (reduced chi2), evaluations and the fitted parameters.
        spec: number of images, of starts and of evaluations.
        setting: scale on which images are compared with those of training.

    Raises:
        ValueError: the domain's sources are observed galaxies.
    """
    store = open_store(path)
    model = SmoothModel.of(domain_of(store))
    n = min(spec.n_images, len(store))
    images = store.image[np.arange(n)]
    variance = noise_map(store, images)
    starts = _starts(path, training, n, model, spec, setting)
    rows = []
    for i in tqdm(range(n), desc=setting.label, disable=None):
        flat = images[i].ravel().astype(float)
        fit = fit_image(flat, variance[i], starts[i], model, spec.max_evaluations)
        known = dict(zip(model.names, fit.x, strict=True))
        rows.append({"index": i, "score": fit.chi2, "evaluations": fit.evaluations, **known})
    write_csv(output, pd.DataFrame(rows))


def _starts(
    path: str, training: str, n: int, model: SmoothModel, spec: SmoothFit, setting: Setting
) -> np.ndarray:
    """Parameters of the training images that look most like each image, (n, K, parameters)."""
    known = setting.arrays([training], limit=spec.n_reference)
    x = all_images(known).reshape(len(known), -1)
    pca = PCA(min(N_COMPONENTS, len(x) - 1), random_state=0).fit(x)
    neighbours = NearestNeighbors(n_neighbors=min(spec.n_starts, len(x))).fit(pca.transform(x))
    seen = all_images(setting.arrays([path], limit=n)).reshape(n, -1)
    _, index = neighbours.kneighbors(pca.transform(seen))
    columns = {name: known.truth(name) for name in TRUTH_COLUMNS}
    return model.parameters(columns)[index]


def collect_fits(
    parts: Sequence[Sequence[str]], scored: Sequence[Scored], setting: Setting
) -> None:
    """Write the fits of every store of a set of images as scores.

    Args:
        parts: per set, the files of :func:`fit_store`, one per store.
        scored: sets of images with a limit, not more of every store than were fitted.
        setting: see :class:`lensml.training.engine.setting.Setting`.
    """
    for files, part in zip(parts, scored, strict=True):
        score = np.concatenate([pd.read_csv(file)["score"][: part.limit] for file in files])
        images = setting.arrays(part.stores, limit=part.limit)
        write_scores(part.outputs["chi2"], score, images, part.classes)
