"""The sweep: one setting at a time, and mistakes."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from toy.configuration import load_varied

from lensml.schema import ConfigError
from lensml.schema.sweep import Factor, configured, retrained, swept

CONFIG = load_varied()
OTHER: dict[Factor, Any] = {
    "mask_ratio": 0.3,
    "patch_size": 16,
    "depth": 3,
    "decoder_depth": 3,
    "loss": "chi2",
    "epochs": 5,
    "n_masks": 3,
    "masks": "complementary",
    "n_train": 1000,
}


def difference(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for key, value in b.items():
        if isinstance(value, dict):
            found |= difference(a[key], value)
        elif a[key] != value:
            found[key] = value
    return found


@pytest.mark.parametrize("factor", get_args(Factor))
def test_one_setting_changes_and_no_other(factor):
    shipped, other = (
        swept(CONFIG.anomaly, factor, value).model_dump()
        for value in (configured(CONFIG.anomaly, factor, 6000), OTHER[factor])
    )
    expected = {} if factor == "n_train" else {factor: OTHER[factor]}
    assert difference(shipped, other) == expected


def test_what_the_scores_alone_depend_on_is_not_trained_again():
    assert {f for f in get_args(Factor) if not retrained(f)} == {"n_masks", "masks"}


@pytest.mark.parametrize(
    ("vary", "line"),
    [
        ("{mask_ratio: [0.5, 1.0]}", "sweep.vary.mask_ratio = 1.0: should be less than 1"),
        ("{patch_size: [7]}", "sweep.vary.patch_size = 7: must divide the image of 64 pixels"),
        ("{loss: [cosine]}", "sweep.vary.loss = 'cosine': should be 'pixel'"),
        ("{n_train: [1]}", "sweep.vary.n_train = 1: must be a whole number of at least 2"),
        ("{n_masks: [2.5]}", "sweep.vary.n_masks = 2.5: should be a valid integer"),
    ],
)
def test_a_value_that_cannot_be_is_named(tmp_path, vary, line):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(f"sweep: {{vary: {vary}}}")
    with pytest.raises(ConfigError) as caught:
        load_varied(overlay)
    (found,) = caught.value.lines
    assert line in found


@pytest.mark.parametrize(
    ("sweep", "line"),
    [
        ("{domain: nowhere}", "sweep.domain = 'nowhere': is not listed under 'domains'"),
        ("{vary: {colour: [1]}}", "colour"),
        ("{vary: {depth: [2, 2]}}", "2 listed more than once"),
    ],
)
def test_a_sweep_that_cannot_be_is_one_line(tmp_path, sweep, line):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(f"sweep: {sweep}")
    with pytest.raises(ConfigError) as caught:
        load_varied(overlay)
    (found,) = caught.value.lines
    assert line in found
