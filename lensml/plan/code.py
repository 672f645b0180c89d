"""Code that a table or figure is made by: it is remade when this changes."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def code_of(module: str) -> list[str]:
    """A module and what it imports of its own floor and of ``lensml.tables``, as files.

    Args:
        module: dotted, below ``lensml``: ``figures.roc``. What lies on other floors is left out,
            so that a change of the simulator remakes no table.

    Raises:
        ValueError: there is no such module.
    """
    floor = module.split(".", maxsplit=1)[0]
    found: dict[str, None] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = None
            waiting += sorted(_imported(name, floor), reverse=True)
    return [str(_file(name)) for name in found]


def _file(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split(".")).with_suffix(".py")
    if not path.exists():
        raise ValueError(f"lensml.{module}: there is no such module; expected {path}")
    return path


@cache
def _imported(module: str, floor: str) -> frozenset[str]:
    """Modules of a floor that a module imports by name."""
    tree = ast.parse(_file(module).read_text(encoding="utf-8"))
    names = [n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module]
    near = (f"lensml.{floor}.", "lensml.tables")
    return frozenset(name.removeprefix("lensml.") for name in names if name.startswith(near))
