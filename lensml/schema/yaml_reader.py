"""Reading YAML without its traps: duplicate keys and text that looks like a number."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lensml.schema.errors import ConfigError

KIND_KEYS = ("dist", "shape", "profile", "kind")  # say what the other keys of a mapping mean


class _StrictLoader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice (plain YAML lets the last one win silently)."""


def _mapping(loader: _StrictLoader, node: yaml.MappingNode, deep: bool = False) -> dict:
    seen: dict[Any, int] = {}
    for key_node, value_node in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        try:
            repeated = key in seen
        except TypeError:
            raise yaml.MarkedYAMLError(problem=f"key {key!r} is not text") from None
        if repeated:
            raise yaml.MarkedYAMLError(
                problem=f"key '{key}' appears twice (lines {seen[key]} and {line}); remove one"
            )
        if not isinstance(key, str):
            raise yaml.MarkedYAMLError(
                problem=f"line {line}: key {key!r} is not text{_hint(key, value_node)}"
            )
        seen[key] = line
    return yaml.constructor.SafeConstructor.construct_mapping(loader, node, deep)


def _hint(key: Any, value_node: yaml.Node) -> str:
    """What was meant by a key that is no text."""
    if isinstance(key, bool):
        return "; YAML takes yes, no, on and off for truth values: put it in quotes"
    if isinstance(key, int) and value_node.value == "":
        return "; a number with a comma (30,000) is two entries: write it without (30000)"
    return "; put it in quotes"


_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictCLoader(_SafeLoader):
    """The same in C, where PyYAML was built with it: five times as fast, with shorter messages."""


# YAML 1.1 wants a point and a sign in the exponent, and takes 1e10 and 1e-4 for text, where
# everybody (and YAML 1.2) sees a number.
_FLOAT = re.compile(r"^[-+]?(?:\d[\d_]*)(?:\.[\d_]*)?[eE][-+]?\d+$")
for _loader in (_StrictLoader, _StrictCLoader):
    _loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
    _loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789"))


def _parsed(text: str) -> Any:
    """What YAML text says; neither loader has a tag that builds anything but plain data."""
    try:
        return yaml.load(text, Loader=_StrictCLoader)
    except yaml.YAMLError:
        return yaml.load(text, Loader=_StrictLoader)  # says more of the mistake


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises:
        ConfigError: the file cannot be read, is not YAML, repeats a key or is not a mapping.
    """
    try:
        content = _parsed(_text_of(Path(path)))
    except yaml.YAMLError as error:
        raise ConfigError([_complaint(path, error)]) from None
    if content is None:  # Snakemake, which reads it first, takes none either
        raise ConfigError([f"{path}: is empty; write 'key: value' pairs, or {{}} for none"])
    if not isinstance(content, dict):
        raise ConfigError(
            [f"{path}: should hold 'key: value' pairs, found {type(content).__name__}"]
        )
    return content


def _text_of(path: Path) -> str:
    try:
        content = path.read_bytes()
        return content.decode("utf-8")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read ({error.strerror})"]) from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = f"byte 0x{content[error.start]:02x} is not UTF-8 text; save the file as UTF-8"
        raise ConfigError([f"{path}:{line}: {problem}"]) from None


def _complaint(path: str | Path, error: yaml.YAMLError) -> str:
    """What YAML has to say against a file, in one line."""
    problem = " ".join(str(getattr(error, "problem", None) or error).split())
    if "'\\t'" in problem:
        problem += "; indent with spaces, YAML takes no tabs"
    mark = getattr(error, "problem_mark", None)
    return f"{path}:{mark.line + 1}: {problem}" if mark else f"{path}: {problem}"


def deep_merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes`` over it: mappings merge key by key, anything else is replaced.

    A mapping of another kind (a normal prior instead of a uniform one) replaces the old one whole.
    """
    if any(key in changes and changes[key] != base.get(key, changes[key]) for key in KIND_KEYS):
        return dict(changes)
    merged = dict(base)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = deep_merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def from_command_line(given: Any) -> Any:
    """Values of ``--config`` as a file would have them: Snakemake leaves inner ones as text.

    Args:
        given: a value, or a mapping or list of them.
    """
    if isinstance(given, dict):
        return {str(key): from_command_line(value) for key, value in given.items()}
    if isinstance(given, list):
        return [from_command_line(value) for value in given]
    return _parsed(given) if isinstance(given, str) and given.strip() else given


def from_workflow(given: Mapping[str, Any]) -> dict[str, Any]:
    """What another workflow's Snakefile hands over, as a file of this one would have it.

    Args:
        given: of any kinds of mappings, with paths and the like; Snakemake has read 1e-4 as text.
    """
    return _parsed(yaml.safe_dump(json.loads(json.dumps(given, default=str)), sort_keys=False))
