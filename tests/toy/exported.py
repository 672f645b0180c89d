"""Networks to be exported."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from lensml.data.images import stretch
from lensml.models.encoders import Classifier, build_classifier
from lensml.schema.encoders import Cnn, Encoder, Vit, VitConvStem
from toy.stores import NETWORK_INPUT, RMS, blobs

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
