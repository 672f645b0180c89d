"""The tables of config/README.md: a row per key, what it means, its default, what it may be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from lensml.schema.catalogue import KINDS
from lensml.schema.json_schema import CHANGES

# A table stands between these. It is of a section of the configuration, by its dotted name, or of
# a section of the catalogue, by the name of its class.
TABLE = re.compile(r"(<!-- keys of (\S+) -->\n).*?(<!-- end of keys -->)", re.DOTALL)
HEADING = "| key | meaning | default | allowed |\n| --- | --- | --- | --- |"
LONGEST = 30  # characters of a default
BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
WORDS = {
    **{"integer": "whole number", "number": "number", "string": "text", "object": "mapping"},
    **{"boolean": "`true`, `false`", "null": "`null`"},
}
PRIORS = {"Uniform", "LogUniform", "Normal", "LogNormal"}
POSITIONS = {"Disc", "DiscThetaE", "Annulus", "Square"}
Node = Mapping[str, Any]


def with_tables(text: str, schema: Node, shipped: Node) -> str:
    """A text with every table of keys made anew.

    Args:
        text: Markdown with the comments that tables stand between.
        schema: of the configuration, see :func:`lensml.schema.json_schema.config_schema`.
        shipped: the configuration that is merged under every other, for defaults.

    Raises:
        KeyError: a table is of no section.
    """
    return TABLE.sub(
        lambda found: f"{found[1]}\n{table(found[2], schema, shipped)}\n{found[3]}", text
    )


def table(name: str, schema: Node, shipped: Node) -> str:
    """A table of keys.

    Args:
        name: of a section, ``fit``, of the class of one, ``Instrument``, or ``top`` for the
            outermost keys alone.
        schema, shipped: see :func:`with_tables`.
    """
    if name == "top":
        rows = [_row("", key, node, shipped) for key, node in schema["properties"].items()]
    else:
        own = schema["properties"].get(name, {}).get("$ref", f"#/$defs/{name}")
        rows = list(_rows(_named(own), "", schema, shipped.get(name)))
    return "\n".join([HEADING, *rows]) + "\n"


def _rows(name: str, prefix: str, schema: Node, shipped: Any) -> Iterator[str]:
    """Rows of a section and of those inside it."""
    for key, node in schema["$defs"][name]["properties"].items():
        yield _row(prefix, key, node, shipped)
        if (name, key) in CHANGES or name == "Catalogue":
            continue  # keys of a section that has a table of its own
        inner = shipped.get(key) if isinstance(shipped, Mapping) else None
        for path, section in _inside(key, node):
            yield from _rows(section, f"{prefix}{path}.", schema, inner)


def _inside(key: str, node: Node) -> Iterator[tuple[str, str]]:
    """Path and name of the one section that a key holds, by itself, in a list or by names."""
    sections = {_named(option["$ref"]) for option in _options(node) if "$ref" in option}
    if len(sections) == 1:
        yield key, sections.pop()
    for keyword, path in (("items", f"{key}[]"), ("additionalProperties", f"{key}.<name>")):
        if isinstance(node.get(keyword), Mapping):
            yield from _inside(path, node[keyword])


def _row(prefix: str, key: str, node: Node, shipped: Any) -> str:
    default = ""
    if isinstance(shipped, Mapping) and key in shipped:
        default = _short(shipped[key])
    cells = (f"`{prefix}{key}`", node["description"], default, _allowed(node))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _short(value: Any) -> str:
    """A value as YAML has it, if that is short."""
    if isinstance(value, Mapping):
        return ""
    text = json.dumps(value).replace('"', "")
    return f"`{text}`" if len(text) <= LONGEST else "…"


def _options(node: Node) -> Iterator[Node]:
    """What a key may be, one by one."""
    for option in node.get("anyOf", [node]):
        yield from _options(option) if "anyOf" in option else [option]


def _allowed(node: Node) -> str:
    """What a key may be, in words."""
    options = list(_options(node))
    sections = {_named(option["$ref"]) for option in options if "$ref" in option}
    words = [_one(option) for option in options if "$ref" not in option]
    if sections & PRIORS:
        words.append("prior")
    elif sections & POSITIONS:
        words.append("position")
    elif sections:
        words.insert(0, _of_sections(sections))
    return ", ".join(dict.fromkeys(words))


def _of_sections(sections: set[str]) -> str:
    if "Poisson" in sections:
        return "Poisson"
    folders = [folder for folder, kind in KINDS.items() if kind.__name__ in sections]
    return f"keys of {folders[0]}" if folders else "keys below" if len(sections) == 1 else "keys"


def _one(node: Node) -> str:
    if "const" in node or "enum" in node:
        values = node.get("enum", [node.get("const")])
        return ", ".join(f"`{value}`" for value in values)
    if node.get("type") == "array":
        return f"list of: {_allowed(node['items'])}"
    word = WORDS[node["type"]]
    bounds = [f"{sign} {node[key]}" for key, sign in BOUNDS.items() if key in node]
    return f"{word} {', '.join(bounds)}".strip()


def _named(reference: str) -> str:
    return reference.rpartition("/")[2]
