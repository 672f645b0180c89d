"""A classifier's folder on its way to the Hugging Face Hub, if its owner asks for that."""

from __future__ import annotations

import json
from pathlib import Path

from huggingface_hub import HfApi, ModelCard
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from lensml.data.checksums import checksum_of_file
from lensml.evaluation.classification.folders import CARD, CONFIG, DESCRIBED

FILES = (CARD, CONFIG, DESCRIBED)  # and nothing else that lies in the folder


def push_to_hub(
    folder: str | Path, repo_id: str, *, public: bool = False, dry_run: bool = False
) -> list[Path]:
    """Upload a classifier with its card, as whoever is logged in (``hf auth login``).

    Args:
        folder: that ``snakemake model_cards`` wrote.
        repo_id: ``owner/name``; it is made where there is none.
        public: whether a new one can be seen by everybody.
        dry_run: check everything, and upload nothing.

    Returns:
        The files that are uploaded.

    Raises:
        FileNotFoundError: the folder lacks a file.
        ValueError: the weights are not those of the description, or the card has no metrics.
        OSError: the Hub cannot be reached, or refuses.
    """
    files = checked(folder)
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise ValueError(" ".join(str(error).split())) from None
    if not dry_run:
        _upload(folder, repo_id, public)
    return files


def checked(folder: str | Path) -> list[Path]:
    """The files of a classifier's folder, which belong together.

    Raises:
        FileNotFoundError, ValueError: see :func:`push_to_hub`.
    """
    files = [Path(folder) / name for name in FILES]
    missing = [path.name for path in files if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"{folder}: {', '.join(missing)} is missing; snakemake model_cards writes "
            f"{', '.join(FILES)}"
        )
    said = json.loads((Path(folder) / CONFIG).read_text())["weights"]["sha256"]
    if checksum_of_file(Path(folder) / DESCRIBED)[1] != said:
        raise ValueError(f"{folder}: {DESCRIBED} is not what {CONFIG} describes")
    if not getattr(ModelCard.load(Path(folder) / CARD).data, "eval_results", None):
        raise ValueError(f"{folder}: {CARD} has no metrics in its front matter (model-index)")
    return files


def _upload(folder: str | Path, repo_id: str, public: bool) -> None:
    api = HfApi()
    try:
        api.create_repo(repo_id, private=not public, exist_ok=True)
        api.upload_folder(repo_id=repo_id, folder_path=folder, allow_patterns=list(FILES))
    except Exception as error:  # of whatever HTTP client the Hub's library has
        raise OSError(f"{repo_id}: cannot be uploaded ({' '.join(str(error).split())})") from None
