"""The house in order: where functions may stand, who may import whom, what is named before use."""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from toy.configuration import ROOT

from lensml.schema.config import TAKEN

PACKAGE = ROOT / "lensml"
RULES = sorted((ROOT / "rules").glob("*.smk"))


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported_by(module: str) -> set[str]:
    """Modules of the package that a module imports, at its top or later, but for types alone."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    typed = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if node in typed or not isinstance(node, ast.ImportFrom | ast.Import):
            continue
        if isinstance(node, ast.Import):
            names = {alias.name for alias in node.names}
        else:
            names = {str(node.module), *(f"{node.module}.{a.name}" for a in node.names)}
        found |= names & MODULES.keys()
    return found - {module}


def order_of(graph: dict[str, set[str]]) -> list[str]:
    """Modules, each after those that it imports.

    Raises:
        CycleError: there is a circle.
    """
    return list(TopologicalSorter(graph).static_order())


def test_there_is_no_circle_of_imports():
    packages = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    # A module imports its package's own file: that is no dependency that anyone wrote.
    graph = {
        name: {other for other in imported_by(name) if not name.startswith(f"{other}.")}
        for name in MODULES.keys() - packages
    }
    graph |= {name: imported_by(name) for name in packages}
    assert len(order_of(graph)) == len(MODULES)


def test_a_circle_would_be_found():
    with pytest.raises(CycleError):
        order_of({"a": {"b"}, "b": {"c"}, "c": {"a"}})


def test_plans_import_the_schema_and_physics_alone():
    floors = {
        other.split(".")[1]
        for name in MODULES
        if name.startswith("lensml.plan.")
        for other in imported_by(name)
    }
    assert floors <= {"plan", "schema", "physics"}


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_functions_stand_in_common_smk_alone(path):
    defined = re.findall(r"^ *def (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert bool(defined) == (path.stem == "common")


def test_no_name_is_used_before_the_file_that_makes_it():
    """Names that rule files assign are used in the same file or in later ones."""
    included = re.findall(r'^include: "(.+)"$', (ROOT / "Snakefile").read_text(), re.MULTILINE)
    assert sorted(included) == [f"rules/{path.name}" for path in RULES]
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in included}
    made = {
        word: place
        for place, name in enumerate(included)
        for word in re.findall(r"^([A-Z][A-Z_]+) = ", texts[name], re.MULTILINE)
    }
    for place, name in enumerate(included):
        for word in set(re.findall(r"\b[A-Z][A-Z_]+\b", texts[name])) & made.keys():
            assert made[word] <= place, f"{name} uses {word}, which {included[made[word]]} makes"


def test_every_script_belongs_to_a_rule():
    named = {
        name
        for path in RULES
        for name in re.findall(r'workflow_scripts/(\w+\.py)"', path.read_text(encoding="utf-8"))
    }
    assert named == {path.name for path in (ROOT / "workflow_scripts").glob("*.py")}


def test_no_test_file_is_long_or_imports_another():
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 400, path
        assert not re.search(r"^(from|import) (\w+\.)*test_", text, re.MULTILINE), path


RULE = re.compile(r"^(?:use rule \w+ as |rule )(\w+).*?:\n(.*?)(?=^\S|\Z)", re.M | re.S)


def test_a_rule_without_fits_among_its_inputs_sees_images_alone():
    networks = 0
    for path in RULES:
        for name, body in RULE.findall(path.read_text(encoding="utf-8")):
            if "setting(w" in body and "IMAGE" not in body:
                networks += 1
                waits = ("seen", "limit/fits")
                assert any(word in body for word in waits), f"{path.name}: {name}"
    assert networks > 10


def test_every_rule_says_in_a_line_what_it_makes():
    """For ``snakemake --list-rules``; a rule that is made of another would take over its line."""
    texts = [path.read_text(encoding="utf-8") for path in [ROOT / "Snakefile", *RULES]]
    bodies = [rule for text in texts for rule in RULE.findall(text)]
    said = {name: re.match(r' {4}"""(.+\.)"""\n', body) for name, body in bodies}
    assert [name for name, line in said.items() if line is None] == []
    lines = [line[1] for line in said.values() if line]
    assert len(lines) > 100
    assert len(set(lines)) == len(lines)


def test_no_run_may_have_the_name_of_a_folder_of_results():
    folder = re.compile(r"(?:<results>/|_below\(f?\"|results\) / \")([a-z_]+)")
    files = [*RULES, *(PACKAGE / "plan").glob("*.py")]
    used = {name for file in files for name in folder.findall(file.read_text("utf-8"))}
    assert used == set(TAKEN)
