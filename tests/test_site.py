"""The site: it is built without a warning, its links lead somewhere, what it shows is right."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from toy.configuration import CATALOGUE, DEFAULT, ROOT

from lensml.schema import read_config

HOW_TO = sorted((ROOT / "docs" / "how-to").glob("*.md"))


def overlays() -> Iterator[tuple[str, str]]:
    """Page and text of every configuration that a how-to shows."""
    for page in HOW_TO:
        for block in re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            yield page.stem, block


def built(folder: Path) -> subprocess.CompletedProcess[str]:
    """MkDocs on the pages as they are, with warnings as errors."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_asks_for_nothing_from_elsewhere(tmp_path):
    done = built(tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    pages = {path: path.read_text("utf-8") for path in tmp_path.rglob("*.html")}
    assert len(pages) > 40
    for path, text in pages.items():
        loaded = re.findall(r"<(?:script|img|link)[^>]*? (?:src|href)=\"?([^\" >]+)", text)
        assert not [source for source in loaded if re.match(r"(https?:)?//", source)], path
        if path.name != "404.html":
            lost = [link for link in links_of(text) if not leads(path, link, pages)]
            assert not lost, f"{path.relative_to(tmp_path)}: {lost}"


def links_of(text: str) -> list[str]:
    """What a page links to within the site."""
    found = re.findall(r"<(?:a|img)[^>]*? (?:href|src)=\"?([^\" >]+)", text)
    return [unquote(html.unescape(link)) for link in found if not re.match(r"[a-z]+:", link)]


def leads(page: Path, link: str, pages: dict[Path, str]) -> bool:
    """Whether a file or a place in a page is where a link leads."""
    target, _, anchor = link.partition("#")
    path = (page.parent / target).resolve() if target else page
    if not anchor or anchor == "__skip":
        return path.exists()
    return (
        path in pages and re.search(rf"id=\"?{re.escape(anchor)}[\" >]", pages[path]) is not None
    )


@pytest.mark.parametrize(("page", "text"), list(overlays()))
def test_a_configuration_that_a_page_shows_is_right(page, text, tmp_path):
    name = re.match(r"# (\w+\.yaml)", text)
    assert name, page
    overlay = tmp_path / name[1]
    overlay.write_text(text, encoding="utf-8")
    config = read_config([DEFAULT, overlay], catalogue_dir=CATALOGUE)
    assert config.run == overlay.stem


@pytest.mark.parametrize("page", HOW_TO, ids=lambda page: page.stem)
def test_a_file_that_a_page_names_is_there(page):
    named = re.findall(r"`((?:config|lensml|docs)/[\w./]+)`", page.read_text("utf-8"))
    assert not [path for path in named if not (ROOT / path).exists()]


def test_every_record_that_can_be_made_again_is_named_with_its_command():
    text = (ROOT / "docs" / "how-to" / "paper-table.md").read_text("utf-8")
    rows = re.findall(r"^\| (`.+?) \| (`snakemake.*?) \|$", text, re.MULTILINE)
    assert len(rows) > 8
    for records, commands in rows:
        for record in re.findall(r"`(\w+)`", records):
            assert (ROOT / "docs" / "results" / record).is_dir()
        for overlay in re.findall(r"config/\w+\.yaml", commands):
            assert (ROOT / overlay).is_file()
