"""Checkpoints of running jobs and weights of finished ones."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from lensml.data.files import write_atomic, write_bytes

log = logging.getLogger(__name__)
FILE = "checkpoint.pt"


def fingerprint_of(content: Any) -> str:
    """Hash of plain data (configuration, checksums of the data): equal content, equal hash."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def save_checkpoint(folder: str | Path, fingerprint: str, content: Mapping[str, Any]) -> None:
    """Write a checkpoint so that a kill during the write leaves the one before it."""
    payload = {**content, "fingerprint": fingerprint}
    write_atomic(Path(folder) / FILE, lambda stream: torch.save(payload, stream))


def load_checkpoint(folder: str | Path, fingerprint: str) -> dict[str, Any] | None:
    """The checkpoint of this run, or None if there is none or it belongs to another one.

    Raises:
        ValueError: the file is damaged.
    """
    path = Path(folder) / FILE
    if not path.exists():
        return None
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
        found = content["fingerprint"]
    except Exception as error:  # torch raises whatever its readers of zip and pickle do
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"{path}: damaged checkpoint ({first}); delete it to start this run anew"
        ) from None
    if found != fingerprint:
        log.warning("%s: belongs to another configuration or dataset; starting anew", path)
        return None
    return content


def remove_checkpoint(folder: str | Path) -> None:
    """Remove a checkpoint folder."""
    shutil.rmtree(folder, ignore_errors=True)


def save_weights(
    path: str | Path, weights: Mapping[str, Tensor], metadata: Mapping[str, Any]
) -> None:
    """Write weights as safetensors; equal weights and metadata give equal bytes.

    Args:
        path: of the file.
        weights: name -> tensor.
        metadata: plain data, kept as one sorted JSON string.
    """
    tensors = {name: t.detach().cpu().contiguous() for name, t in sorted(weights.items())}
    text = json.dumps(dict(metadata), sort_keys=True)
    write_bytes(path, save(tensors, metadata={"lensml": text}))


def load_weights(path: str | Path, module: nn.Module) -> None:
    """Load weights of exactly this architecture.

    Raises:
        ValueError: names or shapes differ, or the file is not safetensors.
    """
    try:
        module.load_state_dict(load_file(path))
    except (RuntimeError, OSError, ValueError) as error:
        lines = [" ".join(line.split()) for line in str(error).strip().splitlines()]
        raise ValueError(f"{path}: cannot be loaded ({' '.join(lines[:3])})") from None
    except Exception as error:  # safetensors has its own exception type without a public base
        raise ValueError(f"{path}: not a weights file ({error})") from None
