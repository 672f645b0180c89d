"""Checkpoints of running jobs and weights of finished ones."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from lensml.data.files import write_atomic, write_bytes
from lensml.provenance import provenance

log = logging.getLogger(__name__)
FILE = "checkpoint.pt"


def fingerprint_of(content: Any) -> str:
    """Hash of plain data (configuration, checksums of the data): equal content, equal hash."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def save_checkpoint(folder: str | Path, made_of: Any, content: Mapping[str, Any]) -> None:
    """Write a checkpoint so that a kill during the write leaves the one before it.

    Args:
        folder: of the checkpoint.
        made_of: plain data that the run depends on (configuration, checksums of the data).
        content: state of the run.
    """
    payload = {**content, "made_of": _text(made_of)}
    write_atomic(Path(folder) / FILE, lambda stream: torch.save(payload, stream))


def load_checkpoint(folder: str | Path, made_of: Any) -> dict[str, Any] | None:
    """The checkpoint of this run, or None if there is none or it belongs to another one.

    One of another run is refused, with a warning that says in what the two differ.

    Raises:
        ValueError: the file is damaged.
    """
    path = Path(folder) / FILE
    if not path.exists():
        return None
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
        found = content["made_of"]
        different = list(differences(json.loads(found), json.loads(_text(made_of))))
    except Exception as error:  # torch raises whatever its readers of zip and pickle do
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"{path}: damaged checkpoint ({first}); delete it to start this run anew"
        ) from None
    if found != _text(made_of):
        log.warning("%s: of another run, starting anew: %s", path, "; ".join(different))
        return None
    return content


def _text(made_of: Any) -> str:
    return json.dumps(made_of, sort_keys=True, default=str)


def differences(there: Any, here: Any, where: str = "") -> Iterator[str]:
    """What differs between two pieces of plain data, ``a.b is 1 there, 2 here``, a line each."""
    if isinstance(there, dict) and isinstance(here, dict):
        for key in sorted(there.keys() | here.keys()):
            below = f"{where}.{key}" if where else key
            yield from differences(there.get(key), here.get(key), below)
    elif there != here:
        yield f"{where or 'it'} is {json.dumps(there)} there, {json.dumps(here)} here"


def remove_checkpoint(folder: str | Path) -> None:
    """Remove a checkpoint folder."""
    shutil.rmtree(folder, ignore_errors=True)


def save_weights(
    path: str | Path, weights: Mapping[str, Tensor], metadata: Mapping[str, Any]
) -> None:
    """Write weights as safetensors; equal weights, metadata and provenance give equal bytes.

    Args:
        path: of the file.
        weights: name -> tensor.
        metadata: plain data, kept as one sorted JSON string.
    """
    tensors = {name: t.detach().cpu().contiguous() for name, t in sorted(weights.items())}
    text = json.dumps({**metadata, "made_with": provenance()}, sort_keys=True)
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
