"""Unsupervised domain adaptation: pairs of domains, methods and their settings."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from lensml.schema.base import (
    Count,
    Fraction,
    Name,
    NonNegative,
    Positive,
    Rate,
    Section,
    UniqueNames,
    WrongKey,
    check_unique,
)
from lensml.schema.training import Beta, Betas, Optimization


class Pair(Section):
    """Adaptation from a labelled domain to an unlabelled one."""

    source: Name
    """Domain whose labels are known; a classifier must be trained on it."""
    target: Name
    """Domain whose labels are not used."""

    @model_validator(mode="after")
    def _two_domains(self) -> Self:
        if self.source == self.target:
            raise WrongKey("target", "is the source, too; source and target must be two domains")
        return self


class Adda(Section):
    """Adversarial discriminative domain adaptation (Tzeng et al. 2017, arXiv:1702.05464)."""

    start: Literal["source_only", "strong_augmentation", "harmonised"]
    """The classifier that is adapted: the source's; that of `strong_augmentation`, which costs as
    many passes again; `harmonised`: `source_harmonised`, where `harmonise` is not `none`.
    """
    steps: Count
    """Fixed number of steps, warm-up included."""
    warmup_steps: Annotated[int, Field(ge=0)]
    """Of them, the first ones, in which the discriminator learns alone."""
    batch_size: Annotated[int, Field(ge=2)]
    """From each domain."""
    learning_rate_encoder: Rate
    """Of the target encoder."""
    learning_rate_discriminator: Rate
    """Of the discriminator."""
    betas: Betas
    """Of both optimisers."""
    weight_decay: NonNegative
    """Of both optimisers."""
    hidden_dim: Count
    """Size of the discriminator."""
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)]
    """Of the discriminator's domain labels."""
    spectral_norm: bool = False
    """Layers of the discriminator have norm 1."""
    gradient_penalty: NonNegative = 0.0
    """Weight of the squared gradient of the discriminator's logit."""
    clip_grad_norm: Positive
    """Norm that longer gradients are cut to."""
    ema_decay: Beta
    """Moving average of the target encoder, which is what is kept; 0 keeps the last weights."""
    batch_norm: Literal["source", "target"]
    """`source`: the target encoder keeps the source's statistics; `target`: it uses its own."""

    @model_validator(mode="after")
    def _encoder_is_trained(self) -> Self:
        if self.warmup_steps >= self.steps:
            raise WrongKey(
                "warmup_steps", f"must be below steps ({self.steps}), or the encoder never learns"
            )
        return self


class AdaBn(Section):
    """Batch-norm statistics recomputed on the target (Li et al. 2016, arXiv:1603.04779)."""

    n_images: Count
    """Target images that batch-norm statistics are taken from."""


class Oracle(Optimization):
    """The classifier trained further on labelled target images: a reference, not a method."""

    epochs: Count
    """Passes over the target's training images."""
    evaluations_per_epoch: Count
    """Validations of which the best weights are kept."""


class Joint(Section):
    """What methods share that train on labelled source and unlabelled target images together.

    They go on from the source classifier, with as many operations as ADDA.
    """

    optimizer: Literal["adamw", "muon"] = "adamw"
    """`adamw` or `muon`, as for the classifier."""
    batch_size: Annotated[int, Field(ge=2)]
    """From each domain."""
    final_learning_rate: Fraction
    """What every method's `learning_rate` falls to, as a share of it."""
    weight_decay: NonNegative
    """Of the optimiser."""
    betas: Betas
    """Of the optimiser."""
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)]
    """Share of the steps in which the learning rate rises linearly."""
    clip_grad_norm: Positive
    """Norm that longer gradients are cut to."""
    ema_decay: Beta
    """Moving average of the weights, which is what is kept; 0 keeps the last ones."""

    def optimization(self, learning_rate: float) -> Optimization:
        """Optimiser and schedule at a method's learning rate."""
        shared = self.model_dump(exclude={"final_learning_rate", "ema_decay"})
        last = self.final_learning_rate * learning_rate
        return Optimization(**shared, learning_rate=learning_rate, min_learning_rate=last)


