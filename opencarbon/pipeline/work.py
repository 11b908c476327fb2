"""The work folder: what passes from step to step, as uncompressed Arrow files."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pyarrow as pa

from opencarbon.sources.places import Place

_SUFFIX = ".arrow"

LEFT_OUT = "not_estimated"
"""Table of jobs whose partition failed: what that partition wrote, before or after, is not read with the others."""


def write_part(work: Place, table: str, number: int, rows: pa.Table) -> None:
    """Keep one partition of a table.

    Parameters
    ----------
    work : Place
    table : str
    number : int
    rows : pa.Table
    """
    folder = work / table
    folder.make_folder()
    write_arrow(folder / f"{number:06d}{_SUFFIX}", rows)


def read_part(work: Place, table: str, number: int) -> pa.Table:
    """A partition that was kept.

    Parameters
    ----------
    work : Place
    table : str
    number : int

    Returns
    -------
    pa.Table
        Mapped from the file where it is on this machine, not copied.
    """
    return read_arrow(work / table / f"{number:06d}{_SUFFIX}")


def part_numbers(work: Place, table: str) -> list[int]:
    """Which partitions of a table there are.

    Parameters
    ----------
    work : Place
    table : str

    Returns
    -------
    list of int
        In order.
    """
    names = (work / table).names()
    return [int(name.removesuffix(_SUFFIX)) for name in names if name.endswith(_SUFFIX)]


def read_parts(work: Place, table: str) -> Iterator[pa.Table]:
    """All partitions of a table but those that were left out, in order.

    Parameters
    ----------
    work : Place
    table : str

    Yields
    ------
    pa.Table
    """
    left_out = set(part_numbers(work, LEFT_OUT))
    for number in part_numbers(work, table):
        if number not in left_out:
            yield read_part(work, table, number)


def drop_part(work: Place, table: str, number: int) -> None:
    """Take a partition of a table back, if it was kept.

    Parameters
    ----------
    work : Place
    table : str
    number : int
    """
    (work / table / f"{number:06d}{_SUFFIX}").delete()


def write_arrow(place: Place, rows: pa.Table) -> None:
    """Write an Arrow file, whole or not at all: a worker that was given up may still write what another has written.

    Parameters
    ----------
    place : Place
    rows : pa.Table
    """
    path = place.local
    if path is None:
        sink = pa.BufferOutputStream()
        _write(sink, rows)
        place.write_bytes(sink.getvalue().to_pybytes())
        return
    made = path.with_name(f"{path.name}.{uuid4().hex}")
    try:
        with pa.OSFile(str(made), "wb") as file:
            _write(file, rows)
        made.replace(path)
    except BaseException:
        made.unlink(missing_ok=True)
        raise


def _write(sink: pa.NativeFile, rows: pa.Table) -> None:
    with pa.ipc.new_file(sink, rows.schema) as writer:
        writer.write_table(rows)


def read_arrow(place: Place) -> pa.Table:
    """Read an Arrow file, by mapping it where it is on this machine.

    Parameters
    ----------
    place : Place

    Returns
    -------
    pa.Table
    """
    path: Path | None = place.local
    if path is None:
        return pa.ipc.open_file(pa.BufferReader(place.read_bytes())).read_all()
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def for_each(step: Callable[[int], int], count: int, workers: int | None = None) -> Iterator[int]:
    """Do a step for every partition in threads.

    Parameters
    ----------
    step : callable
        Takes the number of a partition.
    count : int
    workers : int, optional
        Threads; one for every core if not given.

    Yields
    ------
    int
        Partitions done.
    """
    with ThreadPoolExecutor(max_workers=workers or os.cpu_count() or 1) as pool:
        for done, _ in enumerate(pool.map(step, range(count)), start=1):
            yield done
