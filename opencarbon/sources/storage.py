"""Reading and opening files by path or URI, with errors that say why."""

from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.fs as pafs

from opencarbon.errors import SourceError
from opencarbon.sources.locations import FoundFile, public_name
from opencarbon.sources.object_locations import SCHEMES
from opencarbon.sources.object_store import object_file_system


def scheme_of(location: str) -> str:
    """Scheme of a URL or URI.

    Parameters
    ----------
    location : str
        A path, URL or URI.

    Returns
    -------
    str
        In lower case; empty for a path.
    """
    return location.partition("://")[0].lower() if "://" in location else ""


def open_location(location: str) -> tuple[pafs.FileSystem, str]:
    """File system of a path or URI, and the path within it.

    Parameters
    ----------
    location : str
        A local path, ``file://``, ``s3://``, ``gs://`` or ``abfss://``.

    Returns
    -------
    tuple of pyarrow.fs.FileSystem and str

    Raises
    ------
    SourceError
        If no such file system is known.
    """
    scheme = scheme_of(location)
    if not scheme:
        return pafs.LocalFileSystem(), str(Path(location).absolute())
    if scheme == "file":
        return pafs.LocalFileSystem(), unquote(location.partition("://")[2])
    if scheme in SCHEMES:
        try:
            return object_file_system(location)
        except ValueError as problem:
            raise SourceError(f"{public_name(location)} cannot be opened: {problem}") from None
    raise SourceError(f"{public_name(location)} cannot be opened: nothing here speaks {scheme}://")


def read_file(location: str, *, max_bytes: int) -> bytes:
    """Content of a file.

    Parameters
    ----------
    location : str
        As for :func:`open_location`.
    max_bytes : int
        Longest content accepted.

    Returns
    -------
    bytes

    Raises
    ------
    SourceError
        If there is no such file, it cannot be read or is too long.
    """
    system, path = open_location(location)
    try:
        with system.open_input_stream(path, compression=None) as stream:
            content: bytes = stream.read(max_bytes + 1)
    except (OSError, pa.ArrowException) as problem:
        reason = reason_of(problem)
    else:
        if len(content) > max_bytes:
            raise SourceError(f"{public_name(location)} is longer than the {max_bytes} bytes allowed")
        return content
    raise SourceError(f"{public_name(location)} cannot be read: {reason}")


def reason_of(problem: BaseException) -> str:
    """Why a file operation failed, in a few words without the location.

    Parameters
    ----------
    problem : BaseException
        What the file system raised.

    Returns
    -------
    str
    """
    known: dict[type[BaseException], str] = {
        FileNotFoundError: "there is no such file",
        PermissionError: "permission denied",
        IsADirectoryError: "it is a folder",
        NotADirectoryError: "a part of its path is not a folder",
        FileExistsError: "a file is in the way of a folder",
    }
    return known.get(type(problem)) or getattr(problem, "strerror", None) or type(problem).__name__


def read_found(file: FoundFile) -> bytes:
    """Content of a file that was found at a location.

    Parameters
    ----------
    file : FoundFile

    Returns
    -------
    bytes

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    try:
        with file.filesystem.open_input_stream(file.path, compression=None) as stream:
            return bytes(stream.read())
    except (OSError, pa.ArrowException) as problem:
        reason = reason_of(problem)
    raise SourceError(f"{file.name} cannot be read: {reason}")
