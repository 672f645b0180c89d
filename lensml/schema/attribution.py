"""Maps of where a classifier looks, beside where the substructure is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from lensml.schema.base import AllOrNames, AllOrSeeds, Count, Section, check_unique
from lensml.schema.encoders import Encoder

MapMethod = Literal["grad_cam", "grad_cam_stem", "rollout"]
# Kinds of encoders that have a method; all have the one that is not named.
KINDS = {"grad_cam_stem": ("vit_conv_stem", "cnn"), "rollout": ("vit", "vit_conv_stem")}


class MapSpec(Section):
    """How maps are made."""

    methods: Annotated[list[MapMethod], Field(min_length=1), AfterValidator(check_unique)]
    n_images: Annotated[int, Field(ge=2)]  # first test images of every class with substructure
    n_examples: Count  # of them, per class, in the figure


class Attribution(MapSpec):
    """Attribution maps of trained classifiers, scored by the substructure that was put in."""

    domains: AllOrNames  # of the classifier's, as the next two
    encoders: AllOrNames
    seeds: AllOrSeeds

    @property
    def maps(self) -> MapSpec:
        """Without the lists that say of which runs."""
        return self.part(MapSpec)


def methods_of(encoder: Encoder, methods: list[MapMethod]) -> list[MapMethod]:
    """Those of the methods that an encoder has."""
    return [m for m in methods if encoder.kind in KINDS.get(m, (encoder.kind,))]


def unmapped(spec: MapSpec, encoders: Mapping[str, Encoder]) -> str:
    """What is wrong with the methods if one of the encoders has none of them."""
    missing = [name for name, e in encoders.items() if not methods_of(e, spec.methods)]
    if not missing:
        return ""
    kinds = "; ".join(f"{method} for kinds {' and '.join(KINDS[method])}" for method in KINDS)
    return f"encoder '{missing[0]}' has none of them; grad_cam is for all, {kinds}"
