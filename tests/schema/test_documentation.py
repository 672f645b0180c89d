"""Every key of the configuration says what it means, and so do the files made of the schema."""

from __future__ import annotations

import re

import pytest
from toy.configuration import CONFIG_DIR, DEFAULT

from lensml.schema.__main__ import documents
from lensml.schema.descriptions import described
from lensml.schema.json_schema import config_schema
from lensml.schema.key_tables import TABLE, table, with_tables
from lensml.schema.training import Classifier
from lensml.schema.yaml_reader import read_yaml

SCHEMA = config_schema()
README = (CONFIG_DIR / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(SCHEMA["$defs"]))
def test_every_key_says_what_it_means(name):
    silent = [k for k, v in SCHEMA["$defs"][name]["properties"].items() if "description" not in v]
    assert not silent, f"write a string below the field of {name}"


@pytest.mark.parametrize("path", documents(CONFIG_DIR), ids=lambda path: path.name)
def test_files_made_of_the_schema_are_as_it_makes_them(path):
    made = documents(CONFIG_DIR)[path]
    assert path.read_text(encoding="utf-8") == made, "python -m lensml.schema makes it anew"


@pytest.mark.parametrize("name", SCHEMA["properties"])
def test_every_section_has_a_table(name):
    tables = {found[1] for found in TABLE.findall(README)}
    node = SCHEMA["properties"][name]
    if name == "encoders":
        wanted = {option["$ref"] for option in node["additionalProperties"]["anyOf"]}
        wanted = {reference.rpartition("/")[2] for reference in wanted}
    else:
        wanted = {name} if "$ref" in node else set()
    assert wanted <= tables


def test_the_catalogue_and_its_alternatives_have_tables():
    tables = {found[1] for found in TABLE.findall(README)}
    assert {"Instrument", "Population", "DomainFile"} <= tables
    assert {"CdmPoints", "CdmTnfw", "VortexPoints", "VortexLine"} <= tables


def test_a_key_of_the_base_is_described_in_what_is_derived_from_it():
    assert described(Classifier)["batch_size"].startswith("Images of one step")
    assert set(described(Classifier)) == set(Classifier.model_fields)


def test_a_row_has_default_bounds_and_meaning():
    rows = table("fit", SCHEMA, read_yaml(DEFAULT)).splitlines()
    (row,) = [row for row in rows if row.startswith("| `potential.n_modes`")]
    cells = [cell.strip(" |") for cell in row.split(" | ")]
    assert cells[1].startswith("Waves across the field")
    assert cells[2:] == ["`8`", "whole number ≥ 1, ≤ 16"]


def test_a_table_of_no_section_is_refused():
    with pytest.raises(KeyError, match="fitt"):
        with_tables("<!-- keys of fitt -->\n<!-- end of keys -->", SCHEMA, {})


def test_a_key_that_the_text_names_is_one():
    sections = {k: v["$ref"] for k, v in SCHEMA["properties"].items() if "$ref" in v}
    named = [pair for pair in re.findall(r"`(\w+)\.(\w+)`", README) if pair[0] in sections]
    named = [(section, key) for section, key in named if key not in ("yaml", "csv", "html", "md")]
    assert len(named) > 20
    for section, key in named:
        properties = SCHEMA["$defs"][sections[section].rpartition("/")[2]]["properties"]
        assert key in properties, f"{section}.{key}"
