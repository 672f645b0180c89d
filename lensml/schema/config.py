"""The whole configuration: reading, merging with the catalogue, checking."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from lensml.schema.adaptation import DISTORTING, Adaptation
from lensml.schema.anomaly import HIDDEN_FLUX, Anomaly, unfitted
from lensml.schema.attribution import Attribution, unmapped
from lensml.schema.base import NAME_PATTERN, Name, Section, UniqueNames, _check_unique
from lensml.schema.development import Development, development_problems
from lensml.schema.encoders import Encoder, NetworkInput
from lensml.schema.errors import ConfigError, lines_from
from lensml.schema.limit import Limit
from lensml.schema.observed import Observed, observed_problems
from lensml.schema.pretraining import Pretraining, pretraining_problems
from lensml.schema.regression import Regression, constant_targets
from lensml.schema.search import Search, search_problems
from lensml.schema.simulation import Domain, DomainFile, Instrument, Population, Simulation
from lensml.schema.speed import Benchmarks
from lensml.schema.studies import Ablation, Scaling, Zoo, study_problems
from lensml.schema.sweep import Sweep, sweep_problems
from lensml.schema.training import (
    BASELINE,
    Audit,
    Classifier,
    Compute,
    Evaluation,
    Figures,
)
from lensml.schema.yaml_reader import deep_merge, read_yaml

Substructure = Literal["no_sub", "cdm", "vortex"]
KINDS = {"instruments": Instrument, "populations": Population, "domains": DomainFile}


class Catalogue(Section):
    """Entries that add to, or change, the shipped instruments, populations and domains."""

    instruments: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    populations: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    domains: dict[Name, dict[str, Any]] = Field(default_factory=dict)


class ConfigFile(Section):
    """What a configuration file holds."""

    seed: Annotated[int, Field(ge=0, lt=2**63)]
    domains: UniqueNames
    substructures: Annotated[
        list[Substructure], Field(min_length=2), AfterValidator(_check_unique)
    ]
    simulation: Simulation
    network_input: NetworkInput
    encoders: dict[Name, Encoder]
    classifier: Classifier
    regression: Regression
    adaptation: Adaptation
    development: Development
    anomaly: Anomaly
    evaluation: Evaluation
    audit: Audit
    benchmark: Benchmarks
    limit: Limit
    attribution: Attribution
    zoo: Zoo
    ablation: Ablation
    scaling: Scaling
    sweep: Sweep
    observed: Observed
    pretraining: Pretraining
    search: Search
    figures: Figures
    compute: Compute
    catalogue: Catalogue = Catalogue()


class Config(ConfigFile):
    """The configuration with every domain resolved."""

    resolved: dict[str, Domain]
    timed: dict[str, Domain]  # of the benchmark
    timed_in_training: Domain

    @model_validator(mode="after")
    def _no_sub_first(self) -> Self:
        if self.substructures[0] != "no_sub":
            raise ValueError(
                "substructures must begin with no_sub, the class without substructure"
            )
        return self

    @property
    def limit_domains(self) -> list[str]:
        """Domains whose physical limit is computed: without noise there is none."""
        names = self.domains if self.limit.domains == "all" else self.limit.domains
        return [n for n in names if self.resolved[n].instrument.noise != "none"]

    def attributed(self, key: Literal["domains", "encoders", "seeds"]) -> list:
        """Domains, encoders or seeds of the classifier whose maps are made."""
        return listed(getattr(self.attribution, key)) or list(getattr(self.classifier, key))

    def domain(self, name: str) -> Domain:
        """A resolved domain."""
        return self.resolved[name]


def load_config(
    merged: Mapping[str, Any], *, catalogue_dir: Path, files: Sequence[str | Path]
) -> Config:
    """Check a merged configuration and resolve its domains.

    Args:
        merged: the configuration with every overlay merged in.
        catalogue_dir: folder with ``instruments/``, ``populations/`` and ``domains/``.
        files: the files that were merged, for error messages and for what merging hides
            (duplicate keys).

    Raises:
        ConfigError: one line per problem.
    """
    contents = {str(f): read_yaml(f) for f in files}
    tree = dict(merged)
    raw = _validate(ConfigFile, tree, files=contents)
    entries = _catalogue(catalogue_dir, raw)
    problems = _unknown_domains(raw.domains, entries["domains"], contents, "domains")
    problems += _unknown_domains(
        raw.benchmark.domains, entries["domains"], contents, "benchmark", "domains"
    )
    trained = raw.benchmark.training.domain
    keys = ("benchmark", "training", "domain")
    problems += _unknown_domains([trained], entries["domains"], contents, *keys)
    problems += _unknown_references(raw, contents)
    checks = (study_problems, search_problems, development_problems, observed_problems)
    for found in (*checks, pretraining_problems):
        problems += found(raw)
    if problems:
        raise ConfigError(problems)
    resolved = {name: _resolve(name, entries, contents) for name in raw.domains}
    if any(variant.redraw_noise for variant in raw.ablation.variants.values()):
        domain = raw.ablation.domain or raw.classifier.domains[0]
        resolved |= _without_noise(resolved[domain])
    timed = {name: _resolve(name, entries, contents) for name in raw.benchmark.domains}
    domains = {
        "resolved": resolved,
        "timed": timed,
        "timed_in_training": _resolve(trained, entries, contents),
    }
    config = _validate(Config, {**tree, **domains}, files=contents)
    misfits = _misfits(config, contents) + sweep_problems(config)
    if misfits:
        raise ConfigError(misfits)
    return config


def _without_noise(domain: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """A domain's twin whose images have no noise, by its name."""
    name = noiseless(domain["name"])
    instrument = {**domain["instrument"], "noise": "none"}
    return {name: {**domain, "name": name, "instrument": instrument}}


