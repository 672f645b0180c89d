"""The whole configuration, as its files have it and with its domains resolved."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import yaml
from pydantic import AfterValidator, Field, model_validator

from lensml.schema.adaptation import Adaptation
from lensml.schema.anomaly import Anomaly
from lensml.schema.attribution import Attribution
from lensml.schema.base import Name, Section, UniqueNames, WrongKey, check_unique
from lensml.schema.catalogue import Catalogue
from lensml.schema.development import Development
from lensml.schema.encoders import Encoder, NetworkInput
from lensml.schema.fit import Fit
from lensml.schema.limit import Limit
from lensml.schema.misspecification import Misspecification
from lensml.schema.observed import Observed
from lensml.schema.pretraining import Pretraining
from lensml.schema.references import listed
from lensml.schema.regression import Regression
from lensml.schema.search import Search
from lensml.schema.simulation import Domain, Simulation
from lensml.schema.speed import Benchmarks
from lensml.schema.studies import Ablation, Scaling, Zoo
from lensml.schema.sweep import Sweep
from lensml.schema.training import Audit, Classifier, Compute, Evaluation, Figures

Substructure = Literal["no_sub", "cdm", "vortex"]
Task = Literal["classification", "adaptation", "anomaly", "regression"]
# What a task runs on. Of a task that is not listed it is taken to be empty, whatever it says.
RUNS_ON = {
    "adaptation": ("adaptation", "pairs"),
    "anomaly": ("anomaly", "domains"),
    "regression": ("regression", "domains"),
}

# Folders of a run without a name, which a named one would lie among.
TAKEN = (
    *("adaptation", "anomaly", "attribution", "audit", "cards", "classification", "convergence"),
    *("datasets", "development", "encoders", "export", "figures", "fits", "gallery"),
    *("harmony", "limit", "misspecification", "observed", "pretraining", "proxies"),
    *("regression", "search", "studies", "sweep", "tables", "transfer", "verdict"),
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


def noiseless(domain: str) -> str:
    """Name of a domain's twin without noise."""
    return f"{domain}_noiseless"


def resolved_text(config: Config) -> str:
    """The whole configuration as YAML, with every domain resolved."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
