"""Object stores as file systems that pyarrow reads: Amazon S3, Google Cloud Storage, Azure Data Lake, and their like.

Requests are those of obstore: one that is answered by 429 or 5xx, or not at all, is repeated with growing pauses.
"""

from __future__ import annotations

import errno
import io
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, cast

import pyarrow as pa
import pyarrow.fs as pafs

from opencarbon.sources.object_locations import Address, opened, parse

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer
    from obstore import ObjectMeta
    from obstore.store import ObjectStore

READ_AT_ONCE: Final = 8 << 20
"""Objects up to this size are read by one request [bytes]."""
_IN_MEMORY: Final = 64 << 20
"""What is written waits in memory up to this size [bytes], then on disk."""
_STATUS: Final = re.compile(r"\b[45]\d\d [A-Z][A-Za-z]+(?: [A-Z][a-z]+)*")


def object_file_system(location: str) -> tuple[pafs.FileSystem, str]:
    """File system of a URI of an object store, and the path within it.

    Parameters
    ----------
    location : str
        See :func:`opencarbon.sources.object_locations.parse`.

    Returns
    -------
    tuple of pyarrow.fs.FileSystem and str

    Raises
    ------
    ValueError
        If the URI cannot be read; its text holds no key.
    """
    address, path = parse(location)
    return pafs.PyFileSystem(Objects(address)), path


class Objects(pafs.FileSystemHandler):
    """The objects of one bucket or container; paths begin with its name, as those of pyarrow do.

    Parameters
    ----------
    address : Address
    """

    def __init__(self, address: Address) -> None:
        self._address = address

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Objects) and other._address == self._address

    def __hash__(self) -> int:
        return hash(self._address)

    def __reduce__(self) -> tuple[Callable[..., Objects], tuple[Address]]:
        return Objects, (self._address,)

    @cached_property
    def store(self) -> ObjectStore:
        """Store of obstore, opened by the first request."""
        return opened(self._address)

    def key(self, path: str) -> str:
        """Name of an object within the bucket.

        Parameters
        ----------
        path : str
            As pyarrow writes it: bucket and name.

        Returns
        -------
        str
        """
        return path.strip("/").removeprefix(self._address.bucket).strip("/")

    def get_type_name(self) -> str:
        """Scheme of the store."""
        return self._address.scheme

    def normalize_path(self, path: str) -> str:
        """Path as it is."""
        return path

    def get_file_info(self, paths: Sequence[str]) -> list[pafs.FileInfo]:
        """What is at some paths."""
        return [self._info(path) for path in paths]

    def get_file_info_selector(self, selector: pafs.FileSelector) -> list[pafs.FileInfo]:
        """Objects below a path; of its folders those directly below, and only where not all below is wanted."""
        import obstore

        base = selector.base_dir.rstrip("/")
        prefix = self.key(base)
        with told():
            if selector.recursive:
                found = [_file(self._path(one), one) for chunk in self._list(prefix) for one in chunk]
            else:
                listed = obstore.list_with_delimiter(self.store, prefix or None)
                found = [_file(self._path(one), one) for one in listed["objects"] if one["path"] != prefix]
                found += [
                    pafs.FileInfo(f"{self._address.bucket}/{folder}", pafs.FileType.Directory)
                    for folder in listed["common_prefixes"]
                ]
        if not found and not selector.allow_not_found:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return found

    def create_dir(self, path: str, recursive: bool) -> None:
        """Nothing: what lies below an object's name needs no folder."""

    def delete_dir(self, path: str) -> None:
        """Delete all objects below a path."""
        self.delete_dir_contents(path, True)

    def delete_dir_contents(self, path: str, missing_dir_ok: bool = False) -> None:
        """Delete all objects below a path."""
        prefix = self.key(path)
        if not prefix:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        for chunk in self._list(prefix):
            self._delete([one["path"] for one in chunk])

    def delete_root_dir_contents(self) -> None:
        """Refused: a bucket is never emptied."""
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def delete_file(self, path: str) -> None:
        """Delete an object; nothing happens where it is gone already."""
        self._delete([self.key(path)])

    def move(self, src: str, dest: str) -> None:
        """Copy an object, then delete it."""
        self.copy_file(src, dest)
        self.delete_file(src)

    def copy_file(self, src: str, dest: str) -> None:
        """Copy an object within the store."""
        import obstore

        with told():
            obstore.copy(self.store, self.key(src), self.key(dest))

    def open_input_stream(self, path: str) -> pa.NativeFile:
        """Open an object to be read from its start on; all that is read of it is of one version."""
        found = self._open(path)
        if isinstance(found, _Reader):
            return pa.PythonFile(io.BufferedReader(found, READ_AT_ONCE), mode="r")
        return found

    def open_input_file(self, path: str) -> pa.NativeFile:
        """Open an object to be read in any order; all that is read of it is of one version."""
        found = self._open(path)
        return pa.PythonFile(found, mode="r") if isinstance(found, _Reader) else found

    def open_output_stream(self, path: str, metadata: object) -> pa.NativeFile:
        """Open an object to be written: it is there, whole, once the stream is closed."""
        return pa.PythonFile(_Writer(self.store, self.key(path)), mode="w")

    def open_append_stream(self, path: str, metadata: object) -> pa.NativeFile:
        """Refused: objects are written whole."""
        raise NotImplementedError("objects are written whole")

    def _open(self, path: str) -> _Reader | pa.BufferReader:
        import obstore

        with told():
            answer = obstore.get(self.store, self.key(path))
            if answer.meta["size"] > READ_AT_ONCE:
                return _Reader(self.store, answer.meta)
            return pa.BufferReader(pa.py_buffer(answer.bytes()))

    def _path(self, one: ObjectMeta) -> str:
        return f"{self._address.bucket}/{one['path']}"

    def _info(self, path: str) -> pafs.FileInfo:
        import obstore

        key = self.key(path)
        if not key:
            return pafs.FileInfo(path, pafs.FileType.Directory)
        with suppress(FileNotFoundError), told():
            return _file(path, obstore.head(self.store, key))
        is_folder = any(True for chunk in self._list(key, most=1) for _ in chunk)
        return pafs.FileInfo(path, pafs.FileType.Directory if is_folder else pafs.FileType.NotFound)

    def _list(self, prefix: str, *, most: int = 1000) -> Iterator[Sequence[ObjectMeta]]:
        import obstore

        with told():
            for chunk in obstore.list(self.store, prefix or None, chunk_size=most):
                yield [one for one in chunk if one["path"] != prefix]

    def _delete(self, keys: list[str]) -> None:
        import obstore

        try:
            with told():
                obstore.delete(self.store, keys)
        except FileNotFoundError:  # one is gone already; of several others may be left
            for key in keys if len(keys) > 1 else ():
                self._delete([key])


