"""lensml check: what Snakemake cannot name is a line with its file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from toy.configuration import CONFIG_DIR

from lensml.commands.main import main

UNREADABLE = {
    "tab": (b"seed: 1\n\ttasks: [anomaly]\n", ":2: found character '\\t'"),
    "empty": (b"", ": is empty; write 'key: value' pairs"),
    "latin-1": (b"# Moffat\xb4s\nseed: 1\n", ":1: byte 0xb4 is not UTF-8 text"),
    "list": (b"- a\n- b\n", ": should hold 'key: value' pairs, found list"),
    "open bracket": (b"domains: [euclid\n", ":2: "),
    "key twice": (b"seed: 1\nseed: 2\n", ": key 'seed' appears twice (lines 1 and 2)"),
    "comma": (b"simulation: {n_train: 30,000}\n", "write it without (30000)"),
    "unknown key": (b"sede: 1\n", ": sede = 1: unknown key; did you mean 'seed'?"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_file_that_cannot_be_taken_is_one_line_with_its_name(tmp_path, capsys, case):
    content, says = UNREADABLE[case]
    file = tmp_path / "my.yaml"
    file.write_bytes(content)
    assert main(["check", str(file)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"configuration error: {file}:")
    assert says in line


def test_a_file_that_is_not_there_is_one_line(tmp_path, capsys):
    file = tmp_path / "none.yaml"
    assert main(["check", str(file)]) == 1
    line = f"configuration error: {file}: cannot be read (No such file or directory)\n"
    assert capsys.readouterr().err == line


def test_every_file_that_cannot_be_read_is_named(tmp_path, capsys):
    files = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    assert main(["check", *map(str, files)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1] for line in lines] == list(map(str, files))


def test_later_files_win_as_in_the_workflow(tmp_path, capsys):
    wrong, right = tmp_path / "wrong.yaml", tmp_path / "right.yaml"
    wrong.write_text("seed: -1")
    right.write_text("seed: 1")
    assert main(["check", str(wrong), str(right)]) == 0
    assert main(["check", str(right), str(wrong)]) == 1
    assert f"{wrong}: seed = -1" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["smoke", "paper", "model_i"])
def test_shipped_overlays_are_right(capsys, name):
    assert main(["check", str(CONFIG_DIR / f"{name}.yaml")]) == 0
    assert "nothing is wrong" in capsys.readouterr().out


def test_shipped_models_of_timm_cost_no_import_of_torch():
    """Every start of the workflow reads its configuration: seconds would be felt."""
    code = (
        "import sys\nfrom lensml.commands.main import main\nassert main(['check']) == 0\n"
        "print(sorted({'torch', 'timm'} & set(sys.modules)))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
