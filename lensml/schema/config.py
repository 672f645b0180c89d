"""The whole configuration: reading, merging with the catalogue, checking."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from lensml.schema.adaptation import Adaptation
from lensml.schema.anomaly import Anomaly
from lensml.schema.attribution import Attribution
from lensml.schema.base import Name, Section, UniqueNames, check_unique
from lensml.schema.catalogue import Catalogue, Entries, read_catalogue, resolve
from lensml.schema.development import Development, development_problems
from lensml.schema.encoders import Encoder, NetworkInput
from lensml.schema.errors import ConfigError, Origins, validated
from lensml.schema.limit import Limit
from lensml.schema.misfits import misfits
from lensml.schema.observed import Observed, observed_problems
from lensml.schema.pretraining import Pretraining, pretraining_problems
from lensml.schema.references import listed, undeclared, unknown_domains
from lensml.schema.regression import Regression
from lensml.schema.search import Search, search_problems
from lensml.schema.simulation import Domain, Simulation
from lensml.schema.speed import Benchmarks
from lensml.schema.studies import Ablation, Scaling, Zoo, study_problems
from lensml.schema.sweep import Sweep, sweep_problems
from lensml.schema.training import Audit, Classifier, Compute, Evaluation, Figures
from lensml.schema.yaml_reader import read_yaml

Substructure = Literal["no_sub", "cdm", "vortex"]
Task = Literal["classification", "adaptation", "anomaly", "regression"]
# What a task runs on. Of a task that is not listed it is taken to be empty, whatever it says.
RUNS_ON = {
    "adaptation": ("adaptation", "pairs"),
    "anomaly": ("anomaly", "domains"),
    "regression": ("regression", "domains"),
}
Problems = Callable[[Any], list[str]]


class ConfigFile(Section):
    """What a configuration file holds."""

    run: Name | None = None  # results in results/<run>, so that several lie side by side
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    tasks: Annotated[list[Task], Field(min_length=1), AfterValidator(check_unique)]
    domains: UniqueNames
    substructures: Annotated[list[Substructure], Field(min_length=2), AfterValidator(check_unique)]
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

    @model_validator(mode="after")
    def _no_sub_first(self) -> Self:
        if self.substructures[0] != "no_sub":
            raise ValueError(
                "substructures must begin with no_sub, the class without substructure"
            )
        return self


class Config(ConfigFile):
    """The configuration with every domain resolved."""

    resolved: dict[str, Domain]
    timed: dict[str, Domain]  # of the benchmark
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
    origins = Origins({str(f): read_yaml(f) for f in files})
    tree = of_active_tasks(merged)
    raw = validated(ConfigFile, tree, origins)
    entries = read_catalogue(catalogue_dir, raw.catalogue)
    _refuse(_reference_problems(raw, entries, origins))
    config = validated(Config, {**tree, **_resolved(raw, entries, origins)}, origins)
    _refuse(misfits(config, origins) + sweep_problems(config))
    return config


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


def _refuse(problems: list[str]) -> None:
    if problems:
        raise ConfigError(problems)


def _reference_problems(raw: ConfigFile, entries: Entries, origins: Origins) -> list[str]:
    """Names that nothing declares, and sections that contradict others."""
    timed = raw.benchmark
    lines = []
    for key, names in (
        ("domains", raw.domains),
        ("benchmark.domains", timed.domains),
        ("benchmark.training.domain", [timed.training.domain]),
    ):
        lines += unknown_domains(key, names, entries["domains"], origins)
    lines += undeclared(raw, origins)
    checks: tuple[Problems, ...] = (
        study_problems,
        search_problems,
        development_problems,
        observed_problems,
        pretraining_problems,
    )
    return lines + [line for check in checks for line in check(raw)]


def _resolved(raw: ConfigFile, entries: Entries, origins: Origins) -> dict[str, Any]:
    """Every domain that something runs on."""

    def resolved(name: str) -> dict[str, Any]:
        return resolve(name, entries, origins.files)

    domains = {name: resolved(name) for name in raw.domains}
    if any(variant.redraw_noise for variant in raw.ablation.variants.values()):
        domains |= _without_noise(domains[raw.ablation.domain or raw.classifier.domains[0]])
    named = {*raw.domains, *raw.benchmark.domains}
    return {
        "labels": {name: entries["domains"][name].content.get("label") or name for name in named},
        "resolved": domains,
        "timed": {name: resolved(name) for name in raw.benchmark.domains},
        "timed_in_training": resolved(raw.benchmark.training.domain),
    }


def _without_noise(domain: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """A domain's twin whose images have no noise, by its name."""
    name = noiseless(domain["name"])
    instrument = {**domain["instrument"], "noise": "none"}
    return {name: {**domain, "name": name, "instrument": instrument}}


def noiseless(domain: str) -> str:
    """Name of a domain's twin without noise."""
    return f"{domain}_noiseless"
