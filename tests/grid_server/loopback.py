"""HTTP/1.1 servers from the standard library, so that nothing of the client under test is shared with them.

Each is a context manager, listens on 127.0.0.1, on a free port where none is named, and records the requests it gets.
"""

import json
import sys
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import ClassVar, Self
from urllib.parse import parse_qsl, urlsplit

_PIECES_PER_S = 20


@dataclass(frozen=True)
class Request:
    """A request as the server saw it; names of headers in lower case."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """An answer to send.

    ``cut_at`` closes the connection after so many bytes; ``status`` 0 never answers; ``bytes_per_s`` is how fast the
    body comes, all at once where it is None.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    cut_at: int | None = None
    bytes_per_s: int | None = None


def json_answer(status: int, body: object, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, json.dumps(body).encode(), headers or {})


HANG = Answer(status=0)
"""No answer until the server closes."""


class _Server(ThreadingHTTPServer):
    """A server that takes a client which hangs up for what it is: some tests time out on purpose."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Report every failure but a connection that the client closed."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # typed by the stubs of sockets


class LoopbackServer:
    """An HTTP server on 127.0.0.1 that answers GET by :meth:`answer` and records every request."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[Request] = []
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _handler_of(self))
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    @property
    def url(self) -> str:
        """Base URL, without a slash at its end."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def port(self) -> int:
        """Port on 127.0.0.1."""
        return self._server.server_port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: Request) -> Answer:
        """What to send back."""
        raise NotImplementedError

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        """Record a request and send its answer."""
        parts = urlsplit(handler.path)
        request = Request(
            parts.path,
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            {name.lower(): value for name, value in handler.headers.items()},
        )
        with self._lock:
            self.requests.append(request)
            answer = self.answer(request)
        if answer.status == 0:
            self._closing.wait()
            handler.close_connection = True
            return
        try:
            self._send(handler, answer)
        except (BrokenPipeError, ConnectionResetError):
            handler.close_connection = True  # the client gave up, as some tests want

    def _send(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        handler.send_response(answer.status)
        handler.send_header("Content-Type", answer.content_type)
        handler.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        body = answer.body[: answer.cut_at]
        piece = len(body) if answer.bytes_per_s is None else answer.bytes_per_s // _PIECES_PER_S
        for start in range(0, len(body), piece or 1):
            if answer.bytes_per_s is not None and self._closing.wait(1 / _PIECES_PER_S):
                break
            handler.wfile.write(body[start : start + piece])
        handler.close_connection = handler.close_connection or answer.cut_at is not None


def _handler_of(server: LoopbackServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            server.handle(self)

        def log_message(self, format: str, *args: object) -> None:
            """Write nothing to stderr."""

    return Handler


class ScriptedServer(LoopbackServer):
    """Plays a list of answers, then repeats the last one."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__()
        self._answers = deque(answers)

    def answer(self, request: Request) -> Answer:
        """The next answer of the list."""
        return self._answers.popleft() if len(self._answers) > 1 else self._answers[0]


class FileServer(LoopbackServer):
    """Serves files from memory by path (``/models.csv``) and redirects where told; 404 for the rest."""

    _TYPES: ClassVar = {"csv": "text/csv; charset=utf-8", "json": "application/json"}

    def __init__(self, files: Mapping[str, bytes], *, redirects: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.files = dict(files)
        self.redirects = dict(redirects or {})

    def answer(self, request: Request) -> Answer:
        """The file at the path of the request."""
        if request.path in self.redirects:
            return Answer(302, headers={"Location": self.redirects[request.path]})
        if request.path not in self.files:
            return Answer(404, b"<html>not found</html>", content_type="text/html")
        kind = self._TYPES.get(request.path.rpartition(".")[2], "application/octet-stream")
        return Answer(200, self.files[request.path], content_type=kind)
