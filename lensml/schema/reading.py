"""Reading a configuration: merging its files, resolving its domains, checking all of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from lensml.schema.asked_encoders import Refusal
from lensml.schema.catalogue import Entries, read_catalogue, resolve
from lensml.schema.config import RUNS_ON, Config, ConfigFile, Task, noiseless
from lensml.schema.development import development_problems
from lensml.schema.errors import ConfigError, KeyPath, Origins, validated
from lensml.schema.misfits import misfits
from lensml.schema.observed import observed_problems
from lensml.schema.pretraining import pretraining_problems
from lensml.schema.references import undeclared, unknown_domains
from lensml.schema.search import search_problems
from lensml.schema.studies import study_problems
from lensml.schema.yaml_reader import (
    KIND_KEYS,
    deep_merge,
    from_command_line,
    from_workflow,
    read_yaml,
)

# Lists that other keys refer to: where they are wrong, what refers to them cannot be judged.
REFERRED = {"domains", "encoders", "seeds", "pairs", "substructures", "tasks", "catalogue"}
REPAIRS = 5  # rounds; a section's own mistakes can hide those of the whole
COMMAND_LINE = "--config"
MODULE = "config of the module"
Problems = Callable[[Any, Origins], list[str]]


def read_config(
    files: Sequence[str | Path],
    *,
    catalogue_dir: str | Path,
    command_line: Mapping[str, Any] | None = None,
    module: Mapping[str, Any] | None = None,
    refusal: Refusal | None = None,
) -> Config:
    """Read configuration files, merge them in their order, and check the result.

    Args:
        files: the first is the default configuration, which is right by itself.
        catalogue_dir: folder with ``instruments/``, ``populations/`` and ``domains/``.
        command_line: what ``--config`` gave, which wins.
        module: what another workflow says of it as its module, in place of a file.
        refusal: tries to build a model of timm; without it these are taken to be right.

    Raises:
        ConfigError: one line per problem.
    """
    origins = origins_of(files, command_line, module)
    merged: dict[str, Any] = {}
    for content in origins.files.values():
        merged = deep_merge(merged, content)
    return _checked(merged, Path(catalogue_dir), origins, refusal)


def origins_of(
    files: Sequence[str | Path],
    command_line: Mapping[str, Any] | None = None,
    module: Mapping[str, Any] | None = None,
) -> Origins:
    """What configuration files, another workflow and the command line say, each by itself.

    Raises:
        ConfigError: a line per file that cannot be read.
    """
    contents, lines = {}, []
    for file in files:
        try:
            contents[str(file)] = read_yaml(file)
        except ConfigError as error:
            lines += error.lines
    if lines:
        raise ConfigError(lines)
    if module:
        contents[MODULE] = from_workflow(module)
    if command_line:
        contents[COMMAND_LINE] = from_command_line(dict(command_line))
    return Origins(contents)


def load_config(
    merged: Mapping[str, Any],
    *,
    catalogue_dir: Path,
    files: Sequence[str | Path],
    refusal: Refusal | None = None,
) -> Config:
    """Check a merged configuration and resolve its domains.

    Args:
        merged: the configuration with every overlay merged in.
        catalogue_dir: folder with ``instruments/``, ``populations/`` and ``domains/``.
        files: the files that were merged, for error messages and for what merging hides
            (duplicate keys).
        refusal: tries to build a model of timm; without it these are taken to be right.

    Raises:
        ConfigError: one line per problem.
    """
    return _checked(merged, catalogue_dir, origins_of(files), refusal)


def _checked(
    merged: Mapping[str, Any], catalogue_dir: Path, origins: Origins, refusal: Refusal | None
) -> Config:
    """The typed configuration; every problem that can be found is reported at once."""
    tree, problems, sound = _repaired(of_active_tasks(merged), origins)
    raw = ConfigFile.model_validate(tree) if sound else None
    if raw is not None:
        entries = read_catalogue(catalogue_dir, raw.catalogue)
        unknown = _reference_problems(raw, entries, origins)
        resolved, found = _resolved(raw, entries, origins)
        problems += unknown + found
        if not (unknown or found):
            config = validated(Config, {**tree, **resolved}, origins)
            problems += misfits(config, origins, refusal)
            if not problems:
                return config
    raise ConfigError([line for line in dict.fromkeys(problems) if line])


def _repaired(tree: dict[str, Any], origins: Origins) -> tuple[dict[str, Any], list[str], bool]:
    """A configuration with the default's values where its own are wrong, to look for more.

    Returns:
        the configuration, a line per mistake, and whether more can be looked for: not where lists
        that others refer to are wrong.
    """
    default = next(iter(origins.files.values()), {})
    problems: list[str] = []
    for _ in range(REPAIRS):
        try:
            validated(ConfigFile, tree, origins)
        except ConfigError as error:
            problems += error.lines
            if any(map(_misleads, error.paths)):
                return tree, problems, False
            for path in filter(None, error.paths):
                tree = _with_default(tree, default, path)
        else:
            return tree, problems, True
    return tree, problems, False


def _misleads(path: KeyPath) -> bool:
    """Whether a mistake leaves open which names there are; one inside an encoder does not."""
    inside = path[:1] == ("encoders",) and len(path) > 2 and path[-1] not in KIND_KEYS
    return not inside and bool(REFERRED & set(map(str, path)))


def _with_default(tree: dict[Any, Any], default: Any, path: KeyPath) -> dict[Any, Any]:
    """A tree whose value at a path is the default's, or is gone where there is none."""
    key, *rest = path
    known = isinstance(default, dict) and key in default
    if rest and isinstance(tree.get(key), dict):
        inner = _with_default(tree[key], default[key] if known else None, tuple(rest))
        return {**tree, key: inner}
    without = {name: value for name, value in tree.items() if name != key}
    return {**without, key: default[key]} if known else without


