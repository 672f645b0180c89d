"""Anomalies without a class: images of smooth lenses, distorted where they are bright.

What is to be chosen of an anomaly detector (its headline score, its masks, its patches) may not be
chosen on images with substructure: they are what it is tested on. Proxies stand in for them. A
patch of the arc of a validation image is displaced; nothing about subhalos or vortices goes in.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from scipy.ndimage import map_coordinates

from lensml.data.store import Store, open_store
from lensml.data.store_writer import chunk_file, seal_store, write_block
from lensml.schema.anomaly import Proxies
from lensml.simulate.stored import domain_of, rendered_again

PROXY = "proxy"  # their class


def make_proxies(store: str | Path, proxies: str | Path, spec: Proxies, *, seed: int) -> None:
    """Write the proxies of the first images of a store as a store of its own.

    The noise-free image is rendered again, distorted (:func:`displaced`), and gets noise of its
    own by the camera's rule. Truth is that of the undistorted lens. Images of files are distorted
    as they are, noise and all.

    Args:
        store: of the class ``no_sub``, not one that detectors are trained or tested on.
        proxies: path of the new store.
        spec: how many, and how strong.
        seed: of displacements and noise.
    """
    opened = open_store(store)
    n = min(spec.n_images, len(opened))
    rng = np.random.default_rng(seed)
    domain = domain_of(opened)
    scale = domain.instrument.pixel_scale
    if domain.files is not None:  # nobody knows them without noise: it is displaced with the rest
        images = opened.image[np.arange(n)]
        distorted = np.stack([displaced(image, scale, spec, rng) for image in images])
        _write(Path(proxies), distorted.astype(np.float32), opened)
        return
    clean, variance = rendered_again(opened, n)
    distorted = np.stack([displaced(image, scale, spec, rng) for image in clean])
    exposure = opened.truth["exposure_time"][:n, None, None]
    variance += (np.maximum(distorted, 0) - np.maximum(clean, 0)) / exposure
    # Interpolation may fall below zero by a rounding error of the background's own variance.
    floor = np.square(opened.truth["background_rms"][:n, None, None])
    noisy = distorted + np.sqrt(np.maximum(variance, floor)) * rng.standard_normal(clean.shape)
    _write(Path(proxies), noisy.astype(np.float32), opened)


def displaced(
    image: np.ndarray, pixel_scale: float, spec: Proxies, rng: np.random.Generator
) -> np.ndarray:
    """An image with a patch displaced: I'(x) = I(x + A d exp(-|x - c|^2 / 2 w^2)), (H, W).

    The centre c is drawn in proportion to the brightness, the direction d evenly, the displacement
    A and the width w evenly in their logarithm.

    Args:
        image: (H, W) without noise.
        pixel_scale: arcsec.
        spec: ranges of A and w, arcsec.
        rng: of c, d, A and w.
    """
    light = np.maximum(image, 0).ravel()
    center = np.unravel_index(rng.choice(light.size, p=light / light.sum()), image.shape)
    angle = rng.uniform(0, 2 * np.pi)
    amplitude, width = (
        np.exp(rng.uniform(*np.log(bounds))) / pixel_scale
        for bounds in (spec.displacement, spec.width)
    )
    y, x = np.indices(image.shape, dtype=float)
    bump = np.exp(-((x - center[1]) ** 2 + (y - center[0]) ** 2) / (2 * width**2))
    where = [y + amplitude * np.sin(angle) * bump, x + amplitude * np.cos(angle) * bump]
    return map_coordinates(image.astype(float), where, order=3, mode="nearest")


def _write(path: Path, images: np.ndarray, source: Store) -> None:
    rows = source.attributes["config"]["images_per_block"]
    n, parts = len(images), []
    for block, start in enumerate(range(0, n, rows)):
        stop = min(start + rows, n)
        parts.append(path.with_name(f"{path.stem}.parts") / f"{block}.npz")
        write_block(
            chunk_file(path, block),
            parts[-1],
            images=images[start:stop],
            images_per_chunk=rows,
            truth={name: column[start:stop] for name, column in source.truth.items()},
            offset=np.zeros(stop - start + 1, np.int64),
            perturbers={},
        )
    attributes = {**source.attributes, "substructure": PROXY}
    attributes["units"] = {**attributes["units"], "perturbers": {}}
    seal_store(
        path,
        parts,
        n_images=n,
        images_per_chunk=rows,
        image_shape=images.shape[1:],
        attributes=attributes,
    )
    shutil.rmtree(parts[0].parent)  # all is in the store
