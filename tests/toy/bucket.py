"""An S3 server on this machine, and what is in its bucket."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import boto3

BUCKET, PREFIX = "lensml", "run"
KEYS = {"access_key": "anyone", "secret_key": "anything"}


def _serve(connection: Connection) -> None:
    """An S3 server in this process; sends its port."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    connection.send(server.get_host_and_port()[1])
    connection.recv()
    server.stop()


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of a server of its own process, which is stopped afterwards."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(there,))
    process.start()
    try:
        assert here.poll(60), "the S3 server did not start"
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        here.send("stop")
        process.join(20)
        process.kill()


def new_bucket(endpoint: str) -> Any:
    """A client, and the bucket made."""
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=KEYS["access_key"],
        aws_secret_access_key=KEYS["secret_key"],
        region_name="us-east-1",
    )
    client.create_bucket(Bucket=BUCKET)
    return client


def objects(client: Any) -> dict[str, bytes]:
    """What the bucket holds below the prefix, by path."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=PREFIX)
    keys = [entry["Key"] for page in pages for entry in page["Contents"]]
    return {
        key.removeprefix(f"{PREFIX}/"): client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        for key in keys
    }
