"""Names in a configuration that must be declared elsewhere in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from lensml.schema.errors import Origins, nearest
from lensml.schema.training import BASELINE

Names = Sequence[str | int]


def listed(names: Any) -> list:
    """What a list names; nothing for 'all'."""
    return [] if names == "all" else list(names)


def unknown_domains(key: str, names: Names, known: Iterable[str], origins: Origins) -> list[str]:
    """Domains that the catalogue does not have, one line each.

    Args:
        key: that lists them.
        names: listed there.
        known: of the catalogue.
        origins: files of the configuration.
    """
    known = list(known)
    return [
        origins.line(key, f"unknown domain; {nearest(str(name), known)}", value=name)
        for name in names
        if name not in known
    ]


def undeclared(config: Any, origins: Origins, wrong: Iterable[str] = ()) -> list[str]:
    """Names that no list of the configuration declares, one line each.

    Args:
        config: every section of the configuration.
        origins: files of the configuration.
        wrong: keys of lists that hold unknown names: what refers to them cannot be judged.
    """
    lines, unjudged = [], set(wrong)
    for key, names, declared_under in [*_references(config), *_sides_of_pairs(config)]:
        declared = [str(name) for name in _at(config, declared_under)]
        unknown = [name for name in names if str(name) not in declared]
        if unknown:
            unjudged.add(key)
        if declared_under not in unjudged:
            lines += [unlisted(key, str(n), declared_under, declared, origins) for n in unknown]
    if "classifier.encoders" in unjudged:
        return lines
    return lines + _unknown_reference_model(config, origins)


def _references(config: Any) -> list[tuple[str, Names, str]]:
    """Key, its names, and the key under which they must be declared."""
    found = [
        ("classifier.domains", config.classifier.domains, "domains"),
        ("classifier.encoders", config.classifier.encoders, "encoders"),
        ("regression.domains", config.regression.domains, "classifier.domains"),
        ("regression.encoders", config.regression.encoders, "classifier.encoders"),
        ("adaptation.encoders", config.adaptation.encoders, "classifier.encoders"),
        ("anomaly.domains", config.anomaly.domains, "domains"),
        ("limit.domains", listed(config.limit.domains), "domains"),
    ]
    for name in ("domains", "encoders", "seeds"):
        names = listed(getattr(config.attribution, name))
        found.append((f"attribution.{name}", names, f"classifier.{name}"))
    return found


def _at(config: Any, key: str) -> Any:
    for part in key.split("."):
        config = getattr(config, part)
    return config


def unlisted(
    key: str, name: str, declared_under: str, declared: Iterable[Any], origins: Origins
) -> str:
    """One line about a name that is not declared where it must be."""
    known = [str(other) for other in declared]
    problem = f"is not listed under '{declared_under}'; {nearest(str(name), known)}"
    return origins.line(key, problem, value=name)


def unlisted_domain(key: str, config: Any, origins: Origins) -> list[str]:
    """A line if a key names a domain, or null, and ``domains`` does not list it."""
    name = _at(config, key)
    if name is None or name in config.domains:
        return []
    return [unlisted(key, name, "domains", config.domains, origins)]


def _unknown_reference_model(config: Any, origins: Origins) -> list[str]:
    name, models = config.evaluation.compare_with, [*config.classifier.encoders, BASELINE]
    if name in models:
        return []
    problem = (
        f"is neither listed under 'classifier.encoders' nor '{BASELINE}'; {nearest(name, models)}"
    )
    return [origins.line("evaluation.compare_with", problem, value=name)]


def _sides_of_pairs(config: Any) -> list[tuple[str, Names, str]]:
    return [
        (f"adaptation.pairs[{k}].{side}", [getattr(pair, side)], under)
        for k, pair in enumerate(config.adaptation.pairs)
        for side, under in (("source", "classifier.domains"), ("target", "domains"))
    ]