def noiseless(domain: str) -> str:
    """Name of a domain's twin without noise."""
    return f"{domain}_noiseless"


def _misfits(config: Config, files: Mapping) -> list[str]:
    """Images that a network cannot take: patches that do not fit, pairs of different size."""
    lines = []
    size = {n: config.network_input.img_size(d.num_pix) for n, d in config.resolved.items()}
    lines += _crop_misfits(config, files)
    for name in config.classifier.encoders:
        encoder = config.encoders[name]
        if encoder.kind == "vit":
            where = (
                f"{_where(files, 'encoders', name)}: encoders.{name}",
                config.classifier.domains,
            )
            lines += _patch_misfits(*where, encoder.patch_size, size)
    where = f"{_where(files, 'anomaly', 'mae', 'patch_size')}: anomaly.mae"
    lines += _patch_misfits(where, config.anomaly.domains, config.anomaly.mae.patch_size, size)
    lines += _width_misfits(config, files, size)
    lines += _constant_targets(config, files)
    where = f"{_where(files, 'anomaly', 'macro_fit', 'enabled')}: anomaly.macro_fit.enabled"
    lines += [f"{where} = {reason}" for reason in unfitted(config.anomaly, config.resolved)]
    encoders = {name: config.encoders[name] for name in config.attributed("encoders")}
    if problem := unmapped(config.attribution, encoders):
        lines.append(f"{_where(files, 'attribution', 'methods')}: attribution.methods {problem}")
    if config.adaptation.pairs and config.network_input.stretch == "per_image_max":
        lines += [
            f"{_where(files, 'adaptation', 'methods')}: adaptation.methods = '{method}': distorts "
            "fluxes, which network_input.stretch = 'per_image_max' hides; allowed are asinh and "
            "linear"
            for method in config.adaptation.methods
            if method in DISTORTING
        ]
    if config.anomaly.domains and config.network_input.stretch == "per_image_max":
        lines.append(f"{_where(files, 'network_input', 'stretch')}: {HIDDEN_FLUX}")
    for index, pair in enumerate(config.adaptation.pairs):
        if size[pair.source] != size[pair.target]:
            lines.append(
                f"{_where(files, 'adaptation', 'pairs')}: adaptation.pairs[{index}]: images of "
                f"'{pair.source}' have {size[pair.source]} pixels and those of '{pair.target}' "
                f"{size[pair.target]}; an encoder takes one size"
            )
    return lines


