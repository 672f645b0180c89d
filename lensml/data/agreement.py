"""What the cameras of a pair of domains agree on, the target's known or fitted."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from lensml.data.blind_camera import fit_camera, sample_of
from lensml.data.harmonise import Camera, agree, camera_of
from lensml.data.manifest import read_manifest
from lensml.schema.simulation import Domain

log = logging.getLogger(__name__)

N_FITTED = 6000  # images of a domain at most, from which a camera is fitted


def agree_on_known(
    source: Domain,
    target: Domain,
    source_stores: Sequence[str],
    target_pool: str,
    harmony: str,
) -> None:
    """Write what two cameras of a configuration agree on.

    Args:
        source, target: domains.
        source_stores: training images of the source; their labels are not read.
        target_pool: store without labels.
        harmony: file of :class:`lensml.data.harmonise.Harmony`.

    Raises:
        ValueError: images have no noise.
    """
    cameras = camera_of(source), camera_of(target)
    agree(*cameras, source_stores, [target_pool]).write(harmony)


def agree_on_fitted(
    source: Domain,
    source_stores: Sequence[str],
    target_pool: str,
    harmony: str,
    fit: str,
    *,
    seed: int,
) -> None:
    """The same where of the target's camera nothing is known: it is fitted to unlabelled images.

    Args:
        source: domain.
        source_stores: training images of every class; their labels are not read.
        target_pool: store without labels.
        harmony: file of :class:`lensml.data.harmonise.Harmony`.
        fit: file of :class:`lensml.data.blind_camera.Fit`.
        seed: of the choice of images.

    Raises:
        ValueError: there are too few images, or the fit is refused; says why.
    """
    own = camera_of(source)
    target = _fitted(own, source_stores, target_pool, fit, seed)
    agree(own, target, source_stores, [target_pool]).write(harmony)


def _fitted(
    own: Camera, source_stores: Sequence[str], target_pool: str, fit: str, seed: int
) -> Camera:
    samples = [
        sample_of(stores, n_images=N_FITTED, seed=seed)
        for stores in (source_stores, [target_pool])
    ]
    found = fit_camera(own, *samples, repeats=_repeats(source_stores), seed=seed)
    log.info("fitted camera: %s, errors %s", found.camera, found.errors)
    camera = found.accepted()
    found.write(fit)
    return camera


def _repeats(stores: Sequence[str]) -> float:
    """Images of a sample that show one lens system, which all classes share."""
    n = sum(read_manifest(path)["n_images"] for path in stores)
    return 1 + (len(stores) - 1) * min(1, N_FITTED / n)
