"""``lensml push``: a classifier with its model card to the Hugging Face Hub."""

from __future__ import annotations

import sys
from pathlib import Path

from lensml.evaluation.cards.hub import push_to_hub


def report(folder: Path, repo_id: str, *, public: bool, dry_run: bool) -> int:
    """Upload the folder, and print what was uploaded; the exit status.

    Returns:
        0; 1 where something is missing, or the Hub refuses.
    """
    try:
        files = push_to_hub(folder, repo_id, public=public, dry_run=dry_run)
    except (OSError, ValueError) as error:
        print(f"lensml push: {error}", file=sys.stderr)
        return 1
    for path in files:
        print(f"{path} {path.stat().st_size} bytes")
    print(f"{'would be' if dry_run else 'are'} uploaded to {repo_id}")
    return 0
