"""lensml: dark-matter substructure in gravitational lenses, from physics priors to figures."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("lensml")
except PackageNotFoundError:  # imported from a source tree that was never installed
    __version__ = "0+uninstalled"
