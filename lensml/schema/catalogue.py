"""The catalogue of instruments, populations and domains: reading, changing, resolving."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from lensml.schema.base import NAME_PATTERN, Name, Section
from lensml.schema.errors import ConfigError, Origins, nearest, validated
from lensml.schema.instrument import Instrument
from lensml.schema.population import Population
from lensml.schema.simulation import Domain, DomainFile, beyond_the_field
from lensml.schema.yaml_reader import deep_merge, read_yaml

KINDS = {"instruments": Instrument, "populations": Population, "domains": DomainFile}


class Catalogue(Section):
    """Entries that add to, or change, the shipped instruments, populations and domains."""

    instruments: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    """Name: keys of an instrument."""
    populations: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    """Name: keys of a population."""
    domains: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    """Name: keys of a domain."""


class Entry(NamedTuple):
    """A catalogue entry and the file that it comes from."""

    file: str
    content: dict[str, Any]


Entries = dict[str, dict[str, Entry]]  # by kind and name


def read_catalogue(folder: Path, changes: Catalogue) -> Entries:
    """Every entry, as the files have it and the configuration changes it.

    Args:
        folder: with ``instruments/``, ``populations/`` and ``domains/``.
        changes: section ``catalogue`` of the configuration.

    Raises:
        ConfigError: a file's name cannot be a name, or its text is not what it should be.
    """
    entries: Entries = {}
    for kind in KINDS:
        entries[kind] = {path.stem: _read(path) for path in sorted((folder / kind).glob("*.yaml"))}
        for name, change in getattr(changes, kind).items():
            file, content = entries[kind].get(name, Entry(f"catalogue.{kind}.{name}", {}))
            entries[kind][name] = Entry(file, deep_merge(content, change))
    return entries


def _read(path: Path) -> Entry:
    if not NAME_PATTERN.match(path.stem):
        raise ConfigError([f"{path}: file name must match {NAME_PATTERN.pattern}"])
    return Entry(str(path), read_yaml(path))


def resolve(name: str, entries: Entries, files: Mapping[str, Any]) -> dict[str, Any]:
    """A domain as plain data, with its instrument and population in place.

    Args:
        name: of the domain, one of the entries.
        entries: see :func:`read_catalogue`.
        files: configuration files by name, which may change entries.

    Raises:
        ConfigError: an entry is wrong; names the file that says so.
    """
    file, content = entries["domains"][name]
    origins = Origins({file: content, **_changed_by(files, "domains", name)})
    domain = validated(DomainFile, content, origins)
    resolved = {
        "name": name,
        "num_pix": domain.num_pix,
        "supersampling_factor": domain.supersampling_factor,
        "refinement_factor": domain.refinement_factor,
        "instrument": _part("instruments", domain, origins, entries, files),
        "population": _part("populations", domain, origins, entries, files),
    }
    kinds = {"domains": name, "instruments": domain.instrument, "populations": domain.population}
    if domain.files is not None:
        resolved["files"] = domain.files.model_dump()
    changes = [where for kind, key in kinds.items() for where in _changed_by(files, kind, key)]
    _check_whole(resolved, (changes or [file])[-1])
    return resolved


def _check_whole(resolved: dict[str, Any], where: str) -> None:
    """Refuse an instrument, a population and a field that do not fit each other."""
    problems = beyond_the_field(Domain.model_validate(resolved))
    if problems:
        name = resolved["name"]
        raise ConfigError([f"{where}: domain '{name}': {problem}" for problem in problems])


def _part(
    kind: str, domain: DomainFile, origins: Origins, entries: Entries, files: Mapping[str, Any]
) -> dict[str, Any]:
    """The instrument or population of a domain, with the domain's own changes."""
    singular = kind.removesuffix("s")
    key, changes = getattr(domain, singular), getattr(domain, f"{singular}_changes")
    if key not in entries[kind]:
        problem = f"is not among the {kind} of the catalogue; {nearest(key, entries[kind])}"
        raise ConfigError([origins.line(singular, problem, value=key)])
    part_file, part = entries[kind][key]
    part = deep_merge(part, changes)
    changed = origins.file_of([f"{singular}_changes"])
    origins = Origins({part_file: part, changed: changes, **_changed_by(files, kind, key)})
    validated(KINDS[kind], part, origins)
    return part


def _changed_by(files: Mapping[str, Any], kind: str, name: str) -> dict[str, Any]:
    """Configuration files that change an entry, with their changes."""
    changed = {}
    for file, tree in files.items():
        node: Any = tree
        for key in ("catalogue", kind, name):
            node = node.get(key) if isinstance(node, Mapping) else None
        if node is not None:
            changed[f"{file}: catalogue.{kind}.{name}"] = node
    return changed
