"""What the keys of a section mean, as it is written below their fields."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache

from pydantic import BaseModel


@cache
def described(section: type[BaseModel]) -> dict[str, str]:
    """Key -> what is written of it in the section or in those that it is derived from.

    Read from the source when it is asked for: no job of the workflow waits for it, as it would
    for pydantic's ``use_attribute_docstrings``.

    Args:
        section: of the configuration.
    """
    found: dict[str, str] = {}
    for kind in reversed(section.__mro__):
        if issubclass(kind, BaseModel) and kind is not BaseModel:
            found |= _own(kind)
    return {key: text for key, text in found.items() if key in section.model_fields}


def _own(kind: type[BaseModel]) -> dict[str, str]:
    """Strings that stand below the fields of a class, each on one line."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    pairs = zip(tree.body, tree.body[1:], strict=False)
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in pairs
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
