"""Logs of the HTTP client that tell no secret: neither the query of a URL nor the headers of an answer."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import httpx

from opencarbon.sources.locations import public_name

_OWN_REQUEST: ContextVar[bool] = ContextVar("opencarbon_own_request", default=False)


@contextmanager
def discreet_logs() -> Iterator[None]:
    """Keep what is secret about a request out of the logs that httpx and httpcore write of it."""
    mark = _OWN_REQUEST.set(True)
    try:
        yield
    finally:
        _OWN_REQUEST.reset(mark)


def _shorten_urls(record: logging.LogRecord) -> bool:
    """Cut user, password and query from the URLs that httpx logs for requests of this module."""
    if _OWN_REQUEST.get() and isinstance(record.args, tuple):
        record.args = tuple(
            public_name(str(value)) if isinstance(value, httpx.URL) else value for value in record.args
        )
    return True


def _drop_headers(record: logging.LogRecord) -> bool:
    """Whether a record of httpcore may pass: one with headers of an answer to this module may not."""
    return not (_OWN_REQUEST.get() and "response_headers.complete" in record.getMessage())


logging.getLogger("httpx").addFilter(_shorten_urls)
for _name in ("httpcore.http11", "httpcore.http2", "httpcore.proxy"):
    logging.getLogger(_name).addFilter(_drop_headers)
# Without a handler of its own, Python would print every retry on standard error as a bare event name.
logging.getLogger("stamina").addHandler(logging.NullHandler())
