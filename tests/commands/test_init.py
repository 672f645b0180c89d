"""lensml init: a project as a whole or not at all, of the version that is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from toy.configuration import ROOT

from lensml import __version__, provenance
from lensml.commands.main import main
from lensml.shipped import PARTS, VERSION_FILE, version_problem


def files_below(folder: Path) -> set[str]:
    paths = (p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    return {p.as_posix() for p in paths if "__pycache__" not in p.parts}


def test_a_project_holds_what_the_checkout_does(tmp_path, capsys):
    folder = tmp_path / "my lenses"
    assert main(["init", str(folder)]) == 0
    assert f"cd {folder}" in capsys.readouterr().out
    whole = {name for part in PARTS for name in below(part)}
    assert files_below(folder) == {*whole, VERSION_FILE}
    for name in whole:
        assert (folder / name).read_bytes() == (ROOT / name).read_bytes()


def below(part: str) -> set[str]:
    path = ROOT / part
    return {part} if path.is_file() else {f"{part}/{name}" for name in files_below(path)}


def test_everything_that_a_rule_names_beside_itself_is_in_a_project():
    named = {"docs/captions", "workflow_scripts", "envs", "config", "rules"}
    assert named <= {part if (ROOT / part).is_dir() else part.split("/")[0] for part in PARTS}
    assert {p.as_posix() for p in map(Path, PARTS) if not (ROOT / p).exists()} == set()
    assert {f"envs/{path.name}" for path in (ROOT / "envs").glob("*.yaml")} <= set(PARTS)


def test_an_empty_folder_is_taken_and_stays_the_same_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = tmp_path.stat().st_ino
    assert main(["init", "."]) == 0
    assert (Path.cwd().stat().st_ino, Path("Snakefile").is_file()) == (before, True)


def test_a_folder_that_holds_anything_is_refused_in_one_line(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("mine")
    assert main(["init", str(tmp_path)]) == 1
    line = f"lensml init: {tmp_path} is not empty; name one that is, or a new one\n"
    assert capsys.readouterr().err == line
    assert files_below(tmp_path) == {"thesis.tex"}


def test_a_file_is_refused_in_one_line(tmp_path, capsys):
    (tmp_path / "x").write_text("mine")
    assert main(["init", str(tmp_path / "x")]) == 1
    assert capsys.readouterr().err == f"lensml init: File exists: '{tmp_path / 'x'}'\n"


@pytest.mark.parametrize("there", [True, False])
def test_a_copy_that_fails_leaves_the_folder_as_it_was(tmp_path, monkeypatch, capsys, there):
    broken = tmp_path / "installed"
    shutil.copytree(ROOT / "rules", broken / "rules")
    shutil.copy(ROOT / "Snakefile", broken)  # and no more of it
    monkeypatch.setattr("lensml.commands.init.workflow_folder", lambda: broken)
    folder = tmp_path / "x"
    if there:
        folder.mkdir()
    assert main(["init", str(folder)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "No such file or directory" in line
    assert "workflow_scripts" in line
    assert folder.exists() == there
    assert not there or not any(folder.iterdir())


def test_a_project_of_another_version_is_told_apart(tmp_path):
    main(["init", str(tmp_path)])
    assert version_problem(tmp_path, __version__) is None
    assert version_problem(ROOT, __version__) is None
    line = version_problem(tmp_path, "99.0")
    assert line is not None
    assert f"written by lensml {__version__}, installed is 99.0; pip install" in line


def test_in_a_project_its_own_configuration_is_checked(tmp_path, monkeypatch, capsys):
    main(["init", str(tmp_path)])
    monkeypatch.chdir(tmp_path)
    shutil.copy("config/catalogue/domains/hst.yaml", "config/catalogue/domains/mine.yaml")
    Path("my.yaml").write_text("domains: [euclid_l1, hst_l1, mine]\n")
    assert main(["check", "my.yaml"]) == 0
    monkeypatch.chdir("..")
    assert main(["check", f"{tmp_path}/my.yaml"]) == 1
    assert "mine" in capsys.readouterr().err


def test_an_installed_package_takes_no_commit_of_the_repository_around_it(tmp_path, monkeypatch):
    package = tmp_path / ".venv/lib/lensml"
    package.mkdir(parents=True)
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    identity = ["-c", "user.name=me", "-c", "user.email=me@example.org"]
    for command in (["init", "-q"], [*identity, "commit", "-q", "--allow-empty", "-m", "mine"]):
        subprocess.run(["git", *command], cwd=tmp_path, env=environment, check=True)
    monkeypatch.setattr(provenance, "__file__", str(package / "provenance.py"))
    assert provenance.git_commit() is None
    (package.parent / "pyproject.toml").touch()
    assert provenance.git_commit() is not None