class Distortion(Section):
    """Strong augmentation: what cameras may differ in. Zeros switch a part off."""

    gain: Annotated[float, Field(ge=0, lt=1)]
    """Fluxes times exp(±gain)."""
    blur: Annotated[float, Field(ge=0, le=5)]
    """Largest sigma of a Gaussian, pixels."""
    zoom: Annotated[float, Field(ge=0, lt=0.5)]
    """Sizes times 1 ± zoom."""
    noise: NonNegative
    """Largest rms of white noise that is added, in units of the background's rms."""


class JointMethod(Section):
    """What every method sets for itself."""

    learning_rate: Rate
    """At the end of the warm-up."""
    batch_norm: Literal["source", "target"]
    """`source`: the source's statistics throughout; `target`: every batch's own in training, the
    target's in the end.
    """


class SourceContinued(JointMethod):
    """More training on the source: no adaptation, for comparison."""


class SourceHarmonised(JointMethod):
    """More training on the source as the common camera sees it: no adaptation by itself."""


class StrongAugmentation(JointMethod):
    """Training on distorted source images, without the target."""


class Coral(JointMethod):
    """Deep CORAL (Sun & Saenko 2016, arXiv:1607.01719)."""

    weight: Positive
    """Of the distance of covariances."""
    match_mean: bool
    """Whether means are matched, too."""


class Dann(JointMethod):
    """Domain-adversarial training (Ganin et al. 2016, arXiv:1505.07818)."""

    weight: Positive
    """Of the reversed gradient, which rises to it."""
    hidden_dim: Count
    """Size of the discriminator."""
    learning_rate_discriminator: Rate
    """Of the discriminator."""


class AdaMatch(JointMethod):
    """AdaMatch (Berthelot et al. 2021, arXiv:2106.04732)."""

    weight: Positive
    """Of the target's loss, which rises to it."""
    confidence: Annotated[float, Field(ge=0, le=1)]
    """Share of the source's mean confidence from which a pseudo-label counts."""


class MeanTeacher(JointMethod):
    """Self-ensembling (French et al. 2018, arXiv:1706.05208)."""

    weight: Positive
    """Of the consistency."""
    confidence: Annotated[float, Field(ge=0, lt=1)]
    """Of the teacher, below which it is not asked."""


class MaskedReconstruction(JointMethod):
    """Hidden pixels of the target are predicted (after Xie et al. 2021, arXiv:2111.09886)."""

    weight: Positive
    """Of the squared error of hidden target pixels."""
    mask_ratio: Annotated[float, Field(gt=0, lt=1)]
    """Share of the squares that is hidden."""
    patch_size: Count
    """Size of the squares, pixels per axis."""


Method = Literal[
    "source_only",
    "source_harmonised",
    "adabn",
    "adda",
    "adda_test_selected",
    "source_continued",
    "strong_augmentation",
    "coral",
    "dann",
    "adamatch",
    "mean_teacher",
    "masked_reconstruction",
    "oracle",
]
ALL = "all"
# Whether the cameras of a pair are brought together, and what of the target's is known.
Harmonise = Literal["none", "known", "fitted"]
HARMONISED = "source_harmonised"  # where every method of a harmonised pair begins
ON_PLAIN_IMAGES = ("source_only", "oracle")  # which a pair has with or without
FEWEST_FITTED = 300  # images: the covariance of 48 numbers needs two hundred groups of them


def every(methods: Any, info: ValidationInfo) -> Any:
    """All methods that a pair can have, where 'all' stands for them."""
    if methods != ALL:
        return methods
    plain = info.data.get("harmonise", "none") == "none"
    return [method for method in get_args(Method) if not (plain and method == HARMONISED)]


# Methods of one task each (lensml/training/adaptation/joint), with the section of their settings.
JOINT_METHODS: dict[str, type[JointMethod]] = {
    "source_continued": SourceContinued,
    "strong_augmentation": StrongAugmentation,
    "coral": Coral,
    "dann": Dann,
    "adamatch": AdaMatch,
    "mean_teacher": MeanTeacher,
    "masked_reconstruction": MaskedReconstruction,
}

DISTORTING = (
    "strong_augmentation",
    "adamatch",
    "mean_teacher",
)  # which take the section distortion


