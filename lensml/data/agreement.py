"""What the cameras of a pair of domains agree on, the target's known or fitted."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from lensml.data.blind_camera import Fit, fit_camera, sample_of
from lensml.data.harmonise import agree, camera_of
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
    source: Domain, fit: str, source_stores: Sequence[str], target_pool: str, harmony: str
) -> None:
    """The same where of the target's camera nothing is known but a fit to unlabelled images.

    Args:
        source: domain.
        fit: file of :class:`lensml.data.blind_camera.Fit`.
        source_stores: training images of every class; their labels are not read.
        target_pool: store without labels.
        harmony: file of :class:`lensml.data.harmonise.Harmony`.

    Raises:
        ValueError: the fit is refused; says why.
    """
    cameras = camera_of(source), Fit.read(fit).accepted()
    agree(*cameras, source_stores, [target_pool]).write(harmony)


def fit_target_camera(
    source: Domain, source_stores: Sequence[str], target_pool: str, fit: str, *, seed: int
) -> None:
    """Fit a target's camera to unlabelled images; a fit that is refused is written, too.

    Args:
        source: domain.
        source_stores: training images of every class; their labels are not read.
        target_pool: store without labels.
        fit: file of :class:`lensml.data.blind_camera.Fit` to write.
        seed: of the choice of images.

    Raises:
        ValueError: there are too few images.
    """
    samples = [
        sample_of(stores, n_images=N_FITTED, seed=seed)
        for stores in (source_stores, [target_pool])
    ]
    repeats = _repeats(source_stores)
    found = fit_camera(camera_of(source), *samples, repeats=repeats, seed=seed)
    log.info("fitted camera: %s, errors %s", found.camera, found.errors)
    if found.refusal is not None:
        log.warning("refused: %s", found.refusal)
    found.write(fit)


def _repeats(stores: Sequence[str]) -> float:
    """Images of a sample that show one lens system, which all classes share."""
    n = sum(read_manifest(path)["n_images"] for path in stores)
    return 1 + (len(stores) - 1) * min(1, N_FITTED / n)
