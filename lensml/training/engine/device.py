"""Where and with how many threads training runs."""

from __future__ import annotations

import torch

from lensml.schema.training import Compute
from lensml.training.engine.ranks import rank


def prepare_device(compute: Compute) -> torch.device:
    """Set torch's threads and choose the device.

    Raises:
        ValueError: a GPU is demanded and there is none.
    """
    torch.set_num_threads(compute.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.allow_tf32 = False  # float32 is float32
    available = torch.cuda.is_available()
    if compute.device == "cuda" and not available:
        raise ValueError("compute.device = 'cuda': torch sees no GPU here; set it to auto or cpu")
    if not available or compute.device == "cpu":
        return torch.device("cpu")
    return torch.device("cuda", rank())
