"""lensml: dark-matter substructure in gravitational lenses, from physics priors to figures."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

try:
    __version__ = version("lensml")
except PackageNotFoundError:  # imported from a source tree that was never installed
    __version__ = "0+uninstalled"

# What is public besides: name -> module. Their types stand in __init__.pyi.
_PUBLIC = {
    "load": "lensml.evaluation.classification.loading",
    "model_lens": "lensml.modelling.observed",
    "open_store": "lensml.data.store",
    "predict": "lensml.evaluation.prediction",
    "push_to_hub": "lensml.evaluation.cards.hub",
}


def __getattr__(name: str) -> Any:
    """What is public, imported when it is asked for: torch takes seconds."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'lensml' has no attribute '{name}'")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_PUBLIC]
