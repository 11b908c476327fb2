"""An S3 server of its own: moto in a process beside the tests, on loopback, that may answer some requests with 503.

``python -m tests.s3_server 0.3 7`` starts one that fails 3 of 10 requests, drawn by seed 7, until its input is closed.
"""

import random
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent
BUCKET: Final = "queue-and-results"
KEY: Final = "made-up-key"
SECRET: Final = "made-up-secret"

FAST: Final = {
    "init_backoff": timedelta(milliseconds=2),
    "max_backoff": timedelta(milliseconds=20),
    "base": 2,
}
"""Pauses between attempts that suit a server on loopback."""

_Start = Callable[[str, list[tuple[str, str]]], Any]
_SLOW_DOWN: Final = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)


@dataclass(frozen=True)
class S3:
    """A server that runs, with one bucket."""

    endpoint: str
    bucket: str = BUCKET

    def uri(self, path: str) -> str:
        """URI of a key."""
        return f"s3://{self.bucket}/{path}"

    @property
    def query(self) -> str:
        """Query of a URI that names the server, for those who set no environment."""
        host = self.endpoint.removeprefix("http://")
        return f"scheme=http&endpoint_override={host}&region=us-east-1"

    @property
    def environment(self) -> dict[str, str]:
        """What pyarrow, obstore and boto3 need to find it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextmanager
def s3_server(*, failing: float = 0.0, seed: int = 0) -> Iterator[S3]:
    """Run a server with an empty bucket.

    Of the requests that fail, every second is done all the same: the answer alone is lost.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.s3_server", str(failing), str(seed)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield S3(f"http://127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.kill()
        process.communicate()


class Failing:
    """A WSGI application before another, which answers a share of the requests itself."""

    def __init__(self, behind: Callable[..., Iterable[bytes]], share: float, seed: int) -> None:
        self._behind = behind
        self._share = share
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self.is_on = False

    def __call__(self, environ: dict[str, Any], start_response: _Start) -> Iterable[bytes]:
        """Answer one request."""
        with self._lock:
            fails, is_done = self._random.random() < self._share, self._random.random() < 0.5
        if not (self.is_on and fails):
            return self._behind(environ, start_response)
        # the body is read whatever comes of it: a connection closed before is another fault than a 503
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if (
            is_done and "uploadId=" not in environ["QUERY_STRING"]
        ):  # S3 would complete an upload twice, moto not
            for _ in self._behind({**environ, "wsgi.input": BytesIO(body)}, lambda *_: None):
                pass
        start_response(
            "503 Slow Down", [("Content-Type", "application/xml"), ("Content-Length", str(len(_SLOW_DOWN)))]
        )
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [_SLOW_DOWN]


def serve(share: float, seed: int) -> None:
    """Serve until the input is closed: whoever started the server may die in any way."""
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    application = Failing(DomainDispatcherApplication(create_backend_app), share, seed)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/{BUCKET}", method="PUT")).close()
    application.is_on = True
    print(port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    serve(float(sys.argv[1]), int(sys.argv[2]))
