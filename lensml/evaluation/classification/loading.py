"""A trained classifier from the folder of its run: from images in e-/s to probabilities."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import yaml
from pydantic import TypeAdapter
from safetensors import safe_open

from lensml.data.observed.noise import border_rms
from lensml.evaluation.classification.calibration import read_temperature
from lensml.evaluation.classification.metrics import SMALLEST_PROBABILITY
from lensml.models.export import ExportedClassifier
from lensml.schema import Config
from lensml.schema.adaptation import ON_PLAIN_IMAGES
from lensml.schema.encoders import Encoder, NetworkInput
from lensml.training.classification.run import load_classifier
from lensml.training.engine.prediction import PREDICTION_BATCH

WEIGHTS, RECORD, CALIBRATION = "weights.safetensors", "run.json", "calibration.json"


@dataclass(frozen=True)
class LoadedClassifier:
    """A network with what it must be told of images.

    Attributes:
        domain: whose images it is for: no other's probabilities mean anything.
        classes: in the order of the probabilities.
        num_pix: pixels per axis of an image.
        pixel_scale: arcsec.
        channels: what it sees: ``image``, and maps of the fitted smooth lens.
        temperature: of its calibration; 1 where it was not calibrated.
        module: the network between images and probabilities.
    """

    domain: str
    classes: tuple[str, ...]
    num_pix: int
    pixel_scale: float
    channels: tuple[str, ...]
    temperature: float
    module: ExportedClassifier = field(repr=False)

    @torch.no_grad()
    def predict_proba(
        self,
        image: np.ndarray,
        background_rms: np.ndarray | float | None = None,
        **fitted: np.ndarray,
    ) -> np.ndarray:
        """Calibrated probabilities of the classes, which are taken to be equally frequent.

        Args:
            image: (N, H, W), or (H, W) for one, e-/s per pixel, sky subtracted, lens in the
                middle.
            background_rms: (N,) or one for all, e-/s per pixel; measured on each image's border
                if not given.
            fitted: ``residual`` (in units of the noise) and ``kappa`` of the fitted smooth lens,
                shaped as the images, where ``channels`` has them.

        Returns:
            (N, K) float32, rows sum to 1.

        Raises:
            ValueError: images of another size or with pixels that are not finite, or maps that
                are missing or that the network does not see.
        """
        images = self._maps("image", np.asarray(image))
        wanted = [channel for channel in self.channels if channel != "image"]
        if fitted.keys() != set(wanted):
            given = ", ".join(sorted(fitted)) or "none"
            raise ValueError(
                f"the network sees {', '.join(self.channels)}: maps {', '.join(wanted) or 'none'} "
                f"of the fit are needed beside the image, not {given}"
            )
        maps = [self._maps(name, np.asarray(fitted[name])) for name in wanted]
        if any(len(each) != len(images) for each in maps):
            raise ValueError("every image needs its maps")
        rms = _rms(images, background_rms)
        found = [
            self.module(
                *(torch.from_numpy(x[k : k + PREDICTION_BATCH]) for x in (images, rms, *maps))
            )
            for k in range(0, len(images), PREDICTION_BATCH)
        ]
        return torch.cat(found).numpy()

    def _maps(self, name: str, x: np.ndarray) -> np.ndarray:
        x = x[None] if x.ndim == 2 else x
        if x.ndim != 3 or x.shape[1:] != (self.num_pix, self.num_pix):
            raise ValueError(
                f"{name} has shape {x.shape}; images of {self.domain} are (N, {self.num_pix}, "
                f"{self.num_pix}), {self.pixel_scale:g} arcsec per pixel"
            )
        bad = np.flatnonzero(~np.isfinite(x).all((1, 2)))
        if len(bad):
            raise ValueError(f"{name} {bad[0]} has pixels that are not finite")
        return np.ascontiguousarray(x, dtype=np.float32)


def load(folder: str | Path) -> LoadedClassifier:
    """A trained classifier, ready to predict on a CPU.

    Args:
        folder: of its run, such as ``results/classification/euclid/vit_conv_stem/seed0`` or an
            adapted one's; ``config.yaml`` lies above it.

    Raises:
        FileNotFoundError: there is no trained network in the folder.
        ValueError: no configuration lies above the folder, or it is no classifier, or one of
            images that were brought to a common camera.
    """
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


def configuration_of(folder: str | Path) -> tuple[Path, Config]:
    """The folder of results that a run's folder lies in, and their configuration.

    Raises:
        ValueError: no ``config.yaml`` lies above it.
    """
    run = Path(folder).absolute()
    root = next((p for p in run.parents if (p / "config.yaml").is_file()), None)
    if root is None:
        raise ValueError(f"{folder}: no config.yaml of a run lies above it")
    return root, Config.model_validate(yaml.safe_load((root / "config.yaml").read_text()))


def runs_in(folder: str | Path) -> list[Path]:
    """A trained network's folder, or those of all seeds below the folder of its encoder.

    Raises:
        FileNotFoundError: there is no trained network.
    """
    run = Path(folder)
    if (run / WEIGHTS).is_file():
        return [run]
    seeds = [path.parent for path in run.glob(f"seed*/{WEIGHTS}")]
    if not seeds:
        raise FileNotFoundError(f"{folder} holds no trained classifier: {WEIGHTS} is missing")
    return sorted(seeds, key=lambda path: int(path.name.removeprefix("seed")))


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


def _rms(images: np.ndarray, given: np.ndarray | float | None) -> np.ndarray:
    if given is None:
        everything = np.ones(images.shape[1:], bool)
        found = np.array([border_rms(image.astype(float), everything) for image in images])
    else:
        found = np.broadcast_to(np.asarray(given, dtype=float), len(images))
    if not (np.isfinite(found) & (found > 0)).all():
        raise ValueError("background_rms must be above 0 for every image, e-/s per pixel")
    return np.ascontiguousarray(found, dtype=np.float32)
