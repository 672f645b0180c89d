"""Fixtures of the tests of the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy.configuration import Load, Problem, load_varied

from lensml.schema import Config, ConfigError


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load the default configuration with an overlay given as YAML text."""

    def check(text: str) -> Config:
        overlay = tmp_path / "overlay.yaml"
        overlay.write_text(text, encoding="utf-8")
        return load_varied(overlay)

    return check


@pytest.fixture
def problem(load: Load) -> Problem:
    """The one line that an overlay's mistake is reported as."""

    def check(text: str) -> str:
        with pytest.raises(ConfigError) as caught:
            load(text)
        (line,) = caught.value.lines
        assert str(caught.value) == line
        assert "\n" not in line
        return line

    return check