def _crop_misfits(config: Config, files: Mapping) -> list[str]:
    crop = config.network_input.center_crop
    if crop is None:
        return []
    num_pix = {name: config.resolved[name].num_pix for name in config.domains}
    return [
        f"{_where(files, 'network_input', 'center_crop')}: network_input.center_crop = {crop}: "
        f"must leave equal margins in the {n} pixels of '{name}'"
        for name, n in num_pix.items()
        if crop > n or (n - crop) % 2
    ]


def _patch_misfits(
    where: str, domains: Sequence[str], patch_size: int, size: Mapping[str, int]
) -> list[str]:
    return [
        f"{where}.patch_size = {patch_size}: must divide the {size[name]} pixels of '{name}'"
        for name in domains
        if size[name] % patch_size
    ]


def _width_misfits(config: Config, files: Mapping, size: Mapping[str, int]) -> list[str]:
    widths = config.anomaly.autoencoders.widths
    return [
        f"{_where(files, 'anomaly', 'autoencoders', 'widths')}: anomaly.autoencoders.widths = "
        f"{widths}: each halves the image, and the {size[name]} pixels of '{name}' can be halved "
        f"{size[name].bit_length() - 1} times at most"
        for name in config.anomaly.domains
        if config.anomaly.autoencoders.methods and size[name] < 2 ** len(widths)
    ]


def _constant_targets(config: Config, files: Mapping) -> list[str]:
    return [
        f"{_where(files, 'regression', 'domains')}: regression.domains = '{name}': its population "
        f"has one {target} for all images; give it a distribution or leave the domain out"
        for name in config.regression.domains
        for target in constant_targets(config.resolved[name].population, config.substructures)
    ]


def _validate(
    model: type, tree: Mapping[str, Any], *, files: Mapping, prefix: Sequence = ()
) -> Any:
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        lines = lines_from(error, tree=tree, model=model, files=files, prefix=prefix)
        raise ConfigError(lines) from None


def _catalogue(folder: Path, raw: ConfigFile) -> dict[str, dict[str, tuple[str, dict]]]:
    """Every entry by kind and name, with the file that it comes from."""
    entries: dict[str, dict[str, tuple[str, dict]]] = {kind: {} for kind in KINDS}
    for kind in KINDS:
        for path in sorted((folder / kind).glob("*.yaml")):
            if not NAME_PATTERN.match(path.stem):
                raise ConfigError([f"{path}: file name must match {NAME_PATTERN.pattern}"])
            entries[kind][path.stem] = (str(path), read_yaml(path))
        for name, changes in getattr(raw.catalogue, kind).items():
            file, content = entries[kind].get(name, (f"catalogue.{kind}.{name}", {}))
            entries[kind][name] = (file, deep_merge(content, changes))
    return entries


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known are {', '.join(sorted(known))}"


def _where(files: Mapping[str, Any], *keys: str) -> str:
    for name, tree in reversed(list(files.items())):
        node: Any = tree
        for key in keys:
            node = node.get(key) if isinstance(node, Mapping) else None
        if node is not None:
            return name
    return next(reversed(list(files)), "configuration")


def _unknown_domains(
    wanted: Sequence[str], known: Mapping, files: Mapping, *keys: str
) -> list[str]:
    return [
        f"{_where(files, *keys)}: {'.'.join(keys)} = '{name}': unknown domain; "
        f"{_nearest(name, list(known))}"
        for name in wanted
        if name not in known
    ]


