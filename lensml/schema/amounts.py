"""Numbers of a configuration that ask for more than there is, one line each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lensml.schema.errors import Origins


def excesses(config: Any, origins: Origins) -> list[str]:
    """Batches, components and starts of which there are not as many.

    Args:
        config: every section of the configuration, domains resolved.
        origins: files of the configuration.
    """
    return [
        origins.line(key, f"must be at most {allowed}", value=value)
        for key, value, limit, allowed in [*_batches(config), *_components(config)]
        if value > limit
    ]


Bound = tuple[str, int, int, str]  # key, its value, the highest and what that is


def _batches(config: Any) -> Iterator[Bound]:
    """A larger batch would be cut to the images in silence."""
    for key, section, classes in _trained(config):
        images = config.simulation.n_train * classes
        of = "one class" if classes == 1 else f"{classes} classes"
        yield (
            f"{key}.batch_size",
            section.batch_size,
            images,
            f"the {images} training images of {of} (simulation.n_train)",
        )


def _trained(config: Any) -> Iterator[tuple[str, Any, int]]:
    """What is trained: key, section, and the number of classes whose images it sees."""
    classes, adaptation, anomaly = len(config.substructures), config.adaptation, config.anomaly
    yield "classifier", config.classifier, classes
    if config.regression.domains:
        yield "regression", config.regression, 1
    if adaptation.pairs:
        for name in ("adda", "joint", "oracle"):
            yield f"adaptation.{name}", getattr(adaptation, name), classes
    if anomaly.domains:
        yield "anomaly.mae", anomaly.mae, 1
        if anomaly.autoencoders.methods:
            yield "anomaly.autoencoders", anomaly.autoencoders, 1


def _components(config: Any) -> Iterator[Bound]:
    """Fewer would be kept in silence."""
    pca, reference, fit = config.anomaly.pca, config.anomaly.reference, config.fit
    sizes = {n: config.network_input.img_size(d.num_pix) for n, d in config.resolved.items()}
    for name in config.anomaly.domains:
        pixels, where = sizes[name] ** 2, f"the {sizes[name] ** 2} pixels of '{name}'"
        yield "anomaly.pca.n_components", pca.n_components, pixels, where
        yield "anomaly.reference.n_components", reference.n_components, pixels, where
    images = f"n_images ({pca.n_images}) less one"
    yield "anomaly.pca.n_components", pca.n_components, pca.n_images - 1, images
    images = f"n_images ({reference.n_images}) less one"
    yield "anomaly.reference.n_components", reference.n_components, reference.n_images - 1, images
    lenses = f"n_reference ({fit.n_reference})"
    yield "fit.n_starts", fit.n_starts, fit.n_reference, lenses
