"""Classifiers as ONNX files, checked against torch before they are written."""

from __future__ import annotations

import platform
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import onnxruntime
import torch
from onnx import ModelProto

from lensml.data.files import write_bytes, write_json
from lensml.data.fits import fits_of, open_fits
from lensml.data.store import open_store
from lensml.evaluation.classification.calibration import apply_temperature, read_temperature
from lensml.evaluation.classification.metrics import SMALLEST_PROBABILITY
from lensml.models.export import ExportedClassifier
from lensml.provenance import git_commit
from lensml.schema.encoders import Encoder, NetworkInput
from lensml.training.classification.run import load_classifier
from lensml.training.engine.device import prepare_device
from lensml.training.engine.prediction import PREDICTION_BATCH, predict_probabilities
from lensml.training.engine.record import file_checksum, package_versions
from lensml.training.engine.setting import Setting

OPSET = 20  # the exporter's own; onnxruntime reads it since 1.17
N_CHECKED = 64  # test images per class
# Logits of order 10 are good to a few 1e-6 in float32, and a probability moves by at most half of
# that, over T. The networks of the default run differ by 1e-6.
TOLERANCE = 1e-5  # for T >= 1
INPUTS = ("image", "background_rms")
UNITS: dict[str, str] = dict.fromkeys(INPUTS, "e-/s per pixel")
OUTPUT = "probabilities"


def input_names(spec: NetworkInput) -> list[str]:
    """What the exported network takes: image and noise, and the fitted maps that it sees."""
    return [*INPUTS, *(channel for channel in spec.channels if channel != "image")]


def export_classifier(
    stores: Sequence[str],
    weights: str,
    calibration: str,
    network_file: str,
    description_file: str,
    *,
    classes: Sequence[str],
    encoder: Encoder,
    symmetry: str,
    pixel_scale: float,
    judged_by: Mapping[str, Any],
    setting: Setting,
) -> None:
    """Write a classifier as ONNX with a description, if onnxruntime agrees with torch.

    Args:
        stores: test stores, one per class, on whose first images both are compared.
        weights: of the classifier.
        calibration: its calibration.json.
        network_file: the .onnx to write: image (N, H, W) and background_rms (N,), both float32 in
            e-/s per pixel, to calibrated probabilities (N, K).
        description_file: the .json to write.
        classes: names in the order of the stores.
        encoder: architecture.
        symmetry: averaged over; 'none' for a single pass.
        pixel_scale: arcsec.
        judged_by: sections ``domain`` and ``fit`` of the configuration and ``seed``, by which
            whoever has no more than the export is told whether an image is of the domain.
        setting: see :class:`lensml.training.engine.setting.Setting`.

    Raises:
        ValueError: the weights are of another architecture or image size, or onnxruntime differs
            from torch by more than ``TOLERANCE`` allows; nothing is written.
    """
    # A GPU's matrix products may be rounded to ten bits: the comparison is one of CPUs.
    device = prepare_device(setting.compute.model_copy(update={"device": "cpu"}))
    images = setting.images(stores, device, limit=N_CHECKED)
    size = open_store(stores[0], check=False).image.shape[1]  # before cropping
    network = load_classifier(
        weights,
        encoder=encoder,
        img_size=images.img_size,
        num_classes=len(classes),
        device=device,
        in_chans=images.in_chans,
    )
    temperature, names = read_temperature(calibration), input_names(setting.network_input)
    module = ExportedClassifier(
        network,
        setting.network_input,
        symmetry=symmetry,
        temperature=temperature,
        smallest=SMALLEST_PROBABILITY,
    )
    content = to_onnx(module, img_size=size).SerializeToString()
    expected = predict_probabilities(network, images, symmetry=symmetry)
    found = _run(content, stores, names, setting.compute.threads)
    difference = float(np.abs(found - apply_temperature(expected, temperature)).max())
    allowed = TOLERANCE / min(temperature, 1.0)
    if not difference < allowed:
        raise ValueError(
            f"{network_file}: probabilities of ONNX and torch differ by {difference:.1e}, more "
            f"than {allowed:.1e}; the classifier is not exported"
        )
    write_bytes(network_file, content)
    write_json(
        description_file,
        {
            "classes": list(classes),
            "image_size": size,
            "pixel_scale": pixel_scale,
            "judged_by": dict(judged_by),
            "inputs": _inputs(size, names),
            "outputs": {OUTPUT: {"shape": ["N", len(classes)], "dtype": "float32"}},
            "units": {
                "pixel_scale": "arcsec",
                **{name: UNITS.get(name, "") for name in names},
            },
            "temperature": temperature,
            "network_input": setting.network_input.model_dump(),
            "symmetry": symmetry,
            "greatest_difference": difference,
            "allowed_difference": allowed,
            "n_checked": len(images),
            "weights": file_checksum(weights),
            "versions": _versions(),
            "git_commit": git_commit(),
        },
    )


def to_onnx(module: ExportedClassifier, *, img_size: int) -> ModelProto:
    """The module's graph, for any number of images of one size.

    Args:
        module: in any mode; it is exported in evaluation.
        img_size: pixels per axis.
    """
    names = input_names(module.spec)
    one = torch.zeros(2, img_size, img_size)
    fitted = tuple(torch.zeros_like(one) for _ in names[len(INPUTS) :])
    rows = {0: torch.export.Dim("N")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter: of its own code, none of it ours
        program = torch.onnx.export(
            module.eval(),
            (one, torch.ones(2), *fitted),
            dynamo=True,
            opset_version=OPSET,
            input_names=names,
            output_names=[OUTPUT],
            dynamic_shapes=(rows, rows, *([(rows,) * len(fitted)] if fitted else [])),
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _forget_origin(model)
    return model


def _forget_origin(model: ModelProto) -> None:
    """Remove stack traces: equal weights give equal bytes, wherever they were exported."""
    graph = model.graph
    for part in (graph.node, graph.input, graph.output, graph.value_info, graph.initializer):
        for entry in part:
            entry.ClearField("metadata_props")
    graph.ClearField("metadata_props")


def _run(content: bytes, stores: Sequence[str], names: Sequence[str], threads: int) -> np.ndarray:
    """Probabilities of onnxruntime for the first images of every store, (N, K)."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    found = []
    for path in stores:
        store = open_store(path, check=False)  # the reader of `expected` has checked it
        wanted = names[len(INPUTS) :]
        fits = open_fits(fits_of(path), check=False).maps if wanted else {}
        for start in range(0, min(N_CHECKED, len(store)), PREDICTION_BATCH):
            rows = np.arange(start, min(start + PREDICTION_BATCH, N_CHECKED, len(store)))
            rms = store.truth["background_rms"][rows].astype(np.float32)
            arrays = (store.image[rows], rms, *(fits[name][rows] for name in wanted))
            given = dict(zip(names, arrays, strict=True))
            found.append(session.run([OUTPUT], given)[0])
    return np.concatenate(found)


def _inputs(size: int, names: Sequence[str]) -> dict[str, Any]:
    shapes = {name: ["N"] if name == "background_rms" else ["N", size, size] for name in names}
    return {name: {"shape": shape, "dtype": "float32"} for name, shape in shapes.items()}


def _versions() -> dict[str, str]:
    used = {name: version(name) for name in ("onnx", "onnxscript", "onnxruntime")}
    return {"python": platform.python_version(), **package_versions(), **used}
