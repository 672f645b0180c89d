"""A training that several processes can share, and what they are started with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from lensml.data.torch_dataset import Images
from lensml.schema import encoders as encoder_schema
from lensml.schema import training as schema
from lensml.schema.anomaly import Mae
from lensml.training.classification.run import train_classifier
from lensml.training.classification.task import ClassifierTask
from lensml.training.engine.parallel import on_every_device
from lensml.training.engine.ranks import rank
from lensml.training.engine.setting import Results, Setting
from toy import study as toy_study
from toy.stores import IN_MEMORY, NETWORK_INPUT

CPU = torch.device("cpu")
TRANSFORMER: dict[str, Any] = {
    "embed_dim": 16,
    "depth": 1,
    "num_heads": 2,
    "mlp_ratio": 2.0,
    "init_values": 0.1,
    "drop_path_rate": 0.0,
}
VIT = encoder_schema.Vit(kind="vit", patch_size=4, **TRANSFORMER)
STEM = encoder_schema.VitConvStem(kind="vit_conv_stem", stem_widths=[4, 4], **TRANSFORMER)
OPTIMIZATION = toy_study.OPTIMIZATION | {
    "batch_size": 12,
    "learning_rate": 3e-3,
    "warmup_fraction": 0.1,
}
CLASSIFIER = toy_study.CLASSIFIER.model_copy(
    update={**OPTIMIZATION, "epochs": 2, "label_smoothing": 0.0}
)
MAE = Mae(
    **OPTIMIZATION,
    epochs=2,
    patch_size=4,
    mask_ratio=0.5,
    loss="pixel",
    embed_dim=16,
    depth=1,
    num_heads=2,
    mlp_ratio=2.0,
    decoder_embed_dim=8,
    decoder_depth=1,
    decoder_num_heads=2,
)
ADDA = toy_study.ADDA.model_copy(update={"steps": 4, "warmup_steps": 1})


def images_of(paths: list[str], **options: Any) -> Images:
    return Images(paths, NETWORK_INPUT, max_memory_fraction=IN_MEMORY, **options)


def setting_with(folder: Path, **compute: Any) -> Setting:
    given = {"device": "cpu", "threads": 1, "max_memory_fraction": IN_MEMORY, **compute}
    return Setting(NETWORK_INPUT, schema.Compute(**given), 0, str(folder / "state"), "toy")


def results_in(folder: Path) -> Results:
    return Results(*(str(folder / n) for n in ("weights.safetensors", "history.csv", "run.json")))


def train(
    stores: dict, folder: Path, encoder: encoder_schema.Encoder = VIT, **compute: Any
) -> dict:
    train_classifier(
        stores["train"],
        stores["val"],
        results_in(folder),
        encoder=encoder,
        classifier=CLASSIFIER,
        symmetry="square",
        setting=setting_with(folder, **compute),
    )
    return load_file(folder / "weights.safetensors")


def assert_close(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Equal but for the order of sums.

    Biases of keys have no gradient but rounding (a softmax forgets what all keys share), which
    AdamW turns into steps of a learning rate.
    """
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        pairs = [(found[name], value)]
        if name.endswith("qkv.bias"):
            query, _, values = zip(found[name].chunk(3), value.chunk(3), strict=True)
            pairs = [query, values]
        for pair in pairs:
            torch.testing.assert_close(*pair, rtol=1e-3, atol=1e-4)


@on_every_device
def train_until_one_fails(*args: Any, setting: Setting, **options: Any) -> None:
    """The second process fails at step 7, after the checkpoint of step 4."""
    original = ClassifierTask.step

    def step(self: ClassifierTask, step: int) -> dict[str, Tensor]:
        if step == 7 and rank() == 1:
            raise ValueError("out of luck,\nas in a file that is damaged")
        return original(self, step)

    ClassifierTask.step = step
    train_classifier(*args, setting=setting, **options)


JOB = """
import sys
from pathlib import Path

with Path(sys.argv[1]).open("a") as file:
    file.write("started\\n")
sys.path.insert(0, sys.argv[2])
from toy.devices import MAE, results_in, setting_with
from lensml.training.anomaly.mae_run import train_mae

folder = Path(sys.argv[1]).parent
given = {"mae": MAE, "symmetry": "square", "setting": setting_with(folder, devices=2)}
train_mae(*sys.argv[3:], results_in(folder), **given)
"""