class _Reader(io.RawIOBase):
    """A large object, read by requests for parts of the version that was found first."""

    def __init__(self, store: ObjectStore, meta: ObjectMeta) -> None:
        self._store = store
        self._meta = meta
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._meta["size"]}[whence]
        self._at = start + offset
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        content = self.read(len(view))
        view[: len(content)] = content
        return len(content)

    def read(self, size: int | None = -1) -> bytes:
        import obstore

        rest = max(self._meta["size"] - self._at, 0)
        length = rest if size is None or size < 0 else min(size, rest)
        if not length:
            return b""
        version = {"if_match": self._meta["e_tag"]} if self._meta["e_tag"] else {}
        options: Any = {"range": (self._at, self._at + length), **version}
        with told():
            content = obstore.get(self._store, self._meta["path"], options=options).bytes()
        self._at += length
        return content.to_bytes()


class _Writer(io.RawIOBase):
    """Bytes that become an object when all are here."""

    def __init__(self, store: ObjectStore, key: str) -> None:
        self._store = store
        self._key = key
        self._bytes = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed by close

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._bytes.tell()

    def write(self, content: ReadableBuffer) -> int:
        return self._bytes.write(content)

    def close(self) -> None:
        import obstore

        if self.closed:
            return
        super().close()
        with self._bytes, told():
            self._bytes.seek(0)
            obstore.put(self._store, self._key, cast(io.BufferedIOBase, self._bytes))


def _file(path: str, meta: ObjectMeta) -> pafs.FileInfo:
    return pafs.FileInfo(path, pafs.FileType.File, size=meta["size"], mtime=meta["last_modified"])


@contextmanager
def told() -> Iterator[None]:
    """Turn the errors of obstore into those of files: their text holds URLs, and these may hold keys.

    Yields
    ------
    None

    Raises
    ------
    FileNotFoundError, PermissionError, OSError
    """
    from obstore import exceptions

    try:
        yield
    except (exceptions.NotFoundError, FileNotFoundError):
        number, words = errno.ENOENT, os.strerror(errno.ENOENT)
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError, PermissionError):
        number, words = errno.EACCES, os.strerror(errno.EACCES)
    except exceptions.PreconditionError:
        number, words = errno.EIO, "the object changed while it was read"
    except exceptions.BaseError as failure:
        status = _STATUS.search(str(failure))
        number, words = errno.EIO, f"it answered {status[0]}" if status else "it gives no answer"
    else:
        return
    raise OSError(number, words)
