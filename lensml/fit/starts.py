"""Where fits start: drawn lenses whose images look most like an image.

Starts come from a library of smooth lenses that is drawn from the domain's population, by streams
of their own: no image of any split is in it, so that nothing of an image's truth, or of its
class's, can reach its fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from lensml.data.files import write_atomic
from lensml.fit.parameters import NAMES, check_fittable, parameters_of
from lensml.fit.starts_kernel import find_nearest
from lensml.schema.simulation import Domain
from lensml.simulate.render import render
from lensml.simulate.systems import draw_systems

N_COMPONENTS = 40
_f = np.float32


@dataclass(frozen=True)
class Reference:
    """A library of smooth lenses.

    Attributes:
        parameters: (R, len(PARAMETERS)) float64.
        mean: (pixels,) float32, of the library's images on the scale of :func:`scaled`.
        components: (K, pixels) float32, their principal components.
        coordinates: (R, K) float32, the images in them.
    """

    parameters: np.ndarray
    mean: np.ndarray
    components: np.ndarray
    coordinates: np.ndarray

    def nearest(self, images: np.ndarray, background_rms: np.ndarray, n: int) -> np.ndarray:
        """Parameters of the lenses that look most like each image.

        Args:
            images: (N, H, W) e-/s per pixel.
            background_rms: (N,) e-/s per pixel.
            n: lenses per image, at most the library's.

        Returns:
            (N, n, len(PARAMETERS)), the nearest first.
        """
        n = min(n, len(self.parameters))
        index = np.empty((len(images), n), np.int64)
        for i, image in enumerate(images):
            seen = scaled(image, background_rms[i]).ravel()
            find_nearest(index[i], seen, self.mean, self.components, self.coordinates)
        return self.parameters[index]


def scaled(image: np.ndarray, background_rms: np.ndarray | float) -> np.ndarray:
    """Images in units of their background, logarithmic where they are bright, float32."""
    return np.arcsinh(image / background_rms).astype(_f)


def draw_reference(domain: Domain, *, n: int, seed: int) -> Reference:
    """Draw a library of ``n`` smooth lenses of a domain.

    Raises:
        ValueError: no Sersic profile fits the domain's sources.
    """
    check_fittable(domain)
    # Another name is another stream: the library shares no lens with any split.
    own = domain.model_copy(update={"name": f"{domain.name}/reference"})
    systems = draw_systems(own, "no_sub", seed=seed, split="train", start=0, stop=n)
    arcs = render(systems, domain, engine="numba", precision="float32")
    rms = systems.truth["background_rms"][:, None, None]
    seen = scaled(arcs, rms).reshape(n, -1)
    mean = seen.mean(0)
    # Of (n, n) products rather than (pixels, pixels): an image has more pixels than n.
    centred = (seen - mean).astype(float)
    _, vectors = np.linalg.eigh(centred @ centred.T)
    kept = vectors[:, : -1 - min(N_COMPONENTS, n - 1) : -1]
    components = kept.T @ centred
    components /= np.linalg.norm(components, axis=1, keepdims=True)
    coordinates = centred @ components.T
    return Reference(
        parameters=parameters_of(systems.truth),
        mean=mean,
        components=components.astype(_f),
        coordinates=coordinates.astype(_f),
    )


def fit_reference(path: str | Path, domain: Domain, *, n: int, seed: int) -> None:
    """Draw the library of a domain and write it; see :func:`draw_reference`."""
    found = draw_reference(domain, n=n, seed=seed)
    arrays = {name: getattr(found, name) for name in ("mean", "components", "coordinates")}
    columns = {f"parameters/{k}": v for k, v in zip(NAMES, found.parameters.T, strict=True)}
    write_atomic(path, lambda stream: np.savez(stream, **arrays, **columns))  # type: ignore[arg-type]


def read_reference(path: str | Path) -> Reference:
    """Read a library.

    Raises:
        FileNotFoundError: there is none.
        ValueError: the file is not one.
    """
    try:
        with Path(path).open("rb") as stream, np.load(stream) as archive:
            arrays = {name: archive[name] for name in ("mean", "components", "coordinates")}
            parameters = np.stack([archive[f"parameters/{name}"] for name in NAMES], axis=1)
    except FileNotFoundError:
        raise
    except (KeyError, OSError, ValueError, EOFError, BadZipFile) as error:
        raise ValueError(f"{path}: not a library of smooth lenses ({error})") from None
    return Reference(parameters=parameters, **arrays)
