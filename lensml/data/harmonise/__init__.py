"""Images of two cameras brought together: pixels, PSF, zero point and noise, without a label.

:func:`common_camera` says where the cameras of a pair can meet, :func:`agree` what noise images
have there, and :func:`harmonise_store` writes ordinary stores of either side. Cameras are those of
the configuration (:func:`camera_of`) or fitted (:mod:`lensml.data.blind_camera`).
"""

from lensml.data.harmonise.camera import Camera, CommonCamera, camera_of, common_camera
from lensml.data.harmonise.harmony import Harmony, agree
from lensml.data.harmonise.noise import NoiseFacts, noise_facts
from lensml.data.harmonise.operators import Operator, operator_of
from lensml.data.harmonise.psf import Gaussian
from lensml.data.harmonise.stores import harmonise_store

__all__ = [
    "Camera",
    "CommonCamera",
    "Gaussian",
    "Harmony",
    "NoiseFacts",
    "Operator",
    "agree",
    "camera_of",
    "common_camera",
    "harmonise_store",
    "noise_facts",
    "operator_of",
]
