"""A webhook on loopback that keeps what it is told."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "T0PSECRET-hook"
"""Part of the path of its URL: whoever knows it may post."""


@dataclass
class Webhook:
    """What came, and what is answered."""

    port: int = 0
    status: int = 204
    is_endless: bool = False
    told: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/services/{SECRET}"


@contextmanager
def webhook() -> Iterator[Webhook]:
    """A webhook that answers."""
    made = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name that http.server calls
            content = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == f"/services/{SECRET}"
            made.told.append(json.loads(content))
            self.send_response(made.status)
            if 300 <= made.status < 400:
                self.send_header("Location", made.url)
            self.send_header("Content-Length", "1000000" if made.is_endless else "0")
            self.end_headers()
            with suppress(OSError):  # the other side has hung up
                while made.is_endless:
                    self.wfile.write(b"x")
                    time.sleep(0.1)

        def log_message(self, *arguments: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()
