"""Where and with how many threads training runs."""

from __future__ import annotations

import torch

from lensml.schema.training import Compute


def prepare_device(compute: Compute) -> torch.device:
    """Set torch's threads and choose the device.

    Raises:
        ValueError: a GPU is demanded and there is none.
    """
    torch.set_num_threads(compute.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    available = torch.cuda.is_available()
    if compute.device == "cuda" and not available:
        raise ValueError("compute.device = 'cuda': torch sees no GPU here; set it to auto or cpu")
    return torch.device("cuda" if available and compute.device != "cpu" else "cpu")
