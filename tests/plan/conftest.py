"""The shipped configuration with overlays, for the tests of what it asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from toy.configuration import CATALOGUE, CONFIG_DIR

from lensml.schema import Config, load_config
from lensml.schema.yaml_reader import deep_merge, read_yaml

Make = Callable[..., Config]


@pytest.fixture(scope="module")
def config() -> Make:
    """Factory: the shipped configuration with overlays (that of varied lenses) and changes."""

    def make(*overlays: str, **changes: Any) -> Config:
        names = ("config", *(overlays or ("deeplense_varied",)))
        files = [CONFIG_DIR / f"{name}.yaml" for name in names]
        merged: dict[str, Any] = {}
        for file in files:
            merged = deep_merge(merged, read_yaml(file))
        merged = deep_merge(merged, {"run": None, **changes})
        return load_config(merged, catalogue_dir=CATALOGUE, files=files)

    return make
