"""Content of a file, wherever it is: the web, an object store or a disk."""

import os

from opencarbon.errors import SourceError
from opencarbon.sources.http import Client
from opencarbon.sources.http_limits import HttpLimits
from opencarbon.sources.locations import public_name
from opencarbon.sources.storage import read_file, scheme_of


def fetch_bytes(location: str | os.PathLike[str], *, limits: HttpLimits | None = None) -> bytes:
    """Content of a file, by URL or path. No token is sent; redirects are followed.

    Parameters
    ----------
    location : str or os.PathLike
        ``http://``, ``https://``, ``file://``, an object store (``s3://``, ``gs://``,
        ``abfss://``), or a local path.
    limits : HttpLimits, optional
        Timeouts, retries and the longest content accepted.

    Returns
    -------
    bytes

    Raises
    ------
    SourceError
        If there is no such file, it cannot be read or is too long; see :meth:`Client.get` for its kinds.
    """
    limits = limits or HttpLimits()
    text = os.fspath(location)
    if scheme_of(text) in ("http", "https"):
        with Client(text, limits=limits, follow_redirects=True) as client:
            body = client.get()
        if body is None:
            raise SourceError(f"{public_name(text)} answered 404: there is no such file")
        return body
    return read_file(text, max_bytes=limits.max_bytes)
