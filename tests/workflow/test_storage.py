"""A part of the smoke run with its results in a bucket, of a real S3 server on this machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy.bucket import BUCKET, KEYS, PREFIX, new_bucket, objects, s3_server
from toy.smoke_run import command, digest, digests

from lensml.data.packing import unpack
from lensml.data.store import open_store

TARGETS = (
    "results/tables/classification.csv",
    "results/figures/gallery/euclid.png",
    "results/anomaly/euclid/vae/seed0/scores/mse.csv",
)

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as address:
        yield address


def run(folder: Path, endpoint: str, *arguments: str) -> subprocess.CompletedProcess:
    variables = {"endpoint_url": endpoint, **KEYS}
    environment = {f"SNAKEMAKE_STORAGE_S3_{k.upper()}": v for k, v in variables.items()}
    options = ["--default-storage-provider", "s3"]
    options += ["--default-storage-prefix", f"s3://{BUCKET}/{PREFIX}"]
    # Snakemake asks the storage for the inputs of so many jobs whenever it chooses one.
    options += ["--scheduler-subsample", "4"]
    return subprocess.run(
        command(*TARGETS, *arguments, *options),
        cwd=folder,
        env={**os.environ, **environment, "AWS_DEFAULT_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        timeout=3600,
    )


@pytest.fixture(scope="module")
def bucket(endpoint, tmp_path_factory) -> dict[str, bytes]:
    """Objects of the bucket after a part of the smoke run, by their path."""
    client = new_bucket(endpoint)
    done = run(tmp_path_factory.mktemp("bucket"), endpoint)
    assert done.returncode == 0, done.stderr[-3000:]
    return objects(client)


def test_a_run_in_a_bucket_gives_what_a_local_run_gives(bucket, finished):
    there = digests(finished)
    for part in ("datasets", "classification", "anomaly"):
        here = {k: v for k, v in bucket.items() if k.startswith(f"results/{part}/")}
        assert here, part
        for name, content in here.items():
            if not name.endswith((".packed.zip", "run.json")):
                assert digest(name, content) == there[name], name
    for name in TARGETS:
        assert bucket[name], name


def test_a_dataset_in_a_bucket_can_be_read_by_itself(bucket, finished, tmp_path):
    name = "results/datasets/euclid/cdm/train"
    for key, content in bucket.items():
        if key.startswith((f"{name}.zarr/", f"{name}.manifest", f"{name}.packed")):
            path = tmp_path / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    unpack(tmp_path / f"{name}.packed.zip")
    store = open_store(tmp_path / f"{name}.zarr")
    assert digests(store.path) == digests(finished / f"{name}.zarr")


def test_a_finished_run_in_a_bucket_has_nothing_to_do(bucket, endpoint, tmp_path):
    # Elsewhere: what was made is known from the bucket alone.
    done = run(tmp_path, endpoint, "-n", "--rerun-triggers", "mtime")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Nothing to be done" in done.stdout + done.stderr
