"""Where files are: paths and URIs of this machine and of object stores, folders and globs.

A location is a path, or a URI of ``file``, ``s3``, ``gs``, ``abfs`` or ``abfss``: keys may stand in it or in the
environment (:mod:`opencarbon.sources.object_locations`). Published names and messages never hold the user part or the
query of a URI.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Final

import pyarrow as pa
import pyarrow.fs as pafs

from opencarbon.errors import ManifestError
from opencarbon.sources.object_locations import SCHEMES
from opencarbon.sources.object_store import object_file_system

_AZURE: Final = frozenset({"abfs", "abfss"})
_SCHEMES: Final = SCHEMES | {"file"}
_GLOB_CHARACTERS: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file at a location.

    Parameters
    ----------
    name : str
        Name to publish: the location as given, without credentials, and the path below it.
    filesystem : pyarrow.fs.FileSystem
        File system that holds it.
    path : str
        Its path there.
    size_bytes : int
        Its size [bytes].
    """

    name: str
    filesystem: pafs.FileSystem
    path: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Root:
    """A location without its glob: names below it are published below ``name``."""

    name: str
    filesystem: pafs.FileSystem
    path: str


def public_name(location: str) -> str:
    """Write a location as it may be shown: no user, no password, no key, no query.

    Parameters
    ----------
    location : str
        A path or a URI.

    Returns
    -------
    str
        The container of an Azure URI (``abfss://container@account...``) stays; its password does not.
    """
    scheme, separator, rest = location.partition("://")
    if not separator:
        return PurePosixPath(location).as_posix()
    rest = rest.partition("?")[0].rstrip("/")
    authority, slash, path = rest.partition("/")
    if ":" in authority and "@" in path and "@" not in authority:
        # A key with an unescaped slash: everything up to the last @ may be part of it.
        return f"{scheme}://{rest.rpartition('@')[2]}"
    user, _, host = authority.rpartition("@")
    container = user.partition(":")[0] if scheme in _AZURE else ""
    return f"{scheme}://{container}{'@' if container else ''}{host}{slash}{path}"


def find_files(location: str, *, suffixes: tuple[str, ...]) -> list[FoundFile]:
    """Find the files at a location: the file itself, all files below a folder, all matches of a glob.

    Parameters
    ----------
    location : str
        A path or URI. ``*``, ``?`` (paths only), ``[...]`` and ``**`` are globs unless a file has that very name.
    suffixes : tuple of str
        Endings of the files that count below a folder. A file that is named or matched counts whatever its ending.

    Returns
    -------
    list of FoundFile
        By name. Hidden files and those that begin with an underscore are left out below folders.

    Raises
    ------
    ManifestError
        Nothing is there, the scheme is unknown, or the file system gives no answer.
    """
    try:
        found = list(_find(location, suffixes))
    except (OSError, pa.ArrowException) as problem:
        detail = _safe_detail(location, problem)
        raise ManifestError(
            f"{public_name(location)} cannot be reached{detail}: check the location and the access to it"
        ) from None
    if not found:
        raise ManifestError(
            f"{public_name(location)} holds no file that ends in {' or '.join(suffixes)}: "
            "give a file, a folder of such files, or a glob that matches some"
        )
    return sorted(found, key=lambda file: file.name)


def _find(location: str, suffixes: tuple[str, ...]) -> Iterator[FoundFile]:
    fixed, pattern = _split_glob(location)
    root = _root(fixed)
    if not pattern:
        info = root.filesystem.get_file_info(root.path)
        if info.type == pafs.FileType.NotFound:
            raise ManifestError(f"{root.name} does not exist: check the path, or give a glob in quotes")
        yield from _files_at(root, info, suffixes)
        return
    for info in _matches(root.filesystem, root.path, pattern):
        yield from _files_at(root, info, suffixes)


def _files_at(root: _Root, info: pafs.FileInfo, suffixes: tuple[str, ...]) -> Iterator[FoundFile]:
    if info.type == pafs.FileType.Directory:
        for below in root.filesystem.get_file_info(pafs.FileSelector(info.path, recursive=True)):
            if below.type == pafs.FileType.File and _counts(below.path, info.path, suffixes):
                yield _found(root, below)
    elif info.type != pafs.FileType.NotFound:
        yield _found(root, info)


def _counts(path: str, folder: str, suffixes: tuple[str, ...]) -> bool:
    hidden = any(_is_hidden(part) for part in path.removeprefix(folder).split("/"))
    return not hidden and path.lower().endswith(suffixes)


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "_"))


def _found(root: _Root, info: pafs.FileInfo) -> FoundFile:
    below = info.path.removeprefix(root.path).lstrip("/")
    folder = "" if root.name in ("", ".") else f"{root.name.rstrip('/')}/"
    return FoundFile(folder + below if below else root.name, root.filesystem, info.path, int(info.size or 0))


def _root(location: str) -> _Root:
    scheme, separator, _ = location.partition("://")
    if not separator:
        return _Root(public_name(location), pafs.LocalFileSystem(), os.path.abspath(location))
    if scheme not in _SCHEMES:
        raise ManifestError(
            f"{public_name(location)} begins with {scheme}://, which is not supported: "
            f"use a path or one of {', '.join(sorted(_SCHEMES))}"
        )
    try:
        filesystem, path = (
            pafs.FileSystem.from_uri(location) if scheme == "file" else object_file_system(location)
        )
    except ValueError as problem:
        raise ManifestError(f"{public_name(location)} cannot be read: {problem}") from None
    return _Root(public_name(location), filesystem, path.rstrip("/") or "/")


def _split_glob(location: str) -> tuple[str, list[str]]:
    """Split off the path segments from the first with a glob character on; the query of a URI stays in front."""
    is_uri = "://" in location
    if not is_uri and os.path.exists(location):
        return location, []
    base, mark, query = location.partition("?") if is_uri else (location, "", "")
    segments = base.split("/")
    globbed = [position for position, segment in enumerate(segments) if _GLOB_CHARACTERS & set(segment)]
    if not globbed:
        return location, []
    fixed = "/".join(segments[: globbed[0]])
    if not is_uri and not fixed:
        fixed = "/" if location.startswith("/") else "."
    return fixed + mark + query, [segment for segment in segments[globbed[0] :] if segment]


def _matches(filesystem: pafs.FileSystem, folder: str, segments: list[str]) -> Iterator[pafs.FileInfo]:
    head, rest = segments[0], segments[1:]
    if head == "**":
        yield from _matches(filesystem, folder, rest or ["*"])
        for info in _listing(filesystem, folder):
            if info.type == pafs.FileType.Directory and not _is_hidden(info.base_name):
                yield from _matches(filesystem, info.path, segments)
        return
    for info in _listing(filesystem, folder):
        if not fnmatchcase(info.base_name, head) or (_is_hidden(info.base_name) and not _is_hidden(head)):
            continue
        if not rest:
            yield info
        elif info.type == pafs.FileType.Directory:
            yield from _matches(filesystem, info.path, rest)


def _listing(filesystem: pafs.FileSystem, folder: str) -> list[pafs.FileInfo]:
    return filesystem.get_file_info(pafs.FileSelector(folder, recursive=False, allow_not_found=True))


def _safe_detail(location: str, problem: Exception) -> str:
    """Repeat what the file system said, unless the location holds something that it might repeat."""
    if "@" in location or "?" in location:
        return f" ({type(problem).__name__})"
    return f" ({str(problem).splitlines()[0]})" if str(problem) else ""
