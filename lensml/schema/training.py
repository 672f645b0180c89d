"""How networks are trained and judged: optimiser, classifier, intervals, figures, devices."""

from __future__ import annotations

import difflib
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

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
KNOWN_MAPS = [*COLOR_MAPS, *(f"{name}_r" for name in COLOR_MAPS)]


class Optimization(Section):
    """AdamW or Muon with linear warm-up and cosine decay."""

    optimizer: Literal["adamw", "muon"] = "adamw"
    """`adamw`, or `muon`, which makes the updates of inner matrices orthogonal and leaves the rest
    to NAdamW; one learning rate serves both.
    """
    batch_size: Annotated[int, Field(ge=2)]
    """Images of one step; a batch larger than the training images is refused."""
    learning_rate: Rate
    """Highest rate, at the end of the linear warm-up."""
    min_learning_rate: NonNegative
    """Rate at the end, which half a cosine falls to."""
    weight_decay: NonNegative
    """Of the optimiser."""
    betas: Betas
    """Of AdamW: decay of the mean gradient and of its mean square."""
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)]
    """Share of the steps in which the learning rate rises linearly."""
    clip_grad_norm: Positive
    """Norm that longer gradients are cut to."""

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
    """Passes over the training images."""
    evaluations_per_epoch: Count
    """Validations; the weights with the best validation AUC are kept. Test images are never used
    for a choice.
    """
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    """Of the cross-entropy."""
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    """Of the moving average of the weights, which is what is evaluated; 0 switches it off."""
    paired_batches: bool
    """A batch holds its lens systems once per class (the classes share lens, source and noise):
    what has nothing to do with the class cancels in the gradient. Without it, training may sit at
    chance for a thousand steps.
    """
    augment: bool
    """Random elements of the population's exact symmetry group."""
    test_time_augmentation: bool
    """Predictions averaged over that group."""


class Classifier(ClassifierRecipe):
    """Which classifiers are trained, and how."""

    domains: UniqueNames
    """Domains to train on, one classifier each."""
    encoders: UniqueNames
    """Which of `encoders`."""
    seeds: Seeds
    """One run each; the tables give mean and spread."""

    @property
    def recipe(self) -> ClassifierRecipe:
        """Without the lists that say which runs exist."""
        return self.part(ClassifierRecipe)


class Evaluation(Section):
    """Intervals and operating points of the tables."""

    n_bootstrap: Annotated[int, Field(ge=100)]
    """Samples of the bootstrap over lens systems that intervals are taken from."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    """Of the intervals."""
    false_positive_rates: Annotated[
        list[Annotated[float, Field(gt=0, lt=1)]],
        Field(min_length=1),
        AfterValidator(check_unique),
    ]
    """Where the true positive rate of "any substructure" is given; none where fewer than ten test
    images without substructure are false positives, which a note under the table says. For
    anomalies also where the threshold that validation images set is tried on test images.
    """
    calibration_bins: Annotated[int, Field(ge=2)]
    """Of the expected calibration error and of the reliability diagrams. Noise of the bins adds to
    that error, more so in its bootstrap samples: near zero its interval lies high. `ece_floor` is
    what a perfect classifier with the same confidences would have.
    """
    n_embedded: Annotated[int, Field(ge=10)]
    """Test images per domain in the embedding figure."""
    compare_with: Name = BASELINE
    """One of `classifier.encoders`, or `radial_profile`: `roc_auc_ovr_macro_gain` in
    `classification.csv` is the macro AUC of every network minus its own, on the same test images
    and bootstrap samples and with the same seed.
    """


class Audit(Section):
    """Thresholds and sizes of the tests for leaks in the datasets."""

    n_standard_errors: Positive
    """How far a value may be from what it is without a leak."""
    ks_p_value: Annotated[float, Field(gt=0, lt=1)]
    """Of the Kolmogorov-Smirnov tests, divided by the number of columns."""
    radial_profile_auc: Annotated[float, Field(gt=0.5, le=1)]
    """Warning above, of mean and spread of rings: an Einstein radius is enough to reach it."""
    moments_auc: Annotated[float, Field(gt=0.5, le=1)]
    """Warning above, of the same and six azimuthal moments, the baseline beside every network:
    radius and shape of the ring are enough.
    """
    n_traced: Annotated[int, Field(ge=8)]
    """Images per class whose effective Einstein radius is computed."""
    n_profiled: Annotated[int, Field(ge=8)]
    """Images per class and split whose radial profiles are fitted."""
    n_rendered: Count
    """Images per class and split that are rendered again without noise: for their noise, and for
    the pixels in which no class has light.
    """


class Benchmark(Section):
    """Speed of the simulator beside lenstronomy's, and of the loader."""

    domains: UniqueNames
    """Of the catalogue; they need not be listed under the study's `domains`."""
    supersampling_factors: Annotated[
        list[Annotated[int, Field(ge=1, le=16)]], AfterValidator(check_unique)
    ]
    """Rays per pixel and axis, beside each domain's own."""
    n_images: Count
    """Images that the kernel renders in one turn."""
    n_images_lenstronomy: Count
    """Distinct systems; lenstronomy renders each once in one turn."""
    n_images_loader: Count
    """Images of the store that random batches are read from."""
    repeats: Annotated[int, Field(ge=2)]
    """Turns of either engine; the table has medians over them."""


def _check_color_map(name: str) -> str:
    if name not in KNOWN_MAPS:
        near = difflib.get_close_matches(name, KNOWN_MAPS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(
            f"should be one of matplotlib's sequential colour maps, {', '.join(COLOR_MAPS)}, or "
            f"one of them reversed with _r{hint}"
        )
    return name


class Figures(Section):
    """Look of the figures."""

    dpi: Annotated[int, Field(ge=50, le=1200)]
    """Dots per inch."""
    font_size: Annotated[float, Field(ge=1, le=100)]
    """Points."""
    width: Annotated[float, Field(ge=0.5, le=50)]
    """Inches."""
    color_map: Annotated[
        str, AfterValidator(_check_color_map), WithJsonSchema({"enum": KNOWN_MAPS})
    ]
    """Of images: one of matplotlib's sequential ones, such as `magma`, `viridis` or `gray_r`."""
    gallery_examples: Count
    """Per class and domain."""


class Compute(Section):
    """Where training runs."""

    device: Literal["auto", "cpu", "cuda"]
    """Where networks are trained and judged; `auto` takes a GPU if there is one."""
    threads: Count
    """Torch threads of one job (of one process, if `devices` is more than 1); the last bits of a
    result depend on it.
    """
    max_memory_fraction: Annotated[float, Field(gt=0, le=1)]
    """Datasets above this share of the machine's memory are read from disk as they are needed."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of training: `float32`, `bfloat16` (autocast of forward pass and loss), or `auto`: bfloat16
    on GPUs that multiply it, float32 on a CPU, where bfloat16 is up to seven times slower. With
    bfloat16 on a GPU the rest of a step may use TF32. Weights, optimisers and evaluations are
    float32 always.
    """
    compile: bool = False
    """The trained networks are compiled by `torch.compile` (needs a C++ compiler, on GPUs Triton).
    The first steps take a minute or two, so it pays for long runs only.
    """
    devices: Count = 1
    """Of one `train_classifier` or `train_mae`: GPUs, or processes with `threads` each where there
    is no GPU. The other rules use one.
    """
