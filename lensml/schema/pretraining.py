"""Is a masked autoencoder a start for classification? snakemake pretraining."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError

from lensml.schema.anomaly import Mae
from lensml.schema.base import Count, Name, Positive, Section, Seeds, check_unique
from lensml.schema.encoders import Vit
from lensml.schema.errors import Origins, lines_of_changes
from lensml.schema.references import unlisted_domain
from lensml.schema.training import ClassifierRecipe
from lensml.schema.yaml_reader import deep_merge

STARTS = ("pretrained", "scratch", "linear_probe", "shipped")
Share = Annotated[float, Field(gt=0, le=1)]


class Pretraining(Section):
    """Classifiers on a share of the labels, from a masked autoencoder and from scratch."""

    domain: Name | None
    """`null`: the first of `classifier.domains`."""
    seeds: Seeds
    """A run starts from the autoencoder of its seed, or of the first of `anomaly.seeds`."""
    fractions: Annotated[list[Share], Field(min_length=1), AfterValidator(check_unique)]
    """Shares of the labelled images, the first ones, of training and of validation alike; the test
    is whole.
    """
    epochs: Count
    """Of all images, in steps: every fraction has as many."""
    classifier: dict[str, Any]
    """What training of the plain transformer changes in `classifier`."""
    probe_C: Annotated[list[Positive], Field(min_length=1)]
    """Inverse regularisations of the linear probe, chosen by log-loss on the validation images."""


def mae_encoder(mae: Mae) -> Vit:
    """The vision transformer that a masked autoencoder's encoder fits into."""
    return Vit(
        kind="vit",
        patch_size=mae.patch_size,
        embed_dim=mae.embed_dim,
        depth=mae.depth,
        num_heads=mae.num_heads,
        mlp_ratio=mae.mlp_ratio,
        init_values=None,
        drop_path_rate=0.0,
    )


def pretraining_recipe(pretraining: Pretraining, classifier: ClassifierRecipe) -> ClassifierRecipe:
    """The recipe of the plain transformer.

    Raises:
        ValidationError: a change is not allowed.
    """
    changes = {"epochs": pretraining.epochs, **pretraining.classifier}
    recipe = classifier.part(ClassifierRecipe).model_dump()
    return ClassifierRecipe.model_validate(deep_merge(recipe, changes))


def few_labels(n: int) -> str:
    """What is wrong with a share that leaves next to nothing of ``n`` images."""
    return f"leaves fewer than 2 images per class of {n} for training or validation"


def pretraining_problems(config: Any, origins: Origins) -> list[str]:
    """What is wrong in the section, one line each.

    Args:
        config: with the sections pretraining, classifier, simulation and the list of domains.
        origins: files of the configuration.
    """
    section = config.pretraining
    lines = unlisted_domain("pretraining.domain", config, origins)
    fewest = min(config.simulation.n_train, config.simulation.n_val)
    # Of a study that nobody spoke of, too small a dataset is a problem when it is asked for.
    if origins.chosen("pretraining", "fractions"):
        lines += [
            origins.line("pretraining.fractions", few_labels(fewest), value=fraction)
            for fraction in section.fractions
            if round(fraction * fewest) < 2
        ]
    try:
        pretraining_recipe(section, config.classifier)
    except ValidationError as error:
        keys = sorted(ClassifierRecipe.model_fields)
        lines += lines_of_changes(error, "pretraining.classifier", origins, keys)
    return lines
