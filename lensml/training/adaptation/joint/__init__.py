"""Adaptation by training on labelled source and unlabelled target images together.

A method is a module with a subclass of
:class:`lensml.training.adaptation.joint.task.JointTask`, listed here, and the section of its
settings in :mod:`lensml.schema.adaptation`.
"""

from lensml.training.adaptation.joint.adamatch import AdaMatchTask
from lensml.training.adaptation.joint.coral import CoralTask
from lensml.training.adaptation.joint.dann import DannTask
from lensml.training.adaptation.joint.masked_reconstruction import MaskedReconstructionTask
from lensml.training.adaptation.joint.mean_teacher import MeanTeacherTask
from lensml.training.adaptation.joint.source_continued import SourceContinuedTask
from lensml.training.adaptation.joint.strong_augmentation import StrongAugmentationTask
from lensml.training.adaptation.joint.task import JointTask

TASKS: dict[str, type[JointTask]] = {
    "source_continued": SourceContinuedTask,
    "strong_augmentation": StrongAugmentationTask,
    "coral": CoralTask,
    "dann": DannTask,
    "adamatch": AdaMatchTask,
    "mean_teacher": MeanTeacherTask,
    "masked_reconstruction": MaskedReconstructionTask,
}
