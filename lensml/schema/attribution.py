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
    """`grad_cam` (arXiv:1610.02391): of the last map before pooling, for transformers the tokens
    after the last block; `grad_cam_stem`: of the map before the last halving of convolutions,
    twice as fine (kinds `vit_conv_stem` and `cnn`); `rollout` (attention rollout,
    arXiv:2005.00928; kinds `vit` and `vit_conv_stem`), which knows no class. An encoder gets those
    that it has. One without a spatial map is refused when its maps are made.
    """
    n_images: Annotated[int, Field(ge=2)]
    """Test images of every class with substructure."""
    n_examples: Count
    """The first of them, per class, in the figures
    `results/figures/attribution/<domain>_<encoder>` (first seed).
    """


class Attribution(MapSpec):
    """Attribution maps of trained classifiers, scored by the substructure that was put in."""

    domains: AllOrNames
    """`all`, or some of the classifier's."""
    encoders: AllOrNames
    """`all`, or some of the classifier's."""
    seeds: AllOrSeeds
    """`all`, or some of the classifier's."""

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
