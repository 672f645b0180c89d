"""The tests mirror the package, in short files that do not import each other."""

from __future__ import annotations

import ast

from toy.configuration import ROOT

TESTS = ROOT / "tests"
OWN = {"toy", "workflow"}  # what tests share, and what runs Snakemake
LONGEST = 400  # lines


def imported(text: str) -> set[str]:
    """Names of the modules that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def test_files_of_tests_are_short_and_import_no_other():
    texts = {path.relative_to(TESTS).as_posix(): path.read_text() for path in TESTS.rglob("*.py")}
    assert [name for name, text in texts.items() if len(text.splitlines()) > LONGEST] == []
    others = ("test_", "tests", "conftest")
    found = {name: [m for m in imported(t) if m.startswith(others)] for name, t in texts.items()}
    assert {name: modules for name, modules in found.items() if modules} == {}


def test_the_folders_of_the_tests_are_those_of_the_package():
    package = {path.parent.relative_to(ROOT / "lensml") for path in ROOT.glob("lensml/**/*.py")}
    folders = {path.parent.relative_to(TESTS) for path in TESTS.glob("**/*.py")}
    assert {str(folder) for folder in folders - package} == OWN
