"""Attribution's section: what `all` means, and mistakes in it."""

from __future__ import annotations

import pytest
from toy.configuration import configured

from lensml.schema import ConfigError
from lensml.schema.yaml_reader import deep_merge


def test_all_means_what_the_classifier_has() -> None:
    config = configured({"classifier": {"encoders": ["vit_conv_stem", "cnn"], "seeds": [3, 4]}})
    assert config.attributed("encoders") == ["vit_conv_stem", "cnn"]
    assert config.attributed("seeds") == [3, 4]
    assert config.attributed("domains") == ["euclid"]
    assert configured({"attribution": {"seeds": [0]}}).attributed("seeds") == [0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"domains": ["hst"]},
            "attribution.domains = 'hst': is not listed under 'classifier.domains'",
        ),
        (
            {"encoders": ["vit"]},
            "attribution.encoders = 'vit': is not listed under 'classifier.encoders'",
        ),
        ({"seeds": [7]}, "attribution.seeds = '7': is not listed under 'classifier.seeds'"),
        ({"methods": ["occlusion"]}, "attribution.methods"),
        ({"n_images": 1}, "attribution.n_images = 1"),
    ],
)
def test_mistakes_are_one_line(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        configured({"attribution": changes})
    assert len(error.value.lines) == 1
    assert message in error.value.lines[0]


def test_an_encoder_that_has_none_of_the_methods_is_refused() -> None:
    changes = {
        "classifier": {"encoders": ["vit_conv_stem", "cnn"]},
        "attribution": {"methods": ["rollout"]},
    }
    with pytest.raises(ConfigError, match="encoder 'cnn' has none of them") as error:
        configured(changes)
    assert len(error.value.lines) == 1
    chosen = deep_merge(changes, {"attribution": {"encoders": ["vit_conv_stem"]}})
    assert configured(chosen).attribution.methods == ["rollout"]
