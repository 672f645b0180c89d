"""A small study: stores of a source and a target domain, a pool without labels, classifiers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lensml.data.torch_dataset import Images
from lensml.schema import adaptation as adaptation_schema
from lensml.schema import encoders as encoder_schema
from lensml.schema import training as schema
from lensml.schema.anomaly import Autoencoder
from lensml.simulate.dataset import pool_unlabelled
from lensml.training.classification.run import Results, train_classifier
from toy.stores import IN_MEMORY, NETWORK_INPUT, blobs, noise, setting, write_store

# Paths are dropped at random, so that a resumed run must restore torch's generator.
STEM = encoder_schema.VitConvStem(
    kind="vit_conv_stem",
    stem_widths=[4, 4],
    embed_dim=8,
    depth=2,
    num_heads=2,
    mlp_ratio=2.0,
    init_values=0.1,
    drop_path_rate=0.5,
)
CNN = encoder_schema.Cnn(kind="cnn", widths=[4, 8])
OPTIMIZATION: dict[str, Any] = {
    "batch_size": 8,
    "learning_rate": 1e-2,
    "min_learning_rate": 1e-4,
    "weight_decay": 0.05,
    "betas": [0.9, 0.95],
    "warmup_fraction": 0.2,
    "clip_grad_norm": 1.0,
}
CLASSIFIER = schema.Classifier(
    **OPTIMIZATION,
    domains=["toy"],
    encoders=["toy"],
    seeds=[0],
    epochs=3,
    evaluations_per_epoch=2,
    label_smoothing=0.05,
    ema_decay=0.9,
    paired_batches=True,
    augment=True,
    test_time_augmentation=True,
)
AUTOENCODER = Autoencoder(
    **OPTIMIZATION,
    epochs=4,
    widths=[4, 8],
    latent_dim=4,
    kl_weight=1e-3,
    kl_warmup=0.5,
    adversarial_weight=0.1,
    hidden_dim=8,
    learning_rate_discriminator=1e-2,
)
ORACLE = adaptation_schema.Oracle(**OPTIMIZATION, epochs=1, evaluations_per_epoch=2)
ADDA = adaptation_schema.Adda(
    start="source_only",
    steps=40,
    warmup_steps=4,
    batch_size=8,
    learning_rate_encoder=1e-3,
    learning_rate_discriminator=1e-2,
    betas=[0.5, 0.9],
    weight_decay=0.0,
    hidden_dim=8,
    label_smoothing=0.1,
    clip_grad_norm=1.0,
    ema_decay=0.9,
    batch_norm="source",
)
ADABN = adaptation_schema.AdaBn(n_images=1000)


class Study(NamedTuple):
    """Stores of a source and a target domain and the weights of a source classifier."""

    train: list[str]
    validation: list[str]
    target: list[str]
    pool: str
    weights: dict[str, str]  # by kind of encoder


def make_study(folder: Path) -> Study:
    """Write the stores and train a classifier of every kind of encoder."""
    rng = np.random.default_rng(0)

    def pair(domain: str, split: str, n: int, peak: float) -> list[str]:
        images = {"no_sub": noise(n, rng), "cdm": blobs(n, rng, peak=peak)}
        return [
            write_store(folder / domain / name / f"{split}.zarr", x, substructure=name)
            for name, x in images.items()
        ]

    train, validation = pair("source", "train", 20, 2.0), pair("source", "val", 12, 2.0)
    target = pair("target", "train", 24, 0.5)
    pool = folder / "target" / "pool" / "train.zarr"
    pool_unlabelled(pool, target, seed=1)
    weights = {}
    for encoder in (STEM, CNN):
        results = results_in(folder / encoder.kind)
        train_classifier(
            train,
            validation,
            results,
            encoder=encoder,
            classifier=CLASSIFIER,
            symmetry="square",
            setting=setting(folder / encoder.kind),
        )
        weights[encoder.kind] = results.weights
    return Study(train, validation, target, str(pool), weights)


def results_in(folder: Path) -> Results:
    """Files that a run in a folder writes."""
    return Results(*(str(folder / n) for n in ("weights.safetensors", "history.csv", "run.json")))


def images_of(stores: list[str], **options: Any) -> Images:
    """Images in memory on the network's scale."""
    return Images(stores, NETWORK_INPUT, max_memory_fraction=IN_MEMORY, **options)
