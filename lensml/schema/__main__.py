"""What is made of the schema: python -m lensml.schema, in a clone, after a key was changed."""

from __future__ import annotations

import json
from pathlib import Path

from lensml.schema.catalogue import KINDS
from lensml.schema.json_schema import config_schema, entry_schema
from lensml.schema.key_tables import with_tables
from lensml.schema.yaml_reader import read_yaml


def documents(folder: Path) -> dict[Path, str]:
    """Files made of the schema, with their text: JSON schemas, and the README with its tables.

    Args:
        folder: ``config/``, with the README to put tables into and the default configuration.
    """
    schema, readme = config_schema(), folder / "README.md"
    schemas = {folder / "schema.json": schema}
    schemas |= {folder / "catalogue" / kind / "schema.json": entry_schema(kind) for kind in KINDS}
    texts = {path: json.dumps(content, indent=1) + "\n" for path, content in schemas.items()}
    shipped = read_yaml(folder / "config.yaml")
    texts[readme] = with_tables(readme.read_text(encoding="utf-8"), schema, shipped)
    return texts


if __name__ == "__main__":
    for path, text in documents(Path("config")).items():
        path.write_text(text, encoding="utf-8")
