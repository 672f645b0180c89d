"""What an observer knows of images: pixels, exposure, and the light that was subtracted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter

from lensml.data.store import Store
from lensml.physics.light import sersic_amplitude
from lensml.schema.simulation import Domain
from lensml.simulate.noise import add_noise
from lensml.simulate.render import render, render_lens_light, with_lens_light
from lensml.simulate.stored import domain_of
from lensml.simulate.systems import Systems, draw_systems

# Truth that an observer has: of the exposure, and of a lens's light that was subtracted.
EXPOSURE = ("background_rms", "exposure_time")
SUBTRACTED = (
    *("lens_light_amp", "lens_light_R_sersic", "lens_light_n_sersic"),
    *("lens_light_e1", "lens_light_e2", "lens_light_residual", "center_x", "center_y"),
)
LIGHT_RADII = (0.3, 0.8, 2.0)  # arcsec, of round profiles that make up what is left of the light
LEAST_LIGHT = 5.0  # standard deviations of 3 x 3 pixels above the border
LARGEST = 1e30  # of a residual
_f = np.float32


@dataclass(frozen=True)
class Observed:
    """Images as an observer has them.

    Attributes:
        image: (N, n, n) float32, e-/s per pixel.
        background_rms: (N,) e-/s per pixel.
        exposure_time: (N,) s, of all exposures together.
        subtracted: (N, n, n) float32, light of the lens that is not in the images any more, e-/s
            per pixel; None where none was subtracted.
    """

    image: np.ndarray
    background_rms: np.ndarray
    exposure_time: np.ndarray
    subtracted: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.image)

    def row(self, i: int) -> Observed:
        """Image ``i`` by itself."""
        one = slice(i, i + 1)
        light = None if self.subtracted is None else self.subtracted[one]
        return Observed(self.image[one], self.background_rms[one], self.exposure_time[one], light)

    def problem(self, i: int) -> str | None:
        """Why image ``i`` cannot be fitted, of :data:`lensml.data.fits.OUTCOMES`, or None."""
        image, rms = self.image[i], self.background_rms[i]
        if not np.isfinite(image).all():
            return "not_finite"
        known = np.isfinite([rms, self.exposure_time[i]]).all()
        if self.subtracted is not None:
            known &= np.isfinite(self.subtracted[i]).all()
        if not (known and rms > 0 and self.exposure_time[i] > 0):
            return "unknown_noise"
        border = np.concatenate([image[[0, -1]].ravel(), image[1:-1, [0, -1]].ravel()])
        means = uniform_filter(image.astype(float), 3)[1:-1, 1:-1]
        # A mean of 9 pixels has a third of the noise.
        return None if 3 * (means.max() - np.median(border)) > LEAST_LIGHT * rms else "no_light"

    def residual_of_none(self, i: int) -> np.ndarray:
        """Image ``i`` in units of its noise, as far as both are known, (n, n) float32."""
        image = np.nan_to_num(self.image[i].astype(float), nan=0.0, posinf=0.0, neginf=0.0)
        if self.problem(i) == "unknown_noise":
            return np.zeros(image.shape, _f)
        light = 0.0 if self.subtracted is None else np.maximum(self.subtracted[i], 0)
        photons = (np.maximum(image, 0) + light) / self.exposure_time[i]
        scaled = image / np.sqrt(self.background_rms[i] ** 2 + photons)
        return np.clip(np.nan_to_num(scaled), -LARGEST, LARGEST).astype(_f)


def observe(
    domain: Domain, substructure: str, *, n: int, seed: int, split: str
) -> tuple[Systems, Observed]:
    """The first systems of a class and split, and what is observed of them, without a store.

    Images are those of the dataset that has the same seed, in the precision float32.

    Args:
        domain: camera and population; its images have noise.
        substructure: class.
        n: systems.
        seed: of the run.
        split: 'train', 'val' or 'test'.
    """
    systems = draw_systems(domain, substructure, seed=seed, split=split, start=0, stop=n)
    clean = render(systems, domain, engine="numba", precision="float32")
    clean, light = with_lens_light(clean, systems, domain, precision="float32")
    where = {"seed": seed, "domain": domain.name, "split": split, "start": 0}
    image = add_noise(clean, systems, **where, subtracted=light)
    exposure = {name: systems.truth[name] for name in EXPOSURE}
    return systems, Observed(image, **exposure, subtracted=light)


def observed(store: Store, start: int, stop: int) -> Observed:
    """Images ``start`` to ``stop - 1`` of a store with what an observer knows of them.

    Raises:
        ValueError: the exposures of its images, or its domain, are not known.
    """
    missing = [name for name in EXPOSURE if name not in store.truth]
    if missing:
        raise ValueError(
            f"{store.path}: holds no {' and no '.join(missing)}, without which the noise of its "
            "images is not known"
        )
    rows = slice(start, stop)
    exposure = {name: store.truth[name][rows] for name in EXPOSURE}
    subtracted = _subtracted_light(store, rows)
    return Observed(store.image[np.arange(start, stop)], **exposure, subtracted=subtracted)


def _subtracted_light(store: Store, rows: slice) -> np.ndarray | None:
    """The model of the lens's light that was subtracted."""
    domain = domain_of(store)
    prior = domain.population.lens_light
    if prior is None or prior.treatment != "subtracted":
        return None
    known = {name: store.truth[name][rows] for name in SUBTRACTED}
    light = _lens_light(domain, known)
    return (1 - known["lens_light_residual"]).astype(_f)[:, None, None] * light


def _lens_light(domain: Domain, truth: dict[str, np.ndarray]) -> np.ndarray:
    """Images of the light of lenses of which nothing else is known, (N, n, n) float32."""
    n = len(truth["lens_light_amp"])
    dark = {name: np.zeros(n) for name in ("source_scale", "r_sheet", "delta_phi_m3")}
    dark |= {"delta_phi_m4": np.zeros(n)}
    light = render_lens_light(
        Systems("POINT_MASS", {**dark, **truth}, np.zeros(n + 1, np.int64), {}),
        domain,
        precision="float32",
    )
    assert light is not None  # the population has some
    return light


def light_templates(domain: Domain) -> np.ndarray:
    """Round de Vaucouleurs profiles of flux one where a population has lens light, (K, pixels)."""
    if domain.population.lens_light is None:
        return np.zeros((0, domain.num_pix**2), _f)
    k = len(LIGHT_RADII)
    truth = {name: np.zeros(k) for name in ("center_x", "center_y")}
    truth |= {name: np.zeros(k) for name in ("lens_light_e1", "lens_light_e2")}
    truth["lens_light_R_sersic"] = np.array(LIGHT_RADII)
    truth["lens_light_n_sersic"] = np.full(k, 4.0)
    amplitudes = [sersic_amplitude(1.0, R_sersic=R, n_sersic=4.0) for R in LIGHT_RADII]
    truth["lens_light_amp"] = np.array(amplitudes)
    return _lens_light(domain, truth).reshape(k, -1)
