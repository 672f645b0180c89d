"""Mistakes in the section of the regression."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy.configuration import load_varied

from lensml.schema import Config, ConfigError

MISTAKES = {
    "domain without a classifier": (
        "regression: {domains: [hst]}",
        "regression.domains = 'hst': is not listed under 'classifier.domains'",
    ),
    "encoder without a classifier": (
        "regression: {encoders: [cnn]}",
        "regression.encoders = 'cnn': is not listed under 'classifier.encoders'",
    ),
    "unknown start": (
        "regression: {initialise: imagenet}",
        "regression.initialise = 'imagenet'",
    ),
    "misspelt key": ("regression: {epoch: 3}", "regression.epoch"),
    "no epochs": ("regression: {epochs: 0}", "regression.epochs = 0"),
    "rates that rise": (
        "regression: {min_learning_rate: 1.0}",
        "regression.min_learning_rate = 1.0: must not exceed learning_rate (0.001)",
    ),
    "axion mass that does not vary": (
        "catalogue: {populations: {deeplense_varied: {vortex: {log10_axion_mass: -23.0}}}}",
        "regression.domains = 'euclid': its population has one log10_axion_mass for all images",
    ),
}


def load(folder: Path, text: str) -> Config:
    overlay = folder / "overlay.yaml"
    overlay.write_text(text, encoding="utf-8")
    return load_varied(overlay)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line(tmp_path, name):
    text, expected = MISTAKES[name]
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    (line,) = caught.value.lines
    assert expected in line
    assert line.split(": ")[0].endswith(".yaml")


def test_regression_can_be_switched_off(tmp_path):
    assert load(tmp_path, "regression: {domains: []}").regression.domains == []
