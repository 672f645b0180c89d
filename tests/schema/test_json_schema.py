"""The JSON schema takes what the loader takes and refuses what it refuses, as far as it can."""

from __future__ import annotations

import re

import pytest
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from toy.configuration import CONFIG_DIR

from lensml.schema.catalogue import KINDS
from lensml.schema.json_schema import config_schema, entry_schema
from lensml.schema.yaml_reader import read_yaml

SCHEMA = config_schema()
OVERLAYS = sorted(CONFIG_DIR.glob("*.yaml"))
RECORDS = sorted((CONFIG_DIR.parent / "docs/results").glob("**/best.yaml"))
ENTRIES = sorted((CONFIG_DIR / "catalogue").glob("*/*.yaml"))
MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+)")
VALIDATOR = Draft202012Validator(SCHEMA)


def problems(text: str) -> list[str]:
    """What the schema has against an overlay."""
    return [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(text))]


def test_the_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", OVERLAYS, ids=lambda path: path.stem)
def test_every_shipped_overlay_meets_it(path):
    VALIDATOR.validate(read_yaml(path))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.parent.name)
def test_an_overlay_that_a_search_ended_in_meets_it(path):
    VALIDATOR.validate(read_yaml(path))


@pytest.mark.parametrize("path", ENTRIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_entry_of_the_catalogue_meets_its_own(path):
    folder = path.parent.as_uri()
    registry = Registry().with_resource(
        f"{CONFIG_DIR.as_uri()}/schema.json", Resource.from_contents(SCHEMA)
    )
    own = {"$id": f"{folder}/schema.json", **entry_schema(path.parent.name)}
    validator = Draft202012Validator(own, registry=registry)
    content = read_yaml(path)
    validator.validate(content)
    assert not validator.is_valid({**content, "labels": "misspelt"})


@pytest.mark.parametrize("path", [*OVERLAYS, *ENTRIES], ids=lambda path: path.stem)
def test_every_shipped_file_names_its_schema_to_editors(path):
    found = MODELINE.fullmatch(path.read_text(encoding="utf-8").split("\n", 1)[0])
    assert found, "the first line is '# yaml-language-server: $schema=schema.json'"
    assert (path.parent / found[1]).is_file()


@pytest.mark.parametrize(
    "text",
    [
        "clasifier: {epochs: 3}",
        "classifier: {epoch: 3}",
        "fit: {potential: {n_mode: 4}}",
        "encoders: {vit: {kind: cnn, depth: 3}}",
        "encoders: {vit: {dept: 3}}",
        "ablation: {variants: {x: {classifier: {ema: 0.5}}}}",
        "misspecification: {cases: {x: {population_changes: {lens: {gama: 2.0}}}}}",
        "catalogue: {instruments: {hst: {psf: 0.2}}}",
        "catalogue: {domains: {mine: {population_changes: {cdm: {fsub: 0.1}}}}}",
        "adaptation: {pairs: [{source: euclid, targget: hst}]}",
    ],
)
def test_a_key_that_is_misspelt_is_refused(text):
    assert problems(text)


@pytest.mark.parametrize(
    "text",
    [
        "classifier: {epochs: 0}",
        "classifier: {augment: 1}",
        "tasks: [classify]",
        "classifier: null",
        "limit: {domains: every}",
        "compute: {device: gpu}",
        "adaptation: {methods: [all]}",
        "figures: {color_map: jet}",
        "catalogue: {instruments: {hst: {psf_fwhm: 100.0}}}",
        "catalogue: {populations: {p: {lens: {gamma: 5.0}}}}",
        "limit: {magnitudes: [3.0]}",
    ],
)
def test_a_value_that_is_not_allowed_is_refused(text):
    assert problems(text)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "run: null",
        "encoders: {vit: {depth: 3}}",
        "encoders: {new: {kind: timm, model_name: resnet18}}",
        "fit: {potential: null}",
        "ablation: {variants: {no_ema: null}}",
        "misspecification: {cases: {psf_too_wide: null}}",
        "adaptation: {methods: all}",
        "limit: {domains: all}",
        "limit: {domains: [euclid]}",
        "attribution: {seeds: [0]}",
        "catalogue: {populations: {p: {lens: {gamma: {dist: normal, mean: 2.0, std: 0.1}}}}}",
        "catalogue: {populations: {p: {lens: {gamma: {low: 1.9}}}}}",
        "catalogue: {domains: {mine: {files: {folder: images}}}}",
        "search: {space: {encoder.depth: {low: 1, high: 3}, encoder.x: {choices: [a, null]}}}",
    ],
)
def test_a_part_of_a_configuration_meets_it(text):
    assert not problems(text)


def test_no_key_must_be_there_and_none_is_unknown():
    for section in (SCHEMA, *SCHEMA["$defs"].values()):
        assert "required" not in section
        assert section["additionalProperties"] is False
    assert {kind.__name__ for kind in KINDS.values()} <= SCHEMA["$defs"].keys()
