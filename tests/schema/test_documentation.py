"""Every key of the configuration is explained in config/README.md, and nothing else is."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from toy.configuration import CONFIG_DIR, DEFAULT

from lensml.schema.config import ConfigFile
from lensml.schema.yaml_reader import read_yaml

CODE = re.compile(r"`([^`]+)`")
# Mappings whose keys are names of the user's choice.
FREE = {"encoders", "space", "variants", "cases", "lenses", "vary", "model_kwargs", "catalogue"}
# Explained once, for the classifier, and named there as "the optimiser's keys".
SHARED = {"optimizer", "learning_rate", "min_learning_rate", "weight_decay", "betas"}
SHARED |= {"warmup_fraction", "clip_grad_norm", "batch_size", "epochs", "evaluations_per_epoch"}
SHARED |= {"ema_decay", "label_smoothing"}


def sections() -> dict[str, str]:
    """Name of a top-level key -> what is written of it."""
    text = (CONFIG_DIR / "README.md").read_text(encoding="utf-8")
    text = text.split("## Keys")[1].split("\n## ")[0]
    found = {}
    for block in text.split("\n### ")[1:]:
        heading, _, body = block.partition("\n")
        for name in CODE.findall(heading) or ["top level"]:
            found[name] = body
    return found


SECTIONS = sections()


def keys_of(tree: dict[str, Any]) -> set[str]:
    """Every key of a section, at any depth."""
    found = set()
    for key, value in tree.items():
        found.add(key)
        if isinstance(value, dict) and key not in FREE:
            found |= keys_of(value)
    return found


def words_of(body: str) -> set[str]:
    """Names in code, without the sections that they may be written with."""
    return {word for code in CODE.findall(body) for word in re.findall(r"[\w*]+", code)}


def fields_of(annotation: Any) -> set[str]:
    """Every field of a schema, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        inner = [field.annotation for field in annotation.model_fields.values()]
        return set(annotation.model_fields).union(*map(fields_of, inner))
    return set().union(*map(fields_of, get_args(annotation)))


@pytest.mark.parametrize("name", [k for k in read_yaml(DEFAULT) if k not in FREE])
def test_every_key_is_explained(name):
    value = read_yaml(DEFAULT)[name]
    if not isinstance(value, dict):
        assert name in words_of(SECTIONS["top level"])
        return
    words = words_of(SECTIONS[name])
    prefixes = tuple(word.removesuffix("*") for word in words if word.endswith("_*"))
    missing = keys_of(value) - words - SHARED
    assert not [key for key in missing if not key.startswith(prefixes or ("\0",))]


@pytest.mark.parametrize("name", [k for k in SECTIONS if k != "top level" and k not in FREE])
def test_nothing_is_explained_that_is_no_key(name):
    known = fields_of(ConfigFile.model_fields[name].annotation)
    rows = re.findall(r"^\| (.+?) \| ", SECTIONS[name], re.MULTILINE)
    for row in rows:
        for code in CODE.findall(row):
            parts = code.split(".")
            if parts[0] in SECTIONS and parts[0] != name:
                continue  # in the common section of several studies
            parts = parts[1:] if parts[0] == name else parts
            assert set(parts) <= known, f"{name}: {code}"
