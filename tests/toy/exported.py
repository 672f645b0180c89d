"""Networks to be exported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lensml.data.images import stretch
from lensml.models.encoders import Classifier, build_classifier
from lensml.schema.encoders import Cnn, Encoder, Vit, VitConvStem
from lensml.training.engine.checkpoint import save_weights
from toy.stores import NETWORK_INPUT, RMS, blobs, noise, setting, write_store

CLASSES = ["no_sub", "cdm", "vortex"]
SIZE = 16
TEMPERATURE = 0.6
SIZES: dict[str, Any] = {
    "embed_dim": 16,
    "depth": 2,
    "num_heads": 2,
    "mlp_ratio": 2.0,
    "init_values": 0.1,
    "drop_path_rate": 0.2,  # must not act in an exported network
}
ENCODERS: dict[str, Encoder] = {
    "cnn": Cnn(kind="cnn", widths=[4, 8]),
    "vit": Vit(kind="vit", patch_size=8, **SIZES),
    "vit_conv_stem": VitConvStem(kind="vit_conv_stem", stem_widths=[4, 8], **SIZES),
}


def network_of(name: str) -> Classifier:
    """A network with statistics of images and probabilities that are neither 0 nor 1."""
    network = build_classifier(ENCODERS[name], img_size=SIZE, num_classes=3, seed=1)
    rng = np.random.default_rng(0)
    x = torch.from_numpy(stretch(blobs(64, rng), np.full(64, RMS), NETWORK_INPUT))[:, None]
    with torch.no_grad():
        network.train()
        for _ in range(40):  # the running statistics of batch norm
            network(x)
        network.eval()
        logits = network(x)
        network.head.weight *= 3 / logits.std(0).mean()
        network.head.bias -= network(x).mean(0)
    return network


def prepared(
    folder: Path, *, n: int = 10, size: int = SIZE, symmetry: str = "none"
) -> dict[str, Any]:
    """Arguments of an export: stores, weights and a temperature."""
    rng = np.random.default_rng(0)
    makers = {"no_sub": noise, "cdm": blobs, "vortex": blobs}
    stores = [
        write_store(folder / name / "test.zarr", make(n, rng, size=size), substructure=name)
        for name, make in makers.items()
    ]
    save_weights(folder / "weights.safetensors", network_of("cnn").state_dict(), {})
    (folder / "calibration.json").write_text(json.dumps({"temperature": TEMPERATURE}))
    return {
        "stores": stores,
        "weights": str(folder / "weights.safetensors"),
        "calibration": str(folder / "calibration.json"),
        "network_file": str(folder / "out" / "classifier.onnx"),
        "description_file": str(folder / "out" / "classifier.json"),
        "classes": CLASSES,
        "encoder": ENCODERS["cnn"],
        "symmetry": symmetry,
        "pixel_scale": 0.1,
        "judged_by": {"domain": {"name": "toy"}, "fit": {}, "seed": 0},
        "setting": setting(folder),
    }
