"""Studies beside the shipped classifier: encoders, parts of the recipe, number of images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from lensml.schema.base import (
    Count,
    Name,
    Section,
    Seeds,
    UniqueNames,
    WrongKey,
    check_unique,
    without_null,
)
from lensml.schema.encoders import Encoder, NetworkInput
from lensml.schema.errors import Origins, lines_of_changes
from lensml.schema.references import unlisted, unlisted_domain
from lensml.schema.training import ClassifierRecipe
from lensml.schema.yaml_reader import deep_merge

PARTS = {"classifier": ClassifierRecipe, "network_input": NetworkInput}
SHIPPED = "shipped"  # the variant without changes


class Zoo(Section):
    """Encoders at equal compute: snakemake zoo."""

    domain: Name | None
    """`null`: the first of `classifier.domains`."""
    encoders: UniqueNames
    """Which of `encoders`."""
    reference: Name
    """Each encoder is trained with as many floating-point operations as this one needs for the
    recipe in `classifier`.
    """
    compare_with: Name
    """Encoder that the paired differences on test images are taken from."""
    seeds: Seeds
    """One run each."""

    @model_validator(mode="after")
    def _takes_part(self) -> Self:
        if self.compare_with not in self.encoders:
            known = ", ".join(self.encoders)
            raise WrongKey("compare_with", f"must be one of zoo.encoders ({known})")
        return self


class Variant(Section):
    """What one row of the ablation changes in the shipped recipe."""

    encoder: Name | None = None
    """Another encoder, by its name in `encoders`."""
    encoder_changes: dict[str, Any] = Field(default_factory=dict)
    """Changes in the encoder's keys."""
    classifier: dict[str, Any] = Field(default_factory=dict)
    """Changes in `classifier`."""
    network_input: dict[str, Any] = Field(default_factory=dict)
    """Changes in `network_input`."""
    initialise: Literal["mae"] | None = None
    """`mae` starts from the domain's masked autoencoder (encoder of kind `vit` of its sizes)."""
    redraw_noise: bool = False
    """Trains on noise-free images that get fresh noise in every batch."""


class Ablation(Section):
    """Parts of the recipe, one at a time, on validation images: snakemake ablation."""

    domain: Name | None
    """`null`: the first of `classifier.domains`."""
    encoder: Name
    """Which encoder the variants change."""
    seeds: Seeds
    """One run each."""
    epochs: Count
    """How long each variant is trained; they are compared on validation images."""
    variants: Annotated[
        dict[Name, Variant],
        BeforeValidator(without_null, json_schema_input_type=dict[Name, Variant | None]),
    ]
    """Name: changes. `shipped: {}` must be there; `null` leaves one of the shipped out."""

    @model_validator(mode="after")
    def _has_a_reference(self) -> Self:
        if self.variants.get(SHIPPED) != Variant():
            raise WrongKey("variants", f"must hold '{SHIPPED}: {{}}', which changes nothing")
        return self


class Scaling(Section):
    """AUC against the number of training images at equal steps: snakemake scaling."""

    domain: Name | None
    """`null`: the first of `classifier.domains`."""
    encoder: Name
    """Which of `encoders`."""
    seeds: Seeds
    """One run each."""
    n_train: Annotated[list[Count], Field(min_length=1), AfterValidator(check_unique)]
    """Training images per class (not more than `simulation.n_train`) at equal steps."""


class Recipe(Section):
    """Everything that a run of a study is trained with."""

    encoder: Encoder
    classifier: ClassifierRecipe
    network_input: NetworkInput


def resolve_variant(
    variant: Variant,
    *,
    encoder: str,
    encoders: Mapping[str, Encoder],
    classifier: ClassifierRecipe,
    network_input: NetworkInput,
) -> Recipe:
    """The recipe of a variant.

    Args:
        variant: its changes.
        encoder: name of the encoder, where the variant names none.
        encoders, classifier, network_input: of the configuration.

    Raises:
        ValidationError: a change is not allowed.
    """
    base = encoders[variant.encoder or encoder].model_dump()
    return Recipe(
        encoder=TypeAdapter(Encoder).validate_python(deep_merge(base, variant.encoder_changes)),
        classifier=ClassifierRecipe.model_validate(
            deep_merge(classifier.part(ClassifierRecipe).model_dump(), variant.classifier)
        ),
        network_input=NetworkInput.model_validate(
            deep_merge(network_input.model_dump(), variant.network_input)
        ),
    )


def study_problems(config: Any, origins: Origins) -> list[str]:
    """What is wrong in the studies of a configuration, one line each.

    Args:
        config: with the sections zoo, ablation, scaling, encoders, classifier, network_input and
            the list of domains.
        origins: files of the configuration.
    """
    named = [("zoo.encoders", name) for name in config.zoo.encoders]
    named += [("zoo.reference", config.zoo.reference)]
    named += [("ablation.encoder", config.ablation.encoder)]
    named += [("scaling.encoder", config.scaling.encoder)]
    for name, variant in config.ablation.variants.items():
        if variant.encoder is not None:
            named.append((f"ablation.variants.{name}.encoder", variant.encoder))
    lines = [
        unlisted(key, name, "encoders", config.encoders, origins)
        for key, name in named
        if name not in config.encoders
    ]
    for study in ("zoo", "ablation", "scaling"):
        lines += unlisted_domain(f"{study}.domain", config, origins)
    return lines or _variant_problems(config, origins)


def _variant_problems(config: Any, origins: Origins) -> list[str]:
    lines = []
    for name, variant in config.ablation.variants.items():
        where = f"ablation.variants.{name}"
        try:
            recipe = resolve_variant(
                variant,
                encoder=config.ablation.encoder,
                encoders=config.encoders,
                classifier=config.classifier,
                network_input=config.network_input,
            )
        except ValidationError as error:
            section = {"ClassifierRecipe": "classifier", "NetworkInput": "network_input"}
            part = section.get(error.title, "encoder_changes")
            keys = sorted(PARTS[part].model_fields) if part in PARTS else []
            lines += lines_of_changes(error, f"{where}.{part}", origins, keys)
        else:
            lines += _channel_problems(where, variant, recipe.network_input, config, origins)
    return lines


def _channel_problems(
    where: str, variant: Variant, own: NetworkInput, config: Any, origins: Origins
) -> list[str]:
    """Channels that a variant cannot have."""
    key, lines = f"{where}.network_input.channels", []
    alone = "initialise" if variant.initialise else "redraw_noise" if variant.redraw_noise else ""
    if alone and own.channels != ["image"]:
        lines.append(origins.line(key, f"beside {alone} allowed is [image]", value=own.channels))
    known = config.network_input.channels
    if "kappa" in own.channels and "kappa" not in known:
        reason = f"is made of training images for network_input.channels = {known}; add it there"
        lines.append(origins.line(key, reason, value="kappa"))
    return lines
