"""The whole configuration: reading, merging with the catalogue, checking."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import AfterValidator, Field, model_validator

from lensml.schema.adaptation import Adaptation
from lensml.schema.anomaly import Anomaly
from lensml.schema.asked_encoders import Refusal
from lensml.schema.attribution import Attribution
from lensml.schema.base import Name, Section, UniqueNames, WrongKey, check_unique
from lensml.schema.catalogue import Catalogue, Entries, read_catalogue, resolve
from lensml.schema.development import Development, development_problems
from lensml.schema.encoders import Encoder, NetworkInput
from lensml.schema.errors import ConfigError, KeyPath, Origins, validated
from lensml.schema.fit import Fit
from lensml.schema.limit import Limit
from lensml.schema.misfits import misfits
from lensml.schema.misspecification import Misspecification
from lensml.schema.observed import Observed, observed_problems
from lensml.schema.pretraining import Pretraining, pretraining_problems
from lensml.schema.references import listed, undeclared, unknown_domains
from lensml.schema.regression import Regression
from lensml.schema.search import Search, search_problems
from lensml.schema.simulation import Domain, Simulation
from lensml.schema.speed import Benchmarks
from lensml.schema.studies import Ablation, Scaling, Zoo, study_problems
from lensml.schema.sweep import Sweep
from lensml.schema.training import Audit, Classifier, Compute, Evaluation, Figures
from lensml.schema.yaml_reader import (
    KIND_KEYS,
    deep_merge,
    from_command_line,
    from_workflow,
    read_yaml,
)

Substructure = Literal["no_sub", "cdm", "vortex"]
Task = Literal["classification", "adaptation", "anomaly", "regression"]
# What a task runs on. Of a task that is not listed it is taken to be empty, whatever it says.
RUNS_ON = {
    "adaptation": ("adaptation", "pairs"),
    "anomaly": ("anomaly", "domains"),
    "regression": ("regression", "domains"),
}
# Lists that other keys refer to: where they are wrong, what refers to them cannot be judged.
REFERRED = {"domains", "encoders", "seeds", "pairs", "substructures", "tasks", "catalogue"}
REPAIRS = 5  # rounds; a section's own mistakes can hide those of the whole
COMMAND_LINE = "--config"
MODULE = "config of the module"
Problems = Callable[[Any, Origins], list[str]]


# Folders of a run without a name, which a named one would lie among.
TAKEN = (
    *("adaptation", "anomaly", "attribution", "audit", "cards", "classification", "convergence"),
    *("datasets", "development", "encoders", "export", "figures", "fits", "gallery"),
    *("harmony", "limit", "misspecification", "observed", "pretraining", "proxies"),
    *("regression", "search", "studies", "sweep", "tables", "transfer"),
)


def _free(name: str) -> str:
    if name in TAKEN:
        raise ValueError(
            "is a folder of the results of a run without a name; not allowed are "
            + ", ".join(TAKEN)
        )
    return name


Run = Annotated[Name, AfterValidator(_free)]


class ConfigFile(Section):
    """What a configuration file holds."""

    run: Run | None = None
    """`null`, or a name: results, logs and states of this configuration go to `results/<run>/` and
    so on, beside those of others.
    """
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    """Of the simulation and of the bootstrap; training seeds are listed where they are used."""
    tasks: Annotated[list[Task], Field(min_length=1), AfterValidator(check_unique)]
    """What a plain run makes. What a task runs on (`adaptation.pairs`, `anomaly.domains`,
    `regression.domains`) counts only if the task is listed, so that an overlay for one task says
    nothing of the others.
    """
    domains: UniqueNames
    """Domains to simulate, by the name of their file."""
    substructures: Annotated[list[Substructure], Field(min_length=2), AfterValidator(check_unique)]
    """Classes: `no_sub` (smooth lens), `cdm` (subhalos), `vortex` (line mass). `no_sub` comes
    first.
    """
    simulation: Simulation
    """How many images are simulated, and by which engine."""
    network_input: NetworkInput
    """What enters a network: channels, their scales, and how much of the images."""
    encoders: dict[Name, Encoder]
    """Networks by a name of your choice."""
    classifier: Classifier
    """Which classifiers are trained, and how."""
    regression: Regression
    """The encoders' second task: how much substructure, and which axion."""
    adaptation: Adaptation
    """From a labelled camera to an unlabelled one."""
    development: Development
    """Settings of adaptation, searched on targets that are not reported."""
    fit: Fit
    """A smooth lens fitted to every image."""
    anomaly: Anomaly
    """Substructure as an anomaly, without labels."""
    evaluation: Evaluation
    """Intervals and operating points of the tables."""
    audit: Audit
    """Tests for leaks in the datasets."""
    benchmark: Benchmarks
    """Speed: `snakemake benchmark --cores 1`."""
    limit: Limit
    """Bounds on the AUC that any method can reach: `snakemake limit`."""
    misspecification: Misspecification
    """Fits that believe something wrong: `snakemake misspecification`."""
    attribution: Attribution
    """Where classifiers look: `snakemake attribution`."""
    zoo: Zoo
    """Encoders at equal compute: `snakemake zoo`."""
    ablation: Ablation
    """Parts of the recipe, one at a time: `snakemake ablation`."""
    scaling: Scaling
    """Number of training images at equal steps: `snakemake scaling`."""
    sweep: Sweep
    """Settings of the masked autoencoder, one at a time: `snakemake sweep`."""
    observed: Observed
    """Observed lenses that trained networks score: `snakemake observed`."""
    pretraining: Pretraining
    """A masked autoencoder as the start of a classifier: `snakemake pretraining`."""
    search: Search
    """Hyperparameters on validation images: `snakemake search`."""
    figures: Figures
    """Look of the figures."""
    compute: Compute
    """Where training runs."""
    catalogue: Catalogue = Catalogue()
    """Changes to the shipped cameras, populations and domains, or new ones."""

    @model_validator(mode="after")
    def _no_sub_first(self) -> Self:
        if self.substructures[0] != "no_sub":
            raise WrongKey(
                "substructures", "must begin with no_sub, the class without substructure"
            )
        return self


class Config(ConfigFile):
    """The configuration with every domain resolved."""

    resolved: dict[str, Domain]
    timed: dict[str, Domain]  # of the benchmark
    timed_in_fits: dict[str, Domain]
    timed_in_training: Domain
    labels: dict[str, str]  # of every domain, for figures

    @property
    def results(self) -> str:
        """Folder of everything that the workflow makes."""
        return "results" if self.run is None else f"results/{self.run}"

    @property
    def limit_domains(self) -> list[str]:
        """Domains whose physical limit is computed: without noise there is none."""
        names = self.domains if self.limit.domains == "all" else self.limit.domains
        known = [n for n in names if self.resolved[n].instrument.noise != "none"]
        return [n for n in known if self.resolved[n].files is None]

    def attributed(self, key: Literal["domains", "encoders", "seeds"]) -> list:
        """Domains, encoders or seeds of the classifier whose maps are made."""
        if asked := listed(getattr(self.attribution, key)):
            return asked
        own = list(getattr(self.classifier, key))
        return own if key != "domains" else [n for n in own if self.resolved[n].files is None]

    def domain(self, name: str) -> Domain:
        """A resolved domain."""
        return self.resolved[name]


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


def noiseless(domain: str) -> str:
    """Name of a domain's twin without noise."""
    return f"{domain}_noiseless"


def resolved_text(config: Config) -> str:
    """The whole configuration as YAML, with every domain resolved."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