def of_active_tasks(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with nothing to run on for tasks that are not listed."""
    out = dict(tree)
    active = tree.get("tasks")
    if not isinstance(active, list) or not set(map(str, active)) <= set(get_args(Task)):
        return out  # refused later on, by its own line
    for task, (section, key) in RUNS_ON.items():
        if task not in active and isinstance(out.get(section), Mapping):
            out[section] = {**out[section], key: []}
    return out


def _reference_problems(raw: ConfigFile, entries: Entries, origins: Origins) -> list[str]:
    """Names that nothing declares, and sections that contradict others."""
    timed = raw.benchmark
    lines = []
    for key, names in (
        ("domains", raw.domains),
        ("benchmark.domains", timed.domains),
        ("benchmark.fits.domains", timed.fits.domains),
        ("benchmark.training.domain", [timed.training.domain]),
    ):
        lines += unknown_domains(key, names, entries["domains"], origins)
    known = set(raw.domains) <= entries["domains"].keys()
    lines += undeclared(raw, origins, [] if known else ["domains"])
    checks: tuple[Problems, ...] = (
        study_problems,
        search_problems,
        development_problems,
        observed_problems,
        pretraining_problems,
    )
    return lines + [line for check in checks for line in check(raw, origins)]


def _resolved(
    raw: ConfigFile, entries: Entries, origins: Origins
) -> tuple[dict[str, Any], list[str]]:
    """Every domain that something runs on, and what is wrong with them."""
    found: dict[str, dict[str, Any]] = {}
    problems: list[str] = []
    trained, fitted = raw.benchmark.training.domain, raw.benchmark.fits.domains
    wanted = dict.fromkeys([*raw.domains, *raw.benchmark.domains, *fitted, trained])
    for name in wanted:
        if name not in entries["domains"]:
            continue  # said already
        try:
            found[name] = resolve(name, entries, origins.files)
        except ConfigError as error:
            problems += error.lines
    if problems or not found.keys() >= wanted.keys():
        return {}, problems or [""]
    domains = {name: found[name] for name in raw.domains}
    if any(variant.redraw_noise for variant in raw.ablation.variants.values()):
        noisy = raw.ablation.domain or raw.classifier.domains[0]
        domains |= _without_noise(found[noisy]) if noisy in found else {}
    return {
        "labels": {n: entries["domains"][n].content.get("label") or n for n in found},
        "resolved": domains,
        "timed": {name: found[name] for name in raw.benchmark.domains},
        "timed_in_fits": {name: found[name] for name in fitted},
        "timed_in_training": found[trained],
    }, []


def _without_noise(domain: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """A domain's twin whose images have no noise, by its name."""
    name = noiseless(domain["name"])
    instrument = {**domain["instrument"], "noise": "none"}
    return {name: {**domain, "name": name, "instrument": instrument}}
