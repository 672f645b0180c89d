"""YAML: its traps, merging, and names that become parts of paths."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from toy.configuration import CATALOGUE, DEFAULT, load_varied

from lensml.schema import ConfigError, read_config
from lensml.schema.base import Name
from lensml.schema.yaml_reader import deep_merge, from_workflow, read_yaml


@pytest.mark.parametrize(
    ("text", "key", "lines"),
    [
        ("seed: 1\nfigures: {dpi: 80}\nseed: 2\n", "seed", "lines 1 and 3"),
        ("classifier:\n  epochs: 2\n  seeds: [1]\n  epochs: 3\n", "epochs", "lines 2 and 4"),
    ],
)
def test_a_key_given_twice_is_refused_with_both_lines(problem, tmp_path, text, key, lines):
    expected = f"{tmp_path / 'overlay.yaml'}: key '{key}' appears twice ({lines}); remove one"
    assert problem(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "seed: !!python/object/apply:os.getpid []",
        "seed: !!python/name:os.getpid",
        "seed: !!python/tuple [1, 2]",
        "seed: !mine 1",
    ],
)
def test_tags_are_refused(problem, tmp_path, text):
    line = problem(text)
    assert line.startswith(f"{tmp_path / 'overlay.yaml'}:1: could not determine a constructor")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("a: [", ":1: "),
        ("- a\n- b", "should hold 'key: value' pairs, found list"),
        ("just text", "should hold 'key: value' pairs, found str"),
        ("? [a, b]\n: 1", "key ['a', 'b'] is not text"),
    ],
)
def test_a_file_that_is_no_mapping_is_one_line(problem, tmp_path, text, rule):
    line = problem(text)
    assert line.startswith(str(tmp_path / "overlay.yaml"))
    assert rule in line


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(ConfigError) as caught:
        read_yaml(tmp_path / "none.yaml")
    assert caught.value.lines == [
        f"{tmp_path / 'none.yaml'}: cannot be read (No such file or directory)"
    ]


def test_a_file_that_is_not_text_is_one_line(tmp_path):
    file = tmp_path / "binary.yaml"
    file.write_bytes("seed: 1\n# Einstein\xb4s\n".encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        read_yaml(file)
    assert caught.value.lines == [f"{file}:2: byte 0xb4 is not UTF-8 text; save the file as UTF-8"]


def test_a_tab_is_named_with_its_line_and_what_to_write(problem, tmp_path):
    line = problem("seed: 1\nclassifier:\n\tepochs: 3\n")
    assert line.startswith(f"{tmp_path / 'overlay.yaml'}:3: ")
    assert line.endswith("indent with spaces, YAML takes no tabs")


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_an_empty_file_is_refused_as_snakemake_refuses_it(problem, tmp_path, text):
    expected = f"{tmp_path / 'overlay.yaml'}: is empty; write 'key: value' pairs, or {{}} for none"
    assert problem(text) == expected


def test_an_overlay_without_pairs_changes_nothing(load):
    assert load("{}\n") == load_varied()


TREES = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)
MAPPINGS = st.dictionaries(st.sampled_from("abcd"), TREES, max_size=3)


@given(base=MAPPINGS, changes=MAPPINGS)
def test_merging_keeps_what_is_not_changed_and_the_overlay_wins(base, changes):
    merged = deep_merge(base, changes)
    assert set(merged) == set(base) | set(changes)
    for key in merged:
        if key not in changes:
            assert merged[key] == base[key]
        elif isinstance(changes[key], dict) and isinstance(base.get(key), dict):
            assert merged[key] == deep_merge(base[key], changes[key])
        else:
            assert merged[key] == changes[key]
    assert deep_merge(merged, changes) == merged


# Text of any kind, and text that is nearly a name.
NAMES = st.text(max_size=80) | st.from_regex(r"[A-Za-z0-9._/~ -]{1,70}", fullmatch=True)


@given(name=NAMES)
def test_a_name_that_is_allowed_is_one_harmless_part_of_a_path(name):
    allowed = re.compile("[A-Za-z0-9][A-Za-z0-9._-]*")  # what a shell and a URL take as well
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError:
        assert not allowed.fullmatch(name) or len(name) > 64
    else:
        assert allowed.fullmatch(name)
        assert len(name) <= 64
        assert Path(name).parts == (name,)


@pytest.mark.parametrize(
    "name",
    [
        *(".", "..", "", "-rf", "a b", "é", "a" * 65, "~", "a/../b", "a\nb", "$(id)"),
        "a\n",
    ],
)
def test_names_that_are_no_part_of_a_path_are_refused(load, name):
    with pytest.raises(ConfigError, match="names become folders"):
        load(f"domains: [euclid, hst, {json.dumps(name)}]")


def test_what_another_workflow_hands_over_is_read_as_from_a_file():
    handed = OrderedDict(lr="1e-4", label="Euclid: wide", yes="no", where=Path("a/b"), n=[1, None])
    read = from_workflow(handed)
    assert read == {**handed, "lr": 1e-4, "where": "a/b"}


def test_what_another_workflow_hands_over_wins_over_the_default():
    read = read_config([DEFAULT], catalogue_dir=CATALOGUE, module={"seed": 7, "run": "inner"})
    assert (read.seed, read.results) == (7, "results/inner")
    with pytest.raises(ConfigError, match="config of the module: seed = -1: "):
        read_config([DEFAULT], catalogue_dir=CATALOGUE, module={"seed": -1})
