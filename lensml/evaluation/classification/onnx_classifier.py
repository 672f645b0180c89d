"""An exported classifier, run by onnxruntime: no torch is needed, nor the run that it is of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from lensml.evaluation.classification.trained import TrainedClassifier

NEEDED = ("classes", "image_size", "pixel_scale", "temperature", "network_input", "judged_by")


@dataclass(frozen=True, kw_only=True)
class OnnxClassifier(TrainedClassifier):
    """A network of an ONNX file with what it must be told of images.

    Attributes:
        session: of onnxruntime, on a CPU.
    """

    session: onnxruntime.InferenceSession = field(repr=False)

    def _probabilities(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        names = [each.name for each in self.session.get_inputs()]
        given = dict(zip(names, arrays, strict=True))
        return np.asarray(self.session.run(None, given)[0])


def open_export(network: str | Path) -> OnnxClassifier:
    """An exported classifier, ready to predict.

    Args:
        network: its ``.onnx`` file, with the description that was written beside it.

    Raises:
        FileNotFoundError: the description is missing.
        ValueError: one of both is damaged, or the description is an older one, which does not say
            whose images the network is for.
    """
    path = Path(network)
    file = path.with_suffix(".json")
    if not file.is_file():
        raise FileNotFoundError(
            f"{path}: its description {file.name} is missing, which an export writes beside it"
        )
    about = _description(file)
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no class
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: cannot be read by onnxruntime ({reason})") from None
    return OnnxClassifier(
        domain=about["judged_by"]["domain"]["name"],
        classes=tuple(about["classes"]),
        num_pix=about["image_size"],
        pixel_scale=about["pixel_scale"],
        channels=tuple(about["network_input"]["channels"]),
        temperature=about["temperature"],
        judged_by=about["judged_by"],
        session=session,
    )


def _description(file: Path) -> dict[str, Any]:
    try:
        about = json.loads(file.read_text())
    except ValueError as error:
        raise ValueError(f"{file}: is no JSON ({error})") from None
    missing = [name for name in NEEDED if name not in about]
    if missing:
        raise ValueError(
            f"{file}: says nothing of {', '.join(missing)}, by which images are judged; export "
            "the classifier anew (snakemake export)"
        )
    return about
