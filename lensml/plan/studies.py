"""Studies beside the shipped classifier: encoders, parts of the recipe, images, search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lensml.plan.classification import Classification, Row
from lensml.plan.datasets import Datasets, dump
from lensml.plan.layout import filled
from lensml.schema.config import noiseless
from lensml.schema.encoders import NetworkInput
from lensml.schema.steps import steps_of
from lensml.schema.studies import SHIPPED, Recipe, Variant, resolve_variant
from lensml.schema.training import BASELINE

TITLES = {
    "zoo": "Encoders at equal compute",
    "ablation": "Parts of the recipe",
    "scaling": "Number of training images",
    "search": "Best trials of the search, trained again",
}
ON_VALIDATION = ("ablation", "search")  # where parts of the recipe are chosen


@dataclass(frozen=True)
class Studies(Datasets):
    """What each run of a study is given."""

    @property
    def candidate_run(self) -> str:
        """Pattern of the runs that confirm a search."""
        run = self.at.study_run.replace("{study}", "search")
        return run.replace("{variant}", "{candidate}")

    def section(self, study: str) -> Any:
        """A study's section."""
        return getattr(self.config, study)

    def domain(self, study: str) -> str:
        """Whose images."""
        return self.section(study).domain or self.config.classifier.domains[0]

    def variants(self, study: str) -> list[str]:
        """Names of the runs of a study: encoders, variants, numbers of images."""
        section = self.section(study)
        if study == "zoo":
            return section.encoders
        if study == "ablation":
            return list(section.variants)
        if study == "search":
            return [SHIPPED, *(f"rank{k + 1}" for k in range(section.n_confirmed))]
        fewer = {min(n, self.config.simulation.n_train) for n in section.n_train}
        return [f"n{n}" for n in sorted(fewer)]

    def reference(self, study: str) -> str:
        """Variant that the others of a study are compared with."""
        if study == "scaling":
            return self.variants(study)[-1]
        return self.config.zoo.compare_with if study == "zoo" else SHIPPED

    def title(self, study: str) -> str:
        """Of the figure."""
        return f"{TITLES[study]}, {self.config.labels[self.domain(study)]}"

    def search_title(self) -> str:
        """Of the figures of the search's trials."""
        encoder = self.config.search.encoder
        return f"Search of hyperparameters, {encoder}, {self.config.labels[self.domain('search')]}"

    def encoder_size(self, encoder: str, domain: str) -> str:
        """Size of an encoder for the images of a domain."""
        return filled(self.at.encoder_size, encoder=encoder, img_size=self.img_size(domain))

    def variant(self, wildcards: Any) -> Variant:
        """What a run changes in the shipped recipe."""
        study, name = wildcards.study, wildcards.variant
        if study == "zoo":
            return Variant(encoder=name)
        if study == "ablation":
            variant = self.config.ablation.variants[name]
            shorter = {"epochs": self.config.ablation.epochs, **variant.classifier}
            return variant.model_copy(update={"classifier": shorter})
        return Variant()

    def recipe(self, wildcards: Any) -> dict[str, Any]:
        """Encoder, training and scale of the images of a run."""
        variant = self.variant(wildcards)
        encoder = variant.encoder or self.section(wildcards.study).encoder
        return dump(self._resolved(variant, encoder))

    def _resolved(self, variant: Variant, encoder: str) -> Recipe:
        return resolve_variant(
            variant,
            encoder=encoder,
            encoders=self.config.encoders,
            classifier=self.config.classifier.recipe,
            network_input=self.config.network_input,
        )

    def seen_by(self, wildcards: Any, domain: str, split: str) -> list[str]:
        """What a run waits for that sees images of a domain through its own channels."""
        own = NetworkInput.model_validate(self.recipe(wildcards)["network_input"])
        return self.seen(domain, split, fitted=own.fitted)

    def train_domain(self, wildcards: Any) -> str:
        """Whose training images: without noise, where it is drawn anew in every batch."""
        domain = self.domain(wildcards.study)
        return noiseless(domain) if self.variant(wildcards).redraw_noise else domain

    def n_train(self, wildcards: Any) -> int | None:
        """Training images of every class; None for all."""
        return int(wildcards.variant.removeprefix("n")) if wildcards.study == "scaling" else None

    def steps(self, wildcards: Any) -> int | None:
        """Steps of the shipped recipe on all images; None for the epochs of an ablation's."""
        if wildcards.study == "ablation":
            return None
        n_train = self.config.simulation.n_train
        recipe = self.config.classifier.recipe
        return steps_of(recipe, n_train=n_train, n_classes=len(self.classes))

    def sizes(self, wildcards: Any) -> list[str]:
        """Encoders whose operations make the number of steps; none where steps are given."""
        if wildcards.study != "zoo":
            return []
        domain = self.domain("zoo")
        encoders = (self.config.zoo.reference, wildcards.variant)
        return [self.encoder_size(encoder, domain) for encoder in encoders]

    def mae(self, wildcards: Any) -> list[str]:
        """Masked autoencoder that a run starts from, if any."""
        if not self.variant(wildcards).initialise:
            return []
        domain, seed = self.domain(wildcards.study), self.config.anomaly.seeds[0]
        return [f"{filled(self.at.mae_run, domain=domain, seed=seed)}/weights.safetensors"]

    def rows(self, study: str) -> list[Row]:
        """Predictions of every run, of test images or of validation ones."""
        file = "validation.csv" if study in ON_VALIDATION else "predictions.csv"
        rows = [
            {
                "study": study,
                "variant": variant,
                "seed": seed,
                "path": f"{folder}/{file}",
                "run": f"{folder}/run.json",
                "size": self.encoder_size(variant, self.domain(study)) if study == "zoo" else "",
            }
            for variant in self.variants(study)
            for seed in self.section(study).seeds
            for folder in [filled(self.at.study_run, study=study, variant=variant, seed=seed)]
        ]
        return [*rows, self._baseline()] if study == "zoo" else rows

    def _baseline(self) -> Row:
        path = Classification(self.config, self.in_storage).baseline(self.domain("zoo"))
        row = {"study": "zoo", "variant": BASELINE, "seed": 0, "path": path}
        return {**row, "run": "", "size": ""}

    def search_start(self, **length: int) -> dict[str, Any]:
        """What every trial of the search depends on, or, at full length, every candidate."""
        domain = self.config.domain(self.domain("search"))
        encoder = self.config.search.encoder
        return {
            "recipe": dump(self._resolved(Variant(classifier=length), encoder)),
            "num_pix": domain.num_pix,
            "n_train": self.config.simulation.n_train,
            "symmetry": domain.population.symmetry,
        }

    def results(self, study: str) -> list[str]:
        """Table and figure."""
        return self.at.table(study) + self.at.figure(f"studies/{study}")
