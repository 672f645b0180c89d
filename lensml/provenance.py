"""What a file was made with: version, commit and configuration, for whatever a job writes.

The workflow tells its jobs the hash of the resolved configuration, a job adds the commit, and what
writes a file asks :func:`provenance`. It travels in the environment, so that processes which a job
starts know it too.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

from lensml import __version__

VARIABLE = "LENSML_PROVENANCE"
DIGITS = 12  # of a hash, and of a commit


def provenance() -> dict[str, str]:
    """Version of lensml and, within a job, commit and hash of the resolved configuration."""
    return {"lensml": __version__, **json.loads(os.environ.get(VARIABLE, "{}"))}


def provenance_line() -> str:
    """The same in one line, for captions and the properties of a figure."""
    return ", ".join(f"{name} {value}" for name, value in provenance().items())


def add_provenance(**known: str | None) -> None:
    """Add to what this process and those that it starts know; what is None is left out."""
    found = json.loads(os.environ.get(VARIABLE, "{}"))
    found |= {name: value for name, value in known.items() if value is not None}
    os.environ[VARIABLE] = json.dumps(found, sort_keys=True)


def hash_of(text: str) -> str:
    """First digits of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def git_commit(digits: int = 40) -> str | None:
    """Commit of the source tree, with ``-dirty`` if it was changed; None outside a checkout."""
    root = Path(__file__).resolve().parents[1]
    if not (root / "pyproject.toml").is_file():
        return None  # installed, perhaps within the checkout of something else
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", f"--abbrev={digits}"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None
