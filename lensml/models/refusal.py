"""Whether a model of timm can be built, tried without memory for its weights."""

from __future__ import annotations

from lensml.schema.asked_encoders import Refused
from lensml.schema.encoders import Timm

WEIGHTS = ("pretrained", "checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay")  # a file's


def refusal(encoder: Timm, img_size: int, in_chans: int) -> Refused | None:
    """Why a model of timm cannot be built or does not take its images; None if it does.

    Args:
        encoder: name and arguments.
        img_size: pixels per axis.
        in_chans: channels of an image.
    """
    # Not above: torch takes seconds, and a configuration without such models none of them.
    import torch

    from lensml.models.timm_encoder import RefusedByTimm, build_timm

    untrained = {k: v for k, v in encoder.model_kwargs.items() if k not in WEIGHTS}
    encoder = encoder.model_copy(update={"model_kwargs": untrained})
    for device in ("meta", "cpu"):  # without memory; or where a model cannot do without numbers
        try:
            with torch.device(device):
                build_timm(encoder, img_size, in_chans)
        except RefusedByTimm as error:
            found = Refused(error.key, error.problem)
            if error.key == "model_name":
                return found
        else:
            return None
    return found
