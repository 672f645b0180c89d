"""The section of pretraining."""

from __future__ import annotations

import pytest
from toy.configuration import load_varied

from lensml.schema import ConfigError
from lensml.schema.pretraining import pretraining_recipe


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("{fractions: [0.0001]}", "pretraining.fractions = 0.0001: leaves fewer than 2 images"),
        ("{fractions: [0.5, 0.5]}", "0.5 listed more than once"),
        ("{fractions: [1.5]}", "should be less than or equal to 1"),
        ("{domain: mars}", "pretraining.domain = 'mars': is not listed under 'domains'"),
        ("{classifier: {learning_rate: -1.0}}", "pretraining.classifier.learning_rate = -1.0"),
        ("{classifier: {colour: 1}}", "pretraining.classifier.colour = 1"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, section, line):
    (tmp_path / "overlay.yaml").write_text(f"pretraining: {section}")
    with pytest.raises(ConfigError) as caught:
        load_varied(tmp_path / "overlay.yaml")
    (found,) = caught.value.lines
    assert line in found


def test_the_recipe_changes_what_the_section_says():
    config = load_varied()
    recipe = pretraining_recipe(config.pretraining, config.classifier)
    changed = {
        key: value
        for key, value in recipe.model_dump().items()
        if value != config.classifier.model_dump()[key]
    }
    assert changed == {"epochs": config.pretraining.epochs, **config.pretraining.classifier}
