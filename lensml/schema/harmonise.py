"""What must be so for the cameras of a pair to be brought together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lensml.schema.adaptation import FEWEST_FITTED
from lensml.schema.errors import Origins

KEY = "adaptation.harmonise"


def harmonise_problems(config: Any, origins: Origins) -> list[str]:
    """Why the cameras of the pairs cannot be brought together, one line each.

    Args:
        config: every section of the configuration, domains resolved.
        origins: files of the configuration.
    """
    spec = config.adaptation
    if not (spec.harmonises and spec.pairs):
        return []
    problems = dict.fromkeys(_problems(config))
    return [origins.line(KEY, problem, value=spec.harmonise) for problem in problems]


def _problems(config: Any) -> Iterator[str]:
    channels = config.network_input.channels
    if channels != ["image"]:
        yield (
            f"network_input.channels are {', '.join(channels)}, and images of the common camera "
            "are not fitted; allowed are channels [image], or harmonise none"
        )
    for pair in config.adaptation.pairs:
        for name in (pair.source, pair.target):
            if config.resolved[name].instrument.noise == "none":
                yield (
                    f"the images of '{name}' have no noise, which is brought to one level with "
                    "the rest; allowed is none, or to leave the pair out"
                )
    if config.development.pairs:
        yield (
            "development.pairs adapt images as they are; allowed is none, or development.pairs "
            "of []"
        )
    images = config.simulation.n_train * len(config.substructures)
    if config.adaptation.harmonise == "fitted" and images < FEWEST_FITTED:
        yield (
            f"a domain has {images} training images and a camera needs {FEWEST_FITTED} to be "
            "fitted; allowed are none and known, or a larger simulation.n_train"
        )
