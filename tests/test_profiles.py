"""The profile for clusters names every rule that trains."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
RULE = re.compile(r"^(?:use rule (\w+) as (\w+) with|rule (\w+)):\n(.*?)(?=^\S|\Z)", re.S | re.M)
TRAINS = re.compile(r"workflow_scripts/(train_\w+|adapt_adda|adapt_jointly|search_worker)\.py")


def training_rules() -> set[str]:
    """Rules whose script trains a network, and rules that are made of one of these."""
    found, derived = set(), {}
    for path in (ROOT / "rules").glob("*.smk"):
        for base, own, name, body in RULE.findall(path.read_text()):
            if base:
                derived[own] = base
            elif TRAINS.search(body):
                found.add(name)
    return found | {own for own, base in derived.items() if base in found}


def test_the_cluster_profile_gives_a_gpu_to_every_rule_that_trains():
    profile = yaml.safe_load((ROOT / "slurm" / "profile.yaml").read_text())
    rules = training_rules()
    assert {"train_classifier", "train_swept", "search_worker"} <= rules
    assert set(profile["set-resources"]) == rules
    assert all(resources == {"gpu": 1} for resources in profile["set-resources"].values())
