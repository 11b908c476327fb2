"""The work folder of a night: its own while it lasts, gone afterwards; what killed nights left is removed as well."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

import pyarrow as pa
import pyarrow.fs as pafs

from opencarbon.errors import ConfigError
from opencarbon.settings import RunSettings
from opencarbon.sources.places import Place
from opencarbon.sources.storage import reason_of

_PREFIX: Final = "opencarbon-night-"
_BEGUN: Final = "begun"
"""File whose time is the beginning of a night by the clock of the file system, which all machines share."""

LEFT_BEHIND_AFTER: Final = timedelta(hours=24)
"""A folder in which nothing was written for so long is that of a night that was killed."""

_FAILURES: Final = (OSError, pa.ArrowException)
_LOG: Final = logging.getLogger("opencarbon.pipeline")


@contextmanager
def work_folder(run: RunSettings) -> Iterator[Place]:
    """A folder for what passes from step to step, gone afterwards.

    Parameters
    ----------
    run : RunSettings
        With ``work_root``; a temporary folder of this machine without it.

    Yields
    ------
    Place

    Raises
    ------
    ConfigError
        It cannot be made, or workers elsewhere are named and no folder that they reach.
    """
    if run.address is not None and run.work_root is None:
        raise ConfigError(
            "run.address names workers that may be on other machines: set run.work_root to a folder that all of them reach, "
            "such as s3://bucket/work or a shared disk"
        )
    above = Place.of(run.work_root or tempfile.gettempdir())
    try:
        work = _made(above)
        now = _last_write(work)
    except _FAILURES as problem:
        raise ConfigError(
            f"run.work_root {above} cannot be written to ({reason_of(problem)}): name a folder that this machine and every "
            "worker may write to"
        ) from None
    try:
        _sweep(above, now)
        yield work
    finally:
        _removed(work)


def _made(above: Place) -> Place:
    above.make_folder()
    if above.local is not None:
        work = Place.of(Path(tempfile.mkdtemp(prefix=_PREFIX, dir=above.local)))
    else:
        work = above / f"{_PREFIX}{uuid4().hex}"
    (work / _BEGUN).write_bytes(b"")
    return work


def _sweep(above: Place, now: datetime) -> None:
    for name in above.names():
        if name.startswith(_PREFIX):
            left = above / name
            try:
                is_old = now - _last_write(left) > LEFT_BEHIND_AFTER
            except _FAILURES:  # of another user, or its night ends just now
                continue
            if is_old and _removed(left):
                _LOG.info("removed what a killed night left: folder=%s", left)


def _last_write(folder: Place) -> datetime:
    found = folder.system.get_file_info(pafs.FileSelector(folder.path, recursive=True))
    times = [
        info.mtime for info in (folder.system.get_file_info(folder.path), *found) if info.mtime is not None
    ]
    if not times:
        raise FileNotFoundError(folder.path)
    return max(times)


def _removed(folder: Place) -> bool:
    try:
        folder.delete()
    except _FAILURES as problem:
        _LOG.warning("work folder cannot be removed: folder=%s reason=%s", folder, reason_of(problem))
        return False
    return True
