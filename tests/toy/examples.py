"""Code that the guides show."""

from __future__ import annotations

import re
from pathlib import Path


def example(document: Path, language: str, word: str) -> str:
    """The one block of code of a document that has a word."""
    text = document.read_text(encoding="utf-8")
    found = [b for b in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL) if word in b]
    assert len(found) == 1
    return found[0]
