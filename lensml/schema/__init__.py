"""Typed configuration: every key with its type, unit and bounds, checked before any job starts."""

from lensml.schema.config import Config
from lensml.schema.errors import ConfigError
from lensml.schema.reading import load_config, read_config

__all__ = ["Config", "ConfigError", "load_config", "read_config"]