def _unknown_references(raw: ConfigFile, files: Mapping) -> list[str]:
    """Names that must be declared elsewhere in the configuration."""
    lines = []
    sections = (raw.attribution, raw.classifier)
    checks = [
        ("classifier", "domains", raw.classifier.domains, raw.domains),
        ("anomaly", "domains", raw.anomaly.domains, raw.domains),
        ("regression", "domains", raw.regression.domains, raw.classifier.domains),
        ("regression", "encoders", raw.regression.encoders, raw.classifier.encoders),
        ("limit", "domains", listed(raw.limit.domains), raw.domains),
        ("classifier", "encoders", raw.classifier.encoders, list(raw.encoders)),
        ("adaptation", "encoders", raw.adaptation.encoders, raw.classifier.encoders),
    ]
    checks += [
        ("attribution", key, *(list(map(str, listed(getattr(s, key)))) for s in sections))
        for key in ("domains", "encoders", "seeds")
    ]
    for section, key, used, declared in checks:
        origin = "domains" if key == "domains" else f"classifier.{key}"
        of_classifier = section in ("regression", "attribution")
        origin = "classifier.domains" if of_classifier and key == "domains" else origin
        origin = "encoders" if (section, key) == ("classifier", "encoders") else origin
        lines += [
            f"{_where(files, section, key)}: {section}.{key} = '{name}': is not listed under "
            f"'{origin}'; {_nearest(name, declared)}"
            for name in used
            if name not in declared
        ]
    models = [*raw.classifier.encoders, BASELINE]
    if raw.evaluation.compare_with not in models:
        lines.append(
            f"{_where(files, 'evaluation', 'compare_with')}: evaluation.compare_with = "
            f"'{raw.evaluation.compare_with}': is neither listed under 'classifier.encoders' nor "
            f"'{BASELINE}'; {_nearest(raw.evaluation.compare_with, models)}"
        )
    for index, pair in enumerate(raw.adaptation.pairs):
        where = _where(files, "adaptation", "pairs")
        sides = [("source", pair.source, raw.classifier.domains, "classifier.domains")]
        sides.append(("target", pair.target, raw.domains, "domains"))
        lines += [
            f"{where}: adaptation.pairs[{index}].{side} = '{name}': is not listed under "
            f"'{origin}'; {_nearest(name, declared)}"
            for side, name, declared, origin in sides
            if name not in declared
        ]
    return lines


def listed(names: Literal["all"] | list) -> list:
    """What a list names; nothing for 'all'."""
    return [] if names == "all" else list(names)


def _changed_by(files: Mapping, kind: str, name: str) -> dict[str, Any]:
    """Configuration files that change a catalogue entry, with their changes."""
    changed = {}
    for file, tree in files.items():
        node: Any = tree
        for key in ("catalogue", kind, name):
            node = node.get(key) if isinstance(node, Mapping) else None
        if node is not None:
            changed[f"{file}: catalogue.{kind}.{name}"] = node
    return changed


def _resolve(name: str, entries: Mapping, files: Mapping) -> dict[str, Any]:
    file, content = entries["domains"][name]
    changed = _changed_by(files, "domains", name)
    domain = _validate(DomainFile, content, files={file: content, **changed})
    parts = {}
    for kind, key in (("instruments", domain.instrument), ("populations", domain.population)):
        if key not in entries[kind]:
            singular = kind.removesuffix("s")
            raise ConfigError(
                [f"{file}: {singular} = '{key}': {_nearest(key, list(entries[kind]))}"]
            )
        part_file, part = entries[kind][key]
        changes = getattr(domain, f"{kind.removesuffix('s')}_changes")
        origin = {part_file: part, file: changes, **_changed_by(files, kind, key)}
        part = deep_merge(part, changes)
        _validate(KINDS[kind], part, files=origin)
        parts[kind] = part
    return {
        "name": name,
        "num_pix": domain.num_pix,
        "supersampling_factor": domain.supersampling_factor,
        "refinement_factor": domain.refinement_factor,
        "instrument": parts["instruments"],
        "population": parts["populations"],
    }
