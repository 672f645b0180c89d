"""Nothing in the product runs what a file or a configuration says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from toy.configuration import ROOT

from lensml.schema.yaml_reader import _StrictLoader

UNSAFE = {
    "pickled tensors": r"weights_only\s*=\s*False",
    "pickled arrays": r"allow_pickle\s*=\s*True",
    "pickle": r"\bpickle\.loads?\(|\bjoblib\.load\(|read_pickle\(",
    # The one loader of its own is a SafeLoader that refuses duplicate keys.
    "YAML that makes objects": (
        r"yaml\.(load\((?!.*Loader=_StrictLoader\))|unsafe_load\(|full_load\()"
        r"|yaml\.(Unsafe|Full)?Loader\b"
    ),
    "a shell": r"shell\s*=\s*True|os\.(system|popen)\(|^\s*shell:",
    "code from text": r"(?<![.\w])(eval|exec)\(",
}


def sources() -> Iterator[Path]:
    for folder in ("lensml", "workflow_scripts"):
        yield from sorted((ROOT / folder).rglob("*.py"))
    yield ROOT / "Snakefile"
    yield from sorted((ROOT / "rules").glob("*.smk"))


@pytest.mark.parametrize("what", UNSAFE)
def test_nothing_runs_what_a_file_says(what):
    pattern = re.compile(UNSAFE[what], re.M)
    found = [str(path.relative_to(ROOT)) for path in sources() if pattern.search(path.read_text())]
    assert not found, f"{what} in {', '.join(found)}"


def test_the_loader_of_configurations_is_a_safe_one():
    assert issubclass(_StrictLoader, yaml.SafeLoader)


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("pickled tensors", "torch.load(path, weights_only=False)"),
        ("pickled arrays", "np.load(path, allow_pickle = True)"),
        ("pickle", "pickle.load(stream)"),
        ("YAML that makes objects", "yaml.load(text, Loader=yaml.Loader)"),
        ("a shell", "    shell:"),
        ("a shell", "subprocess.run(command, shell=True)"),
        ("code from text", "value = eval(text)"),
    ],
)
def test_it_would_be_seen(what, line):
    assert re.search(UNSAFE[what], line, re.M)
    assert not re.search(UNSAFE["code from text"], "model.eval()")
