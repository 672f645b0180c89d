"""Adaptation by training on labelled source and unlabelled target images together.

A method is a module with a subclass of :class:`lensml.training.joint.task.JointTask`, listed here,
and the section of its settings in :mod:`lensml.schema.adaptation`.
"""

from lensml.training.joint.adamatch import AdaMatchTask
from lensml.training.joint.coral import CoralTask
from lensml.training.joint.dann import DannTask
from lensml.training.joint.masked_reconstruction import MaskedReconstructionTask
from lensml.training.joint.mean_teacher import MeanTeacherTask
from lensml.training.joint.source_continued import SourceContinuedTask
from lensml.training.joint.strong_augmentation import StrongAugmentationTask
from lensml.training.joint.task import JointTask

TASKS: dict[str, type[JointTask]] = {
    "source_continued": SourceContinuedTask,
    "strong_augmentation": StrongAugmentationTask,
    "coral": CoralTask,
    "dann": DannTask,
    "adamatch": AdaMatchTask,
    "mean_teacher": MeanTeacherTask,
    "masked_reconstruction": MaskedReconstructionTask,
}
