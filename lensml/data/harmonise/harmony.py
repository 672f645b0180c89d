"""What the two sides of a pair agree on, and the file that says so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np

from lensml.data.files import write_json
from lensml.data.harmonise.camera import Camera, CommonCamera, common_camera
from lensml.data.harmonise.noise import NoiseFacts, noise_facts
from lensml.data.harmonise.operators import Operator, operator_of
from lensml.data.store import Store, open_store

Side = Literal["source", "target"]

MEASURED = ("background_rms", "exposure_time")


@dataclass(frozen=True)
class Harmony:
    """What the sides of a pair agree on.

    Attributes:
        source, target: their cameras, known or fitted.
        common: where their images meet.
        source_noise, target_noise: of either side there, before any is added.
    """

    source: Camera
    target: Camera
    common: CommonCamera
    source_noise: NoiseFacts
    target_noise: NoiseFacts

    @property
    def noise(self) -> NoiseFacts:
        """That images of both sides have in the end."""
        return NoiseFacts.larger(self.source_noise, self.target_noise)

    def changes(self, side: Side) -> bool:
        """Whether images of a side become others; if not, its networks stay as they are."""
        own = self.source_noise if side == "source" else self.target_noise
        return not self.operator(side).is_identity or own != self.noise

    def operator(self, side: Side) -> Operator:
        """From a side's images to the common camera's."""
        return operator_of(self.source if side == "source" else self.target, self.common)

    def write(self, path: str | Path) -> None:
        """Write JSON atomically."""
        content = {
            "source": self.source.as_dict(),
            "target": self.target.as_dict(),
            "common": self.common.camera.as_dict(),
            "field": self.common.field,
            "source_noise": self.source_noise.as_dict(),
            "target_noise": self.target_noise.as_dict(),
        }
        write_json(path, content)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Inverse of :meth:`write`."""
        content = json.loads(Path(path).read_text())
        return cls(
            source=Camera.from_dict(content["source"]),
            target=Camera.from_dict(content["target"]),
            common=CommonCamera(Camera.from_dict(content["common"]), content["field"]),
            source_noise=NoiseFacts(**content["source_noise"]),
            target_noise=NoiseFacts(**content["target_noise"]),
        )


def agree(
    source: Camera,
    target: Camera,
    source_stores: Sequence[str | Path],
    target_stores: Sequence[str | Path],
) -> Harmony:
    """What the sides of a pair agree on; of the images their noise and exposure is read alone.

    Args:
        source, target: cameras.
        source_stores, target_stores: whose noisiest image sets the noise; the target's may be its
            pool.

    Raises:
        ValueError: a store does not say how long it was exposed, or has no noise.
    """
    common = common_camera(source, target)
    facts = []
    for camera, stores in ((source, source_stores), (target, target_stores)):
        known = [measured(open_store(path, check=False)) for path in stores]
        columns = (np.concatenate([k[name] for k in known]) for name in MEASURED)
        facts.append(noise_facts(operator_of(camera, common), *columns))
    return Harmony(source, target, common, *facts)


def measured(opened: Store) -> dict[str, np.ndarray]:
    """Noise and exposure of every image, (N,) each.

    Raises:
        ValueError: the images have no noise, or their exposure is not known.
    """
    if opened.attributes.get("noise_model") == "none":
        raise ValueError(f"{opened.path}: its images have no noise, nothing to harmonise")
    missing = [name for name in MEASURED if name not in opened.truth]
    if missing:
        raise ValueError(
            f"{opened.path}: does not hold {', '.join(missing)} of its images; a pool of an "
            "older lensml is to be made again"
        )
    return {name: opened.truth[name] for name in MEASURED}
