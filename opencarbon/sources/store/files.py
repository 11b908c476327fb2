"""Files of the store: its format, and immutable files that are written whole or not at all."""

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final, TypeVar, cast
from uuid import uuid4

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from opencarbon.errors import ConfigError, SourceUnavailableError
from opencarbon.sources.locations import public_name
from opencarbon.sources.storage import open_location, reason_of

_Found = TypeVar("_Found")

_LEFT_AFTER_S: Final = 86_400.0
"""Age from which a file that was never given its name is of a writer that was killed [s]."""

FORMAT: Final = 2
"""Format of the store that this version writes; it reads format 1 too, which names no hours and merges nothing."""

_READABLE: Final = (1, FORMAT)

MOMENT_IN_NAMES: Final = "%Y%m%dT%H%M%S%fZ"
"""Form of a moment in UTC in the name of a file: names are sorted by it."""


def put(root: str, path: str, content: bytes, *, store: str) -> None:
    """Put an immutable file into a store; nothing happens where it is there already.

    Parameters
    ----------
    root : str
        Folder of the store: a path, or a URI of an object store. It is made where it is missing.
    path : str
        Below the root, with a digest of the content in its name.
    content : bytes
    store : str
        What messages call it.

    Raises
    ------
    ConfigError
        If the store has another format than ours.
    SourceUnavailableError
        If the store cannot be written.
    """
    system, base = open_location(root)
    try:
        if _format_of(system, base, root) != FORMAT:
            _write(system, f"{base}/store.json", json.dumps({"format": FORMAT}).encode())
        if not _holds(system, f"{base}/{path}", content):
            _write(system, f"{base}/{path}", content)
    except (OSError, pa.ArrowException) as problem:
        reason = reason_of(problem)
    else:
        return
    raise SourceUnavailableError(f"the {store} at {public_name(root)} cannot be written: {reason}")


def find(
    root: str, folder: str, look: Callable[[pafs.FileSystem, str], Iterable[_Found]], *, store: str
) -> tuple[pafs.FileSystem, list[_Found]]:
    """Find files of a store.

    Parameters
    ----------
    root : str
        Folder of the store: a path, or a URI of an object store. Where nothing is, the store is empty.
    folder : str
        Below the root.
    look : callable
        File system and path of the folder within it -> what is found there.
    store : str
        What messages call it.

    Returns
    -------
    tuple of pyarrow.fs.FileSystem and list
        The file system, and what was found.

    Raises
    ------
    ConfigError
        If the store has another format than ours.
    SourceUnavailableError
        If the store cannot be listed.
    """
    system, base = open_location(root)
    try:
        _format_of(system, base, root)
        return system, list(look(system, f"{base}/{folder}"))
    except (OSError, pa.ArrowException) as problem:
        reason = reason_of(problem)
    raise SourceUnavailableError(f"the {store} at {public_name(root)} cannot be read: {reason}")


def listed(system: pafs.FileSystem, folder: str) -> list[pafs.FileInfo]:
    """What a folder holds, nothing where there is none.

    Parameters
    ----------
    system : pyarrow.fs.FileSystem
    folder : str

    Returns
    -------
    list of pyarrow.fs.FileInfo
    """
    return system.get_file_info(pafs.FileSelector(folder, allow_not_found=True))


def names_in(system: pafs.FileSystem, folder: str) -> list[str]:
    """Names of what a folder holds, none where there is none; files may come and go meanwhile.

    Parameters
    ----------
    system : pyarrow.fs.FileSystem
    folder : str

    Returns
    -------
    list of str
        In alphabetical order.
    """
    if isinstance(system, pafs.LocalFileSystem):
        try:
            return sorted(os.listdir(folder))
        except FileNotFoundError:
            return []
    return sorted(info.base_name for info in listed(system, folder))


def remove(system: pafs.FileSystem, path: str) -> None:
    """Remove a file; nothing happens where it is gone already.

    Parameters
    ----------
    system : pyarrow.fs.FileSystem
    path : str
    """
    if isinstance(system, pafs.LocalFileSystem):
        Path(path).unlink(missing_ok=True)
    elif system.get_file_info(path).type != pafs.FileType.NotFound:
        system.delete_file(path)


