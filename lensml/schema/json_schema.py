"""The configuration as JSON schema, for editors: keys, what they mean, what they may be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic.json_schema import models_json_schema

from lensml.schema.base import Section
from lensml.schema.catalogue import KINDS
from lensml.schema.config import ConfigFile
from lensml.schema.descriptions import described
from lensml.schema.training import ClassifierRecipe

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ENCODERS = ("VitConvStem", "Vit", "Cnn", "Timm")
# Mappings that hold changes of a section, which is known when they are merged over it.
CHANGES: dict[tuple[str, str], tuple[str, ...]] = {
    ("Variant", "encoder_changes"): ENCODERS,
    ("Variant", "classifier"): ("ClassifierRecipe",),
    ("Variant", "network_input"): ("NetworkInput",),
    ("Pretraining", "classifier"): ("ClassifierRecipe",),
    ("Case", "population_changes"): ("Population",),
    ("Case", "fit"): ("Fit",),
    ("DomainFile", "instrument_changes"): ("Instrument",),
    ("DomainFile", "population_changes"): ("Population",),
}
# What is not of use, or not true, of a file that is merged over another: no key must be there
# (nor decides one which of several sections is meant), and defaults are those of the other file.
LEFT_OUT = ("required", "default", "discriminator")


def config_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a configuration file, which may hold any of the keys."""
    roots: list[type[Section]] = [ConfigFile, *KINDS.values(), ClassifierRecipe]
    _, whole = models_json_schema([(root, "validation") for root in roots])
    sections = {name: _section(name, content) for name, content in whole["$defs"].items()}
    top = sections.pop("ConfigFile")
    title = {"$schema": DIALECT, "title": "A configuration of lensml"}
    return {**title, **top, "$defs": sections}


def entry_schema(kind: str) -> dict[str, Any]:
    """JSON schema of a file of the catalogue, beside which it lies.

    Args:
        kind: folder of the catalogue.
    """
    return {"$schema": DIALECT, "$ref": f"../../schema.json#/$defs/{KINDS[kind].__name__}"}


def _section(name: str, content: dict[str, Any]) -> dict[str, Any]:
    """A section with what its keys mean, and with what changes of other sections may hold."""
    properties = _partial(content["properties"])
    for key, text in described(_kinds()[name]).items():
        inner = {k: v for k, v in properties[key].items() if k != "title"}
        if (name, key) in CHANGES:
            inner = _any_of(CHANGES[name, key])
        elif name == "Catalogue":
            inner = {"type": "object", "additionalProperties": _any_of((KINDS[key].__name__,))}
        properties[key] = {"description": text, **inner}
    kept = {key: content[key] for key in ("description", "type", "additionalProperties")}
    return {**kept, "properties": properties}


def _any_of(names: tuple[str, ...]) -> dict[str, Any]:
    references = [{"$ref": f"#/$defs/{name}"} for name in names]
    return references[0] if len(references) == 1 else {"anyOf": references}


def _partial(node: Any) -> Any:
    """A schema that a part of what it stands for meets: one of several may then be any."""
    if isinstance(node, list):
        return [_partial(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in node.items() if key not in LEFT_OUT}
    return {"anyOf" if key == "oneOf" else key: _partial(value) for key, value in kept.items()}


def _kinds() -> dict[str, type[Section]]:
    """Every section by its name."""
    return {kind.__name__: kind for kind in _derived(Section)}


def _derived(kind: type[Section]) -> Iterator[type[Section]]:
    for derived in kind.__subclasses__():
        yield derived
        yield from _derived(derived)
