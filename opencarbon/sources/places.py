"""A file or folder of this machine or of an object store, read and written in the same few ways."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.fs as pafs

from opencarbon.sources.storage import open_location, scheme_of


@dataclass(frozen=True, slots=True)
class Place:
    """A file or folder, whether or not it is there yet.

    Parameters
    ----------
    system : pyarrow.fs.FileSystem
    path : str
        Within it.
    scheme : str
        Scheme of the URI it was given by; empty for a path of this machine.

    Notes
    -----
    Failures are those of the file system: ``OSError`` and its like. ``str(place)`` is the location as it may be shown.
    """

    system: pafs.FileSystem
    path: str
    scheme: str = ""

    @classmethod
    def of(cls, location: str | Path | Place) -> Place:
        """Place of a location.

        Parameters
        ----------
        location : str, Path or Place
            A path, or a URI of ``file``, ``s3``, ``gs``, ``abfs`` or ``abfss``; a place is returned as it is.

        Returns
        -------
        Place

        Raises
        ------
        SourceError
            If no file system speaks the scheme.
        """
        if isinstance(location, Place):
            return location
        scheme = "" if isinstance(location, Path) else scheme_of(location)
        if not scheme:
            return cls(pafs.LocalFileSystem(), str(Path(location).expanduser()))
        system, path = open_location(str(location))
        return cls(system, path, "" if scheme == "file" else scheme)

    def __truediv__(self, name: str) -> Self:
        """Place below this one; the name may hold slashes."""
        return type(self)(self.system, f"{self.path.rstrip('/')}/{name}", self.scheme)

    def __str__(self) -> str:
        """Location without secrets."""
        return f"{self.scheme}://{self.path}" if self.scheme else self.path

    def __repr__(self) -> str:
        """Location without secrets."""
        return f"Place({str(self)!r})"

    def __hash__(self) -> int:
        """By path: file systems have no hash."""
        return hash((self.path, self.scheme))

    def __reduce__(self) -> tuple[Callable[..., Place], tuple[Any, ...]]:
        """Another process may work in another folder."""
        path = self.path if self.local is None else str(self.local.absolute())
        return Place, (self.system, path, self.scheme)

    @property
    def name(self) -> str:
        """What follows the last slash."""
        return self.path.rpartition("/")[2]

    @property
    def uri(self) -> str:
        """URI without secrets."""
        return str(self) if self.local is None else self.local.absolute().as_uri()

    @property
    def local(self) -> Path | None:
        """Path on this machine, None elsewhere."""
        return Path(self.path) if isinstance(self.system, pafs.LocalFileSystem) else None

    def names(self) -> list[str]:
        """Names of what a folder holds.

        Returns
        -------
        list of str
            In alphabetical order; empty where there is no folder. Files may come and go meanwhile.
        """
        if self.local is not None:
            try:
                return sorted(os.listdir(self.path))
            except FileNotFoundError:
                return []
        found = self.system.get_file_info(pafs.FileSelector(self.path, allow_not_found=True))
        return sorted(info.base_name for info in found)

    def exists(self) -> bool:
        """Whether a file or folder is there."""
        return self._type() != pafs.FileType.NotFound

    def is_file(self) -> bool:
        """Whether a file is there."""
        return self._type() == pafs.FileType.File

    def is_dir(self) -> bool:
        """Whether a folder is there; on an object store, whether anything lies below."""
        return self._type() == pafs.FileType.Directory

    def read_bytes(self) -> bytes:
        """Content of a file."""
        with self.open() as file:
            content: bytes = file.read()
        return content

    def open(self) -> pa.NativeFile:
        """Open a file to be read in any order."""
        return self.system.open_input_file(self.path)

    def write_bytes(self, content: bytes) -> None:
        """Write a file, whole or not at all; folders above it are made.

        Parameters
        ----------
        content : bytes
        """
        path = self.local
        if path is None:
            with self.system.open_output_stream(self.path, compression=None) as stream:
                stream.write(content)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            with made.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            made.replace(path)
        finally:
            made.unlink(missing_ok=True)

    def make_folder(self) -> None:
        """Make a folder and those above it; object stores need none."""
        if self.local is not None:
            self.local.mkdir(parents=True, exist_ok=True)

    def delete(self) -> None:
        """Delete a file, or a folder with all that lies below; nothing happens where nothing is."""
        path = self.local
        if path is None:
            if self.is_dir():
                self.system.delete_dir(self.path)
            elif self.exists():
                self.system.delete_file(self.path)
        elif path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def _type(self) -> pafs.FileType:
        return self.system.get_file_info(self.path).type
