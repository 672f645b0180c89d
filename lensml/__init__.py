"""lensml: dark-matter substructure in gravitational lenses, from physics priors to figures."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lensml.data.store import open_store
    from lensml.evaluation.classification.loading import load

try:
    __version__ = version("lensml")
except PackageNotFoundError:  # imported from a source tree that was never installed
    __version__ = "0+uninstalled"

__all__ = ["__version__", "load", "open_store"]

_PUBLIC = {
    "load": "lensml.evaluation.classification.loading",
    "open_store": "lensml.data.store",
}


def __getattr__(name: str) -> Any:
    """What is public, imported when it is asked for: torch takes seconds."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'lensml' has no attribute '{name}'")
    return getattr(import_module(_PUBLIC[name]), name)
