"""How networks are trained and judged: optimiser, classifier, intervals, figures, devices."""

from __future__ import annotations

import difflib
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from lensml.schema.base import (
    Count,
    Name,
    NonNegative,
    Positive,
    Rate,
    Section,
    Seeds,
    UniqueNames,
    WrongKey,
    check_unique,
)

Beta = Annotated[float, Field(ge=0, lt=1)]
Betas = Annotated[list[Beta], Field(min_length=2, max_length=2)]
BASELINE = "radial_profile"  # of classification
FIT_STATISTICS = "fit_statistics"  # classifier without a network, where lenses are fitted
COLOR_MAPS = (  # matplotlib's sequential ones: an image's brightness is one quantity
    *("viridis", "plasma", "inferno", "magma", "cividis", "gray", "bone", "pink", "hot"),
    *("afmhot", "gist_heat", "copper", "Greys", "Purples", "Blues", "Greens", "Oranges", "Reds"),
)


class Optimization(Section):
    """AdamW or Muon with linear warm-up and cosine decay."""

    optimizer: Literal["adamw", "muon"] = "adamw"
    batch_size: Annotated[int, Field(ge=2)]
    learning_rate: Rate
    min_learning_rate: NonNegative
    weight_decay: NonNegative
    betas: Betas
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)]
    clip_grad_norm: Positive

    @model_validator(mode="after")
    def _decays(self) -> Self:
        if self.min_learning_rate > self.learning_rate:
            raise WrongKey(
                "min_learning_rate", f"must not exceed learning_rate ({self.learning_rate:g})"
            )
        return self


class ClassifierRecipe(Optimization):
    """How a substructure classifier is trained."""

    epochs: Count
    evaluations_per_epoch: Count  # validations between two of which the best is chosen
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    ema_decay: Annotated[float, Field(ge=0, lt=1)]  # 0 switches the averaging off
    paired_batches: bool  # a batch holds its lens systems once per class
    augment: bool
    test_time_augmentation: bool


class Classifier(ClassifierRecipe):
    """Which classifiers are trained, and how."""

    domains: UniqueNames
    encoders: UniqueNames
    seeds: Seeds

    @property
    def recipe(self) -> ClassifierRecipe:
        """Without the lists that say which runs exist."""
        return self.part(ClassifierRecipe)


class Evaluation(Section):
    """Intervals and operating points of the tables."""

    n_bootstrap: Annotated[int, Field(ge=100)]
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    false_positive_rates: Annotated[
        list[Annotated[float, Field(gt=0, lt=1)]],
        Field(min_length=1),
        AfterValidator(check_unique),
    ]
    calibration_bins: Annotated[int, Field(ge=2)]
    n_embedded: Annotated[int, Field(ge=10)]  # test images per domain in the embedding figure
    compare_with: Name = BASELINE  # encoder of the classifier, or the baseline


class Audit(Section):
    """Thresholds and sizes of the tests for leaks in the datasets."""

    n_standard_errors: Positive  # allowed distance from what there is without a leak
    ks_p_value: Annotated[float, Field(gt=0, lt=1)]  # over the number of columns
    radial_profile_auc: Annotated[
        float, Field(gt=0.5, le=1)
    ]  # above it: an Einstein radius is enough
    moments_auc: Annotated[
        float, Field(gt=0.5, le=1)
    ]  # above it: radius and shape of the ring are enough
    n_traced: Annotated[int, Field(ge=8)]  # images per class with an effective Einstein radius
    n_profiled: Annotated[int, Field(ge=8)]  # images per class and split with radial profiles
    n_rendered: Count  # images per class and split that are rendered again without noise


class Benchmark(Section):
    """Speed of the simulator beside lenstronomy's, and of the loader."""

    domains: UniqueNames  # of the catalogue; they need not be listed under the study's domains
    supersampling_factors: Annotated[  # beside the domain's own
        list[Annotated[int, Field(ge=1, le=16)]], AfterValidator(check_unique)
    ]
    n_images: Count  # rendered by the kernel in one turn
    n_images_lenstronomy: Count  # distinct systems, each rendered once by lenstronomy in one turn
    n_images_loader: Count
    repeats: Annotated[int, Field(ge=2)]  # turns of either engine


def _check_color_map(name: str) -> str:
    known = [*COLOR_MAPS, *(f"{name}_r" for name in COLOR_MAPS)]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(
            f"should be one of matplotlib's sequential colour maps, {', '.join(COLOR_MAPS)}, or "
            f"one of them reversed with _r{hint}"
        )
    return name


class Figures(Section):
    """Look of the figures."""

    dpi: Annotated[int, Field(ge=50, le=1200)]
    font_size: Annotated[float, Field(ge=1, le=100)]  # points
    width: Annotated[float, Field(ge=0.5, le=50)]  # inches
    color_map: Annotated[str, AfterValidator(_check_color_map)]
    gallery_examples: Count  # per class and domain


class Compute(Section):
    """Where training runs."""

    device: Literal["auto", "cpu", "cuda"]
    threads: Count  # torch threads of one job; the bits of a result depend on it
    max_memory_fraction: Annotated[float, Field(gt=0, le=1)]  # images above it stay on disk
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # of training
    compile: bool = False  # torch.compile of the trained networks
    devices: Count = 1  # GPUs of one training run, or processes where there is none
