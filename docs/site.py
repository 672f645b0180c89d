"""What the site is made of beside ``docs/``: pages of the repository, with links that hold there.

A hook of MkDocs, see ``mkdocs.yml``. Nothing is written twice: a page of :data:`PAGES` is taken
from its place, and ``<!-- section of README.md: Two commands -->`` stands for a section of a file.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter

ROOT = Path(__file__).resolve().parents[1]
# Files outside of docs/ -> their pages; what is linked and has none stays as text.
PAGES = {
    "README.md": "docs/index.md",
    "config/README.md": "docs/reference/configuration.md",
    "CONTRIBUTING.md": "docs/contributing.md",
    "CHANGELOG.md": "docs/changelog.md",
    "docs/tutorial.ipynb": "docs/tutorial.md",
    "docs/results": "docs/results.md",
    "docs/results/observed": "docs/results/observed/observed.md",
    "docs/results/limit": "docs/results/limit/limit.md",
    "docs/results/speed": "docs/results/speed/benchmark.md",
}
NOTEBOOKS = ("tutorial",)  # shown as they were run; a test runs them
COPIED = ("config/README.md", "CONTRIBUTING.md", "CHANGELOG.md")
LINK = re.compile(r"\[([^\]\n]*)\]\(([^)\s#]*)(#[^)\s]*)?\)")
SECTION = re.compile(r"<!-- section of (\S+): (.+?) -->")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages whose text lies outside of ``docs/``."""
    for source in COPIED:
        page = PAGES[source]
        text = relinked((ROOT / source).read_text(encoding="utf-8"), source, page)
        files.append(File.generated(config, page.removeprefix("docs/"), content=text))
    for name in NOTEBOOKS:
        files = _with_notebook(files, config, name)
    return files


def _with_notebook(files: Files, config: Any, name: str) -> Files:
    """A page of a notebook of ``docs/``, with its pictures."""
    path = str(ROOT / "docs" / f"{name}.ipynb")
    text, found = MarkdownExporter().from_filename(path)
    for picture, content in found["outputs"].items():
        files.append(File.generated(config, f"{name}_{picture}", content=content))
        text = text.replace(f"]({picture})", f"]({name}_{picture})")
    files.append(File.generated(config, f"{name}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put sections in their places, and lead links to pages of the site."""
    own = f"docs/{page.file.src_uri}"
    text = relinked(markdown, own, own)
    return SECTION.sub(lambda found: relinked(section(*found.groups()), found[1], own), text)


def section(source: str, heading: str) -> str:
    """A section of a file with its heading.

    Args:
        source: file, from the top of the repository.
        heading: of the section, of level 2.

    Raises:
        ValueError: the file has no such section.
    """
    text = (ROOT / source).read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(heading)}\n.*?(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise ValueError(f"{source} has no section '{heading}'")
    return found[0]


def relinked(text: str, source: str, page: str) -> str:
    """A text whose links hold on a page, though they were written for a file elsewhere.

    Args:
        text: Markdown.
        source: file that the links were written for, from the top of the repository.
        page: file that they are to hold in.
    """

    def lead(found: re.Match[str]) -> str:
        words, target, anchor = found.groups(default="")
        if not target or re.match(r"[a-z]+:", target):
            return found[0]
        aim = os.path.normpath(Path(source).parent / target)
        aim = PAGES.get(aim, aim)
        if not aim.startswith("docs/"):
            return words
        return f"[{words}]({os.path.relpath(aim, Path(page).parent)}{anchor})"

    return LINK.sub(lead, text)
