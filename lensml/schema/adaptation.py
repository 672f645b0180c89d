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
    target: Name

    @model_validator(mode="after")
    def _two_domains(self) -> Self:
        if self.source == self.target:
            raise WrongKey("target", "is the source, too; source and target must be two domains")
        return self


class Adda(Section):
    """Adversarial discriminative domain adaptation (Tzeng et al. 2017, arXiv:1702.05464)."""

    start: Literal["source_only", "strong_augmentation", "harmonised"]  # what is adapted
    steps: Count  # warm-up included
    warmup_steps: Annotated[int, Field(ge=0)]  # the discriminator alone learns
    batch_size: Annotated[int, Field(ge=2)]  # per domain
    learning_rate_encoder: Rate
    learning_rate_discriminator: Rate
    betas: Betas
    weight_decay: NonNegative
    hidden_dim: Count  # of the discriminator
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)]
    spectral_norm: bool = False  # of the discriminator's layers
    gradient_penalty: NonNegative = 0.0  # weight of the squared gradient of its logit
    clip_grad_norm: Positive
    ema_decay: Beta  # average of the target encoder's weights; 0 keeps the last ones
    batch_norm: Literal["source", "target"]  # whose statistics the target encoder uses

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


class Oracle(Optimization):
    """The classifier trained further on labelled target images: a reference, not a method."""

    epochs: Count
    evaluations_per_epoch: Count


class Joint(Section):
    """What methods share that train on labelled source and unlabelled target images together.

    They go on from the source classifier, with as many operations as ADDA.
    """

    optimizer: Literal["adamw", "muon"] = "adamw"
    batch_size: Annotated[int, Field(ge=2)]  # per domain
    final_learning_rate: Fraction  # over a method's own learning rate
    weight_decay: NonNegative
    betas: Betas
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)]
    clip_grad_norm: Positive
    ema_decay: Beta  # average of the weights; 0 keeps the last ones

    def optimization(self, learning_rate: float) -> Optimization:
        """Optimiser and schedule at a method's learning rate."""
        shared = self.model_dump(exclude={"final_learning_rate", "ema_decay"})
        last = self.final_learning_rate * learning_rate
        return Optimization(**shared, learning_rate=learning_rate, min_learning_rate=last)


class Distortion(Section):
    """Strong augmentation: what cameras may differ in. Zeros switch a part off."""

    gain: Annotated[float, Field(ge=0, lt=1)]  # fluxes times exp(+-gain)
    blur: Annotated[float, Field(ge=0, le=5)]  # largest sigma of a Gaussian, pixels
    zoom: Annotated[float, Field(ge=0, lt=0.5)]  # sizes times 1 +- zoom
    noise: NonNegative  # largest rms of white noise that is added, background rms


class JointMethod(Section):
    """What every method sets for itself."""

    learning_rate: Rate
    batch_norm: Literal["source", "target"]  # whose statistics the adapted encoder uses


class SourceContinued(JointMethod):
    """More training on the source: no adaptation, for comparison."""


class SourceHarmonised(JointMethod):
    """More training on the source as the common camera sees it: no adaptation by itself."""


class StrongAugmentation(JointMethod):
    """Training on distorted source images, without the target."""


class Coral(JointMethod):
    """Deep CORAL (Sun & Saenko 2016, arXiv:1607.01719)."""

    weight: Positive
    match_mean: bool  # beside the covariance


class Dann(JointMethod):
    """Domain-adversarial training (Ganin et al. 2016, arXiv:1505.07818)."""

    weight: Positive  # of the reversed gradient, which rises to it
    hidden_dim: Count  # of the discriminator
    learning_rate_discriminator: Rate


class AdaMatch(JointMethod):
    """AdaMatch (Berthelot et al. 2021, arXiv:2106.04732)."""

    weight: Positive  # of the target's loss, which rises to it
    confidence: Annotated[float, Field(ge=0, le=1)]  # over the source's mean confidence


class MeanTeacher(JointMethod):
    """Self-ensembling (French et al. 2018, arXiv:1706.05208)."""

    weight: Positive  # of the consistency
    confidence: Annotated[float, Field(ge=0, lt=1)]  # of the teacher, below which it is not asked


class MaskedReconstruction(JointMethod):
    """Hidden pixels of the target are predicted (after Xie et al. 2021, arXiv:2111.09886)."""

    weight: Positive  # of the reconstruction
    mask_ratio: Annotated[float, Field(gt=0, lt=1)]
    patch_size: Count  # pixels per axis of a hidden square


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
    harmonise: Harmonise
    max_im_loss: NonNegative  # of the gate, nats
    encoders: UniqueNames
    methods: Annotated[
        list[Method], Field(min_length=1), AfterValidator(check_unique), BeforeValidator(every)
    ]
    adda: Adda
    adabn: AdaBn
    joint: Joint
    distortion: Distortion
    source_harmonised: SourceHarmonised
    source_continued: SourceContinued
    strong_augmentation: StrongAugmentation
    coral: Coral
    dann: Dann
    adamatch: AdaMatch
    mean_teacher: MeanTeacher
    masked_reconstruction: MaskedReconstruction
    oracle: Oracle

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
