"""The smoke run with its results in a bucket, of a real S3 server on this machine."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import subprocess
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import boto3
import pytest
from toy.smoke_run import SHORTER, command, digests, overlay

from lensml.data.packing import unpack
from lensml.data.store import open_store

BUCKET, PREFIX = "lensml", "run"
KEYS = {"access_key": "anyone", "secret_key": "anything"}

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


def serve(connection: Connection) -> None:
    """An S3 server in this process; sends its port."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    connection.send(server.get_host_and_port()[1])
    connection.recv()
    server.stop()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(there,))
    process.start()
    try:
        assert here.poll(60), "the S3 server did not start"
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        here.send("stop")
        process.join(20)
        process.kill()


def client(endpoint: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=KEYS["access_key"],
        aws_secret_access_key=KEYS["secret_key"],
        region_name="us-east-1",
    )


def run(folder: Path, endpoint: str, *targets: str) -> subprocess.CompletedProcess:
    variables = {"endpoint_url": endpoint, **KEYS}
    environment = {f"SNAKEMAKE_STORAGE_S3_{k.upper()}": v for k, v in variables.items()}
    options = ["--default-storage-provider", "s3"]
    options += ["--default-storage-prefix", f"s3://{BUCKET}/{PREFIX}"]
    return subprocess.run(
        command(*targets, *options, overlays=[overlay(folder, SHORTER)]),
        cwd=folder,
        env={**os.environ, **environment, "AWS_DEFAULT_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        timeout=1200,
    )


@pytest.fixture(scope="module")
def bucket(endpoint, tmp_path_factory) -> dict[str, bytes]:
    """Objects of the bucket after the smoke run, by their path."""
    s3 = client(endpoint)
    s3.create_bucket(Bucket=BUCKET)
    done = run(tmp_path_factory.mktemp("bucket"), endpoint)
    assert done.returncode == 0, done.stderr[-3000:]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=PREFIX)
    keys = [entry["Key"] for page in pages for entry in page["Contents"]]
    return {
        key.removeprefix(f"{PREFIX}/"): s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        for key in keys
    }


def test_a_run_in_a_bucket_gives_what_a_local_run_gives(bucket, finished):
    there = digests(finished)
    for part in ("datasets", "classification", "adaptation", "anomaly", "regression"):
        here = {k: v for k, v in bucket.items() if k.startswith(f"results/{part}/")}
        assert here, part
        for name, content in here.items():
            if not name.endswith((".packed.zip", "run.json")):
                assert hashlib.sha256(content).hexdigest() == there[name], name
    for name in ("tables/classification.csv", "tables/anomaly.csv", "figures/gallery/euclid.png"):
        assert bucket[f"results/{name}"], name


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
