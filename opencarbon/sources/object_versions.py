"""Objects by version: put only where nobody else was first, told apart by what the store calls their content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import pyarrow.fs as pafs

from opencarbon.sources.object_store import Objects, told
from opencarbon.sources.places import Place

if TYPE_CHECKING:
    from obstore import PutMode, UpdateVersion

_PARTS_AT_ONCE: Final = 4
"""Parts of a file under way at a time; each is 5 MiB of memory."""


@dataclass(frozen=True, slots=True)
class Found:
    """An object that is listed.

    Parameters
    ----------
    size : int
        [bytes]
    e_tag : str or None
        What the store calls its content.
    changed_utc : datetime
    """

    size: int
    e_tag: str | None
    changed_utc: datetime


@dataclass(frozen=True, slots=True)
class Version:
    """An object as it was read.

    Parameters
    ----------
    content : bytes
    mark : mapping of str to str
        What the store calls this version.
    """

    content: bytes
    mark: Mapping[str, str]


def objects_below(folder: Place) -> dict[str, Found]:
    """Objects below a place of an object store, by one listing.

    Parameters
    ----------
    folder : Place

    Returns
    -------
    dict of str to Found
        By their names from the folder on.
    """
    import obstore

    objects, key = _of(folder)
    with told():
        chunks = list(obstore.list(objects.store, key))
    return {
        one["path"].removeprefix(f"{key}/"): Found(one["size"], one["e_tag"], one["last_modified"])
        for chunk in chunks
        for one in chunk
        if one["path"] != key
    }


def read_version(place: Place) -> Version | None:
    """Read an object, and remember which version it was.

    Parameters
    ----------
    place : Place

    Returns
    -------
    Version or None
        None where nothing is.
    """
    import obstore

    objects, key = _of(place)
    try:
        with told():
            answer = obstore.get(objects.store, key)
            marks = {"e_tag": answer.meta["e_tag"], "version": answer.meta["version"]}
            content = answer.bytes().to_bytes()
    except FileNotFoundError:
        return None
    return Version(content, {name: mark for name, mark in marks.items() if mark is not None})


def swap(place: Place, content: bytes, *, read: Version | None) -> bool:
    """Put an object in the place of the version that was read, and of no other.

    Parameters
    ----------
    place : Place
    content : bytes
    read : Version or None
        None: nothing was there.

    Returns
    -------
    bool
        False where somebody else was first. True as well where the same content is there already: the store may have
        put it and its answer got lost.
    """
    import obstore
    from obstore.exceptions import AlreadyExistsError, PreconditionError

    objects, key = _of(place)
    mode: PutMode = "create" if read is None else cast("UpdateVersion", dict(read.mark))
    with told():
        try:
            obstore.put(objects.store, key, content, mode=mode)
        except (AlreadyExistsError, PreconditionError, FileNotFoundError):
            pass
        else:
            return True
    there = read_version(place)
    return there is not None and there.content == content


def upload(place: Place, path: Path) -> None:
    """Put a file of this machine, in parts where it is large.

    Parameters
    ----------
    place : Place
    path : Path
    """
    import obstore

    objects, key = _of(place)
    with told():
        obstore.put(objects.store, key, path, max_concurrency=_PARTS_AT_ONCE)


def copy(source: Place, target: Place) -> None:
    """Copy an object within the store.

    Parameters
    ----------
    source, target : Place
        Of the same bucket.
    """
    import obstore

    objects, key = _of(source)
    with told():
        obstore.copy(objects.store, key, _of(target)[1])


def tag_of(place: Place) -> str | None:
    """What the store calls the content of an object.

    Parameters
    ----------
    place : Place

    Returns
    -------
    str or None
        None where there is no object, or the store has no name for it.
    """
    import obstore

    objects, key = _of(place)
    try:
        with told():
            return obstore.head(objects.store, key)["e_tag"]
    except FileNotFoundError:
        return None


def _of(place: Place) -> tuple[Objects, str]:
    handler: Any = cast(pafs.PyFileSystem, place.system).handler
    objects = cast(Objects, handler)
    return objects, objects.key(place.path)
