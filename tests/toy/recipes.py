"""Recipes of studies on a toy."""

from __future__ import annotations

from pydantic import TypeAdapter

from lensml.schema.anomaly import Mae
from lensml.schema.encoders import Encoder
from lensml.schema.training import Classifier

VIT = {
    "kind": "vit",
    "patch_size": 4,
    "embed_dim": 16,
    "depth": 2,
    "num_heads": 2,
    "mlp_ratio": 2.0,
    "init_values": None,
    "drop_path_rate": 0.0,
}
CNN = {"kind": "cnn", "widths": [4, 8]}
OPTIMIZATION = {
    "batch_size": 16,
    "learning_rate": 3.0e-3,
    "min_learning_rate": 0.0,
    "weight_decay": 0.05,
    "betas": [0.9, 0.98],
    "warmup_fraction": 0.1,
    "clip_grad_norm": 1.0,
}
CLASSIFIER = Classifier.model_validate(
    {
        **OPTIMIZATION,
        "domains": ["toy"],
        "encoders": ["cnn"],
        "seeds": [0],
        "epochs": 2,
        "evaluations_per_epoch": 1,
        "label_smoothing": 0.0,
        "ema_decay": 0.9,
        "paired_batches": False,
        "augment": True,
        "test_time_augmentation": True,
    }
)
MAE = Mae.model_validate(
    {
        **OPTIMIZATION,
        **{k: VIT[k] for k in ("patch_size", "embed_dim", "depth", "num_heads", "mlp_ratio")},
        "epochs": 1,
        "mask_ratio": 0.5,
        "loss": "pixel",
        "decoder_embed_dim": 8,
        "decoder_depth": 1,
        "decoder_num_heads": 2,
    }
)


def encoder(content: dict):
    return TypeAdapter(Encoder).validate_python(content)
