"""A real S3 server for tests: moto's, in a thread of the process, reached over HTTP like any other."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import boto3
import pytest
from moto.server import ThreadedMotoServer

from backend.blobs.s3_bucket import Bucket

BUCKET = "shelf"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "tests",
    "AWS_SECRET_ACCESS_KEY": "tests",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",  # or botocore would look for the role of a machine that has none
}


@dataclass(frozen=True)
class S3Server:
    """Where it listens; it holds one empty bucket."""

    endpoint: str

    def url(self) -> str:
        """An address in the bucket nobody used yet."""
        return f"s3://{BUCKET}/t-{uuid.uuid4().hex}"

    def bucket(self) -> Bucket:
        """What nobody wrote to yet."""
        return Bucket(self.url(), endpoint=self.endpoint)


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Started, with a bucket, and the environment's credentials set."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        running = S3Server(f"http://{host}:{port}")
        boto3.session.Session().client("s3", endpoint_url=running.endpoint).create_bucket(Bucket=BUCKET)
        yield running
        server.stop()
