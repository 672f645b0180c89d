"""Processes of a test run: what they share is made once, and one that dies is a failure."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from toy.configuration import ROOT
from toy.shared import made_once

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
ASK = """
import sys, time
from pathlib import Path
from toy.shared import made_once

def make(folder):
    time.sleep(0.5)
    with (folder / "makers").open("a") as file:
        file.write("one ")

print((made_once(Path(sys.argv[1]), make) / "makers").read_text())
"""
# The process that replaces the first to die is still collecting while the second dies.
CONFTEST = """
import os, pathlib, time
from toy.schedule import LongFirst

def pytest_xdist_make_scheduler(config, log):
    return LongFirst(config, log)

def pytest_collection(session):
    if os.environ.get("PYTEST_XDIST_WORKER") == "gw2":
        pathlib.Path("collecting").touch()
        time.sleep(2)
"""
TESTS = """
import os, pathlib, time, pytest

@pytest.mark.parametrize("k", range(4))
def test_one(k):
    if k == 1:
        while PLACE == "workflow" and not pathlib.Path("collecting").exists():
            time.sleep(0.1)
        os._exit(0)
"""


def test_a_folder_is_made_by_the_first_process_that_asks_while_others_wait(tmp_path):
    command = [sys.executable, "-c", ASK, str(tmp_path / "shared")]
    asking = [
        subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [process.communicate(timeout=60)[0].split() for process in asking] == [["one"]] * 3


def test_what_cannot_be_made_fails_for_everyone(tmp_path):
    def fail(folder: Path) -> None:
        raise ValueError(f"no {folder.name} today")

    with pytest.raises(ValueError, match="no shared today"):
        made_once(tmp_path / "shared", fail)
    with pytest.raises(pytest.fail.Exception, match="could not be made: no shared today"):
        made_once(tmp_path / "shared", Path.mkdir)


def test_a_test_at_which_its_process_dies_fails_and_the_others_are_run(tmp_path):
    (tmp_path / "conftest.py").write_text(CONFTEST)
    for folder in ("workflow", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"test_{folder}.py").write_text(TESTS.replace("PLACE", repr(folder)))
    command = [sys.executable, "-m", "pytest", "-n", "2", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(
        command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert len(re.findall(r"^FAILED \S+_one\[1\]", done.stdout, re.MULTILINE)) == 2
    assert "2 failed, 6 passed" in done.stdout.splitlines()[-1]
