"""The profile for clusters names every rule that trains."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import yaml
from toy.configuration import CONFIG_DIR, DEFAULT, ROOT, load_files

RULE = re.compile(r"^(?:use rule (\w+) as (\w+) with|rule (\w+)):\n(.*?)(?=^\S|\Z)", re.S | re.M)
TRAINS = re.compile(
    r"workflow_scripts/(train_\w+|adapt_adda|adapt_jointly|adapt_harmonised|search_worker)\.py"
)


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


SMALL = re.compile(r"^(?:rule|use rule \w+ as) ((plot|tabulate)_\w+)", re.M)
GROUP = {"plot": "figures", "tabulate": "tables"}


def test_small_jobs_share_a_submission():
    profile = yaml.safe_load((ROOT / "slurm" / "profile.yaml").read_text())
    expected = {"simulate_block": "simulate", "seal_dataset": "seal"}
    expected |= {"fit_block": "fit", "fit_training_block": "fit", "seal_fit": "seal_fits"}
    for path in (ROOT / "rules").glob("*.smk"):
        for name, kind in SMALL.findall(path.read_text()):
            expected[name] = GROUP[kind]
    assert profile["groups"] == expected
    assert set(profile["group-components"]) == set(expected.values())
    assert all(n > 1 for n in profile["group-components"].values())


@pytest.mark.workflow
def test_groups_depend_on_each_other_in_one_direction(tmp_path):
    """Snakemake refuses a submission that waits for a job which waits for it."""
    arguments = ["-n", "--profile", "slurm", "--directory", str(tmp_path), "--config", "run=null"]
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_every_request_grows_with_the_attempt():
    for path in (ROOT / "rules").glob("*.smk"):
        for line in path.read_text().splitlines():
            if re.match(r"\s+(mem_mb|runtime)=", line):
                assert re.search(r"=lambda wildcards, attempt: \d+ \* attempt,$", line), line


def test_retries_are_the_profiles_and_no_rules():
    # A rule's own retries would stay within the limits of the job that failed.
    profile = yaml.safe_load((ROOT / "slurm" / "profile.yaml").read_text())
    assert profile["retries"] >= 1
    assert profile["slurm-requeue"] is True
    for path in (ROOT / "rules").glob("*.smk"):
        assert "retries:" not in path.read_text()


@pytest.mark.parametrize("path", sorted(CONFIG_DIR.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_chunk_that_was_only_copied_is_not_new(path):
    """Snakemake compares what is in a file up to a size, and beyond it times alone."""
    config = load_files(DEFAULT, path)
    per_image = max(4 * config.domain(name).num_pix ** 2 for name in config.domains)
    profile = yaml.safe_load((ROOT / "profiles" / "default" / "config.yaml").read_text())
    assert config.simulation.images_per_block * per_image < profile["max-checksum-file-size"]
