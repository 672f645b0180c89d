"""Maps of where a classifier looks, beside where the substructure is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from lensml.schema.base import Count, Section, Seeds, UniqueNames, _check_unique
from lensml.schema.encoders import Encoder

MapMethod = Literal["grad_cam", "rollout"]
WITH_ROLLOUT = ("vit", "vit_conv_stem")  # kinds of encoders
WITH_STEM = ("vit_conv_stem", "cnn")


class MapSpec(Section):
    """How maps are made."""

    methods: Annotated[list[MapMethod], Field(min_length=1), AfterValidator(_check_unique)]
    layer: Literal["tokens", "stem"]  # of Grad-CAM
    n_images: Annotated[int, Field(ge=2)]  # first test images of every class with substructure
    n_examples: Count  # of them, per class, in the figure


class Attribution(MapSpec):
    """Attribution maps of trained classifiers, scored by the substructure that was put in."""

    domains: Literal["all"] | UniqueNames  # of the classifier's, as the next two
    encoders: Literal["all"] | UniqueNames
    seeds: Literal["all"] | Seeds


def methods_of(encoder: Encoder, methods: list[MapMethod]) -> list[MapMethod]:
    """Methods that an encoder has: attention rollout is for transformers alone."""
    return [m for m in methods if m != "rollout" or encoder.kind in WITH_ROLLOUT]


def unmapped(spec: MapSpec, encoders: Mapping[str, Encoder]) -> dict[str, str]:
    """Key of the section -> what is wrong with it for these encoders."""
    without_stem = [n for n, e in encoders.items() if e.kind not in WITH_STEM]
    if spec.layer == "stem" and "grad_cam" in spec.methods and without_stem:
        kinds = " and ".join(WITH_STEM)
        return {
            "layer": f"= 'stem': encoder '{without_stem[0]}' has no convolutions to show; allowed "
            f"are tokens, or encoders of kind {kinds}"
        }
    for name, encoder in encoders.items():
        if not methods_of(encoder, spec.methods):
            kinds = " and ".join(WITH_ROLLOUT)
            return {
                "methods": f"= {spec.methods}: none is for encoder '{name}'; rollout is for kinds "
                f"{kinds}, grad_cam for all"
            }
    return {}