def name_of(path: str) -> str:
    """Name of a file: what follows the last slash of its path."""
    return path.rpartition("/")[2]


def content_of(system: pafs.FileSystem, path: str) -> bytes:
    """Content of a file.

    Parameters
    ----------
    system : pyarrow.fs.FileSystem
    path : str

    Returns
    -------
    bytes
    """
    with system.open_input_stream(path, compression=None) as stream:
        content: bytes = stream.read()
    return content


def digest_of(content: bytes) -> str:
    """Fingerprint in the name of a file, by which a damaged one is recognised.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    str
        16 hex digits of its SHA-256.
    """
    return hashlib.sha256(content).hexdigest()[:16]


def parquet_bytes(rows: pa.Table, metadata: dict[bytes | str, bytes | str] | None = None) -> bytes:
    """A table as a Parquet file that depends on its values alone.

    Parameters
    ----------
    rows : pa.Table
    metadata : dict, optional
        Kept in the file beside its values.

    Returns
    -------
    bytes
    """
    buffer = io.BytesIO()
    _write_parquet(rows, buffer, metadata)
    return buffer.getvalue()


class _Digest(io.RawIOBase):
    """A file that is digested instead of kept."""

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:  # noqa: ANN401  # a buffer
        self.sha256.update(content)
        return len(content)


def parquet_sha256(rows: pa.Table) -> str:
    """Digest of what :func:`parquet_bytes` gives, without holding it.

    Parameters
    ----------
    rows : pa.Table

    Returns
    -------
    str
    """
    digest = _Digest()
    _write_parquet(rows, cast(IO[bytes], digest), None)
    return digest.sha256.hexdigest()


def _write_parquet(rows: pa.Table, file: IO[Any], metadata: dict[bytes | str, bytes | str] | None) -> None:
    schema = pa.schema([field.remove_metadata() for field in rows.schema], metadata=metadata)
    pq.write_table(
        rows.combine_chunks().cast(schema),
        file,
        compression="snappy",
        version="2.6",
        data_page_version="1.0",
    )


def _format_of(system: pafs.FileSystem, base: str, root: str) -> int | None:
    """Format that a store says it has, which must be one we know; None where nothing was stored yet."""
    path = f"{base}/store.json"
    if system.get_file_info(path).type == pafs.FileType.NotFound:
        return None
    try:
        said = json.loads(content_of(system, path))["format"]
    except (ValueError, KeyError, TypeError):
        said = None
    if type(said) is int and said in _READABLE:
        return said
    raise ConfigError(
        f"the store at {public_name(root)} has format {said!r} and this version of opencarbon knows format "
        f"{FORMAT}: use the version that wrote it, or set store.root to another folder"
    )


def _holds(system: pafs.FileSystem, path: str, content: bytes) -> bool:
    found = system.get_file_info(path)
    return (
        found.type == pafs.FileType.File
        and found.size == len(content)
        and content_of(system, path) == content
    )


def _write(system: pafs.FileSystem, path: str, content: bytes) -> None:
    """All of the file or nothing: an object store does so by itself, a local one by renaming."""
    if not isinstance(system, pafs.LocalFileSystem):
        with system.open_output_stream(path, compression=None) as stream:
            stream.write(content)
        return
    final = Path(path)
    # In a folder of its own: a file that goes away while pyarrow lists its folder is an error to the reader.
    staged = final.parent / ".staging" / f"{final.name}.{uuid4().hex}"
    final.parent.mkdir(parents=True, exist_ok=True)
    staged.parent.mkdir(exist_ok=True)
    try:
        with staged.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _sweep(staged)
        staged.replace(final)
    finally:
        staged.unlink(missing_ok=True)


def _sweep(written: Path) -> None:
    """Remove what killed writers left, by the clock of the file system: what is written just now is young."""
    latest_s = written.stat().st_mtime - _LEFT_AFTER_S
    for name in os.listdir(written.parent):
        left = written.with_name(name)
        with suppress(FileNotFoundError):  # its writer, or another sweep, was first
            if left.stat().st_mtime < latest_s:
                left.unlink()
