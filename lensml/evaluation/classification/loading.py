"""A trained classifier from the folder of its run: from images in e-/s to probabilities."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from pydantic import TypeAdapter
from safetensors import safe_open

from lensml.evaluation.cards.description import read_description
from lensml.evaluation.classification.calibration import read_temperature
from lensml.evaluation.classification.folders import (
    CALIBRATION,
    RECORD,
    WEIGHTS,
    configuration_of,
    described_in,
)
from lensml.evaluation.classification.metrics import SMALLEST_PROBABILITY
from lensml.evaluation.classification.trained import TrainedClassifier
from lensml.models.export import ExportedClassifier
from lensml.schema import Config
from lensml.schema.adaptation import ON_PLAIN_IMAGES
from lensml.schema.encoders import Encoder, NetworkInput
from lensml.training.classification.run import load_classifier


@dataclass(frozen=True, kw_only=True)
class LoadedClassifier(TrainedClassifier):
    """A network of torch with what it must be told of images.

    Attributes:
        module: the network between images and probabilities.
    """

    module: ExportedClassifier = field(repr=False)

    @torch.no_grad()
    def _probabilities(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        return self.module(*(torch.from_numpy(each) for each in arrays)).numpy()


def load(folder: str | Path) -> LoadedClassifier:
    """A trained classifier, ready to predict on a CPU.

    Args:
        folder: of its run, such as ``results/classification/euclid/vit_conv_stem/seed0`` or an
            adapted one's; ``config.yaml`` lies above it. Or one with weights that describe
            themselves, as ``snakemake model_cards`` writes them, or these weights alone.

    Raises:
        FileNotFoundError: there is no trained network in the folder.
        ValueError: no configuration lies above the folder, or it is no classifier, or one of
            images that were brought to a common camera.
    """
    if described := described_in(folder):
        return load_described(described[0])
    run = Path(folder).absolute()
    for name in (WEIGHTS, RECORD):
        if not (run / name).is_file():
            raise FileNotFoundError(f"{folder} holds no trained classifier: {name} is missing")
    root, config = configuration_of(folder)
    domain = _domain_of(run.relative_to(root).parts, config, folder)
    spec = config.domain(domain)
    seen = json.loads((run / RECORD).read_text())["config"]["network_input"]
    network_input = NetworkInput.model_validate(seen)
    network = load_classifier(
        str(run / WEIGHTS),
        encoder=_encoder_of(run / WEIGHTS),
        img_size=network_input.img_size(spec.num_pix),
        num_classes=len(config.substructures),
        device=torch.device("cpu"),
        in_chans=len(network_input.channels),
    )
    calibrated = (run / CALIBRATION).is_file()
    temperature = read_temperature(str(run / CALIBRATION)) if calibrated else 1.0
    averaged = config.classifier.test_time_augmentation
    module = ExportedClassifier(
        network,
        network_input,
        symmetry=spec.population.symmetry if averaged else "none",
        temperature=temperature,
        smallest=SMALLEST_PROBABILITY,
    )
    return LoadedClassifier(
        domain=domain,
        classes=tuple(config.substructures),
        num_pix=spec.num_pix,
        pixel_scale=spec.instrument.pixel_scale,
        channels=tuple(network_input.channels),
        temperature=temperature,
        module=module.eval(),
    )


def load_described(weights: str | Path) -> LoadedClassifier:
    """A classifier of weights that describe themselves, of which nothing else is needed.

    Raises:
        ValueError: the file is damaged, or says too little of the network in it.
    """
    said = read_description(weights)
    network_input = NetworkInput.model_validate(said["network_input"])
    network = load_classifier(
        str(weights),
        encoder=TypeAdapter(Encoder).validate_python(said["encoder"]),
        img_size=network_input.img_size(said["image_size"]),
        num_classes=len(said["classes"]),
        device=torch.device("cpu"),
        in_chans=len(network_input.channels),
    )
    module = ExportedClassifier(
        network,
        network_input,
        symmetry=said["symmetry"],
        temperature=said["temperature"],
        smallest=SMALLEST_PROBABILITY,
    )
    return LoadedClassifier(
        domain=said["domain"],
        classes=tuple(said["classes"]),
        num_pix=said["image_size"],
        pixel_scale=said["pixel_scale"],
        channels=tuple(network_input.channels),
        temperature=said["temperature"],
        judged_by=said["judged_by"],
        module=module.eval(),
    )


def _domain_of(parts: tuple[str, ...], config: Config, folder: str | Path) -> str:
    """Whose images a run below the results is for."""
    if parts[0] == "classification":
        return parts[1]
    if parts[0] != "adaptation":
        raise ValueError(f"{folder} is no classifier: it lies below '{parts[0]}'")
    if config.adaptation.harmonises and parts[4] not in ON_PLAIN_IMAGES:
        raise ValueError(
            f"{folder}: its images were brought to a common camera (adaptation.harmonise: "
            f"{config.adaptation.harmonise}); it takes none as they are"
        )
    return parts[2]


def _encoder_of(weights: Path) -> Encoder:
    with safe_open(weights, framework="numpy") as file:
        metadata = json.loads(file.metadata()["lensml"])
    return TypeAdapter(Encoder).validate_python(metadata["encoder"])
