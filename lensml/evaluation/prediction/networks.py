"""Networks that predict, from runs or handed on, and what it takes to judge images for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensml.evaluation.classification.folders import configuration_of, networks_in, root_of
from lensml.evaluation.classification.trained import TrainedClassifier
from lensml.schema.fit import Fit
from lensml.schema.simulation import Domain


@dataclass(frozen=True)
class JudgedBy:
    """What it takes to tell whether images are of a classifier's domain.

    Attributes:
        domain: camera and population.
        fit: of smooth lenses.
        seed: of the domain's images.
        folder: where what is found is kept.
        datasets: folder of the run's stores, of which a domain of files has need.
    """

    domain: Domain
    fit: Fit
    seed: int
    folder: Path
    datasets: Path


def networks_of(run: str | Path) -> tuple[list[TrainedClassifier], JudgedBy]:
    """Classifiers, one per seed, and what images are judged by.

    Args:
        run: folder of a trained classifier, of an exported or of a described one, the folder
            above, or the ``.onnx`` or ``.safetensors`` file.

    Raises:
        FileNotFoundError: there is no network.
        ValueError: they are no classifiers of images as they are, or one does not say what images
            are judged by.
    """
    networks = networks_in(run)
    classifiers = [_opened(network) for network in networks]
    said = classifiers[0].judged_by
    if said is not None:
        return classifiers, _by_itself(said, networks[0])
    root, config = configuration_of(run)
    domain = config.domain(classifiers[0].domain)
    return classifiers, JudgedBy(domain, config.fit, config.seed, root, root / "datasets")


def _opened(network: Path) -> TrainedClassifier:
    if network.suffix == ".onnx":
        from lensml.evaluation.classification.onnx_classifier import open_export

        return open_export(network)
    from lensml.evaluation.classification.loading import load  # torch: not for exported ones

    return load(network)


def _by_itself(said: Mapping[str, Any], network: Path) -> JudgedBy:
    """Of a network that was handed on: results are beside it or not."""
    domain, fit = Domain.model_validate(said["domain"]), Fit.model_validate(said["fit"])
    root = root_of(network)
    if domain.files is not None and not (root and (root / "datasets" / domain.name).is_dir()):
        raise ValueError(
            f"{network}: the images of '{domain.name}' lie in files, and by them others are "
            "judged: predict with the run's folder, or where its datasets lie beside it"
        )
    folder = root or network.absolute().parent
    return JudgedBy(domain, fit, said["seed"], folder, folder / "datasets")
