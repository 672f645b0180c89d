"""Operations of an encoder, and equal compute."""

from __future__ import annotations

import json
from pathlib import Path

from toy.recipes import VIT, encoder

from lensml.evaluation.classification.encoder_size import measure_encoder
from lensml.training.classification.variants import equal_steps


def test_the_operations_of_a_vision_transformer_are_those_of_its_matrices(tmp_path):
    output = tmp_path / "size.json"
    measure_encoder(str(output), encoder(VIT), img_size=16)
    tokens, d, patch = 16, 16, 16
    linear = 4 * d * d + 2 * 2 * d * d  # qkv and projection, and the two layers of width 2 d
    attention = 2 * tokens * d
    expected = 2 * tokens * (patch * d + VIT["depth"] * (linear + attention))
    assert json.loads(output.read_text())["flops"] == expected


def test_equal_compute_gives_a_costlier_encoder_fewer_steps(tmp_path):
    sizes = []
    for name, flops in (("reference", 300), ("own", 900)):
        sizes.append(str(tmp_path / f"{name}.json"))
        Path(sizes[-1]).write_text(json.dumps({"flops": flops}))
    assert equal_steps(100, sizes) == 33
    assert equal_steps(100, []) == 100
    assert equal_steps(None, []) is None
