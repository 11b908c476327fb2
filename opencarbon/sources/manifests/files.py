"""Manifest files: found, opened once for their footer, described; text is brought into Parquet first."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from os.path import realpath
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from opencarbon.errors import ManifestError
from opencarbon.sources.locations import FoundFile, find_files
from opencarbon.sources.manifests.text_files import TEXT_SUFFIXES, is_text, to_parquet

SUFFIXES: Final = (".parquet", ".parq", ".pq", *TEXT_SUFFIXES)
"""Endings of the files that count below a folder."""

_READ_BUFFER_BYTES: Final = 1 << 20
_PARQUET_MAGIC: Final = b"PAR1"


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """A file of planned jobs.

    Parameters
    ----------
    name : str
        Name published as ``manifest``: the path or URI as given, without credentials.
    filesystem : pyarrow.fs.FileSystem
        File system that holds it, or for text the Parquet file that it was brought into.
    path : str
        Its path there.
    source : FoundFile
        The file as it was found.
    size_bytes : int
        Its size [bytes].
    schema : pa.Schema
        Its columns.
    int96 : frozenset of str
        Columns stored as INT96, the timestamps of Spark and Impala; they are UTC.
    row_groups : tuple of int
        Rows of each row group.
    """

    name: str
    filesystem: pafs.FileSystem
    path: str
    source: FoundFile
    size_bytes: int
    schema: pa.Schema
    int96: frozenset[str]
    row_groups: tuple[int, ...]

    @property
    def rows(self) -> int:
        """Rows of the file."""
        return sum(self.row_groups)


@contextmanager
def found_manifests(paths: Iterable[str]) -> Iterator[list[ManifestFile]]:
    """Manifests that are found, while they are read: see :func:`find_manifests`.

    Parameters
    ----------
    paths : iterable of str

    Yields
    ------
    list of ManifestFile
    """
    with tempfile.TemporaryDirectory(prefix="opencarbon-night-manifests-") as folder:
        yield find_manifests(paths, Path(folder))


def find_manifests(paths: Iterable[str], folder: Path) -> list[ManifestFile]:
    """Find manifests and read their footers.

    Parameters
    ----------
    paths : iterable of str
        Files, folders and globs, local or ``file://``, ``s3://``, ``gs://``, ``abfss://``.
    folder : Path
        Where CSV and JSON lines are kept as Parquet while they are read.

    Returns
    -------
    list of ManifestFile
        By name; a file that is found twice counts once.

    Raises
    ------
    ManifestError
        A path that does not exist, a folder without manifests, a file that is none or cannot be read.
    """
    locations = list(paths)
    if not locations or not all(location.strip() for location in locations):
        raise ManifestError(
            "no manifest is given: name at least one file of Parquet, CSV or JSON lines, folder or glob"
        )
    files = [file for location in locations for file in find_files(location, suffixes=SUFFIXES)]
    found: dict[str, FoundFile] = {}
    for file in sorted(files, key=lambda file: file.name):
        kept = found.setdefault(_identity(file), file)
        if kept.filesystem != file.filesystem:
            raise ManifestError(f"{file.name} is given on two different stores: read it from one of them")
    return [_described(file, folder / f"{number}.parquet") for number, file in enumerate(found.values())]


@contextmanager
def open_parquet(name: str, filesystem: pafs.FileSystem, path: str) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; whatever fails while it is open names the file.

    Parameters
    ----------
    name : str
        Name to use in messages.
    filesystem : pyarrow.fs.FileSystem
    path : str

    Yields
    ------
    pyarrow.parquet.ParquetFile
        INT96 comes as microseconds, so that no year overflows.

    Raises
    ------
    ManifestError
        The file cannot be read.
    """
    is_local = isinstance(filesystem, pafs.LocalFileSystem)
    try:
        with pq.ParquetFile(
            path,
            filesystem=filesystem,
            buffer_size=_READ_BUFFER_BYTES if is_local else 0,
            pre_buffer=not is_local,
            coerce_int96_timestamp_unit="us",
        ) as parquet:
            yield parquet
    except (OSError, pa.ArrowException, UnicodeDecodeError) as problem:
        words = str(problem).splitlines()
        raise ManifestError(
            f"{name} cannot be read as Parquet ({words[0] if words else type(problem).__name__}): "
            "write the file again, or leave it out"
        ) from problem


def _identity(file: FoundFile) -> str:
    is_local = isinstance(file.filesystem, pafs.LocalFileSystem)
    return realpath(file.path) if is_local else file.name


def _described(file: FoundFile, brought: Path) -> ManifestFile:
    read = file
    if is_text(file.name):
        to_parquet(file, brought)
        read = replace(file, filesystem=pafs.LocalFileSystem(), path=str(brought))
    else:
        _refuse_other_formats(file)
    with open_parquet(file.name, read.filesystem, read.path) as parquet:
        metadata = parquet.metadata
        stored = (metadata.schema.column(index) for index in range(metadata.num_columns))
        return ManifestFile(
            name=file.name,
            filesystem=read.filesystem,
            path=read.path,
            source=file,
            size_bytes=file.size_bytes,
            schema=parquet.schema_arrow,
            int96=frozenset(column.path for column in stored if column.physical_type == "INT96"),
            row_groups=tuple(metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)),
        )


def _refuse_other_formats(file: FoundFile) -> None:
    try:
        with file.filesystem.open_input_file(file.path) as stream:
            size = stream.size()
            head = stream.read(len(_PARQUET_MAGIC))
            stream.seek(max(size - len(_PARQUET_MAGIC), len(head)))
            tail = stream.read(len(_PARQUET_MAGIC))
    except OSError as problem:
        raise ManifestError(
            f"{file.name} cannot be opened ({type(problem).__name__}): check that it is a file you may read"
        ) from None
    if head != _PARQUET_MAGIC:
        what = "it is empty (0 bytes)" if size == 0 else "it does not begin as Parquet does"
        raise ManifestError(
            f"{file.name} is not Parquet: {what}; write planned jobs as a Parquet file, or name the file after what it is: "
            ".csv or .jsonl"
        )
    if tail != _PARQUET_MAGIC:
        raise ManifestError(f"{file.name} is cut off: its Parquet footer is missing; write the file again")