class Adaptation(Section):
    """Unsupervised domain adaptation."""

    pairs: list[Pair]
    """Source and target of each; a classifier of the source must be trained."""
    harmonise: Harmonise
    """`none`: networks see images as they are. `known`, `fitted`: images of both domains are
    brought to one camera, the sharpest that both can be brought to (larger pixel, wider PSF, one
    zero point, the larger noise), as stores of the pair in `results/harmony/known/` or `fitted/`;
    every method but `source_only` and `oracle` begins with `source_harmonised` and sees these.
    `known`: by the instruments of both domains. `fitted`: by the source's instrument and a blind
    fit of the target's camera to unlabelled images of both domains (at least 300 of each), which
    is refused, with its reason, where the populations differ. Whether to bring cameras together
    tells the table's caption, without a label: not where the source's classifier is as sure of
    the target's pool as of source images, by information maximisation (`methods` with
    `source_only` and `source_harmonised`). Needs `network_input.channels: [image]` and images
    with noise.
    """
    max_im_loss: NonNegative
    """Of the gate: by how many nats information maximisation (entropy of the mean prediction less
    the mean entropy) may fall on the target's pool between `source_harmonised` and `adda`, no
    label asked. The table's caption tells what it would keep; rows are of every run.
    """
    encoders: UniqueNames
    """Which of `classifier.encoders`."""
    methods: Annotated[
        list[Method],
        Field(min_length=1),
        AfterValidator(check_unique),
        BeforeValidator(every, json_schema_input_type=Literal["all"] | list[Method]),
    ]
    """`all`, or some of `source_only`, `source_harmonised` (where `harmonise` is not `none`: the
    source classifier on images of the common camera, trained further on the source's where these
    changed), `adabn` (skipped for encoders without batch norm), `adda`, `source_continued` (more
    training on the source alone, with which the next ones are to be compared),
    `strong_augmentation`, `coral`, `dann`, `adamatch`, `mean_teacher`, `masked_reconstruction`,
    `oracle`, and `adda_test_selected`: ADDA at the step that is best on *labelled* test images, as
    published numbers were chosen; to be compared with those, not with the other rows.
    """
    adda: Adda
    """Adversarial discriminative domain adaptation (arXiv:1702.05464)."""
    adabn: AdaBn
    """Batch-norm statistics of the target (arXiv:1603.04779)."""
    joint: Joint
    """Optimiser of `source_continued`, `strong_augmentation`, `coral`, `dann`, `adamatch`,
    `mean_teacher` and `masked_reconstruction`. They go on from the source classifier (of
    harmonised pairs from `source_harmonised`) and take as many steps as cost ADDA's passes through
    the encoder (`run.json` says how many).
    """
    distortion: Distortion
    """Strong augmentation of `strong_augmentation`, `adamatch` and `mean_teacher`; a zero switches
    a part off.
    """
    source_harmonised: SourceHarmonised
    """Training of the source classifier on images of the common camera."""
    source_continued: SourceContinued
    """More training on the source: no adaptation, for comparison."""
    strong_augmentation: StrongAugmentation
    """Training on distorted source images, without the target."""
    coral: Coral
    """Deep CORAL (arXiv:1607.01719)."""
    dann: Dann
    """Domain-adversarial training (arXiv:1505.07818)."""
    adamatch: AdaMatch
    """AdaMatch (arXiv:2106.04732)."""
    mean_teacher: MeanTeacher
    """Self-ensembling (arXiv:1706.05208)."""
    masked_reconstruction: MaskedReconstruction
    """Hidden pixels of the target are predicted (after arXiv:2111.09886)."""
    oracle: Oracle
    """Further supervised training on *labelled* target images: an upper reference, not a method.
    """

    @property
    def harmonises(self) -> bool:
        """Whether networks see both domains as one camera would have."""
        return self.harmonise != "none"

    @model_validator(mode="after")
    def _one_camera_where_it_is_asked_for(self) -> Self:
        asked = [f"methods list {HARMONISED}"] if HARMONISED in self.methods else []
        asked += ["adda.start is harmonised"] if self.adda.start == "harmonised" else []
        if asked and not self.harmonises:
            raise WrongKey(
                "harmonise",
                f"{' and '.join(asked)}, for which cameras must be brought together: allowed are "
                "known and fitted",
            )
        return self
