"""Typed configuration: every key with its type, unit and bounds, checked before any job starts."""

from lensml.schema.config import Config, load_config, read_config
from lensml.schema.errors import ConfigError

__all__ = ["Config", "ConfigError", "load_config", "read_config"]
