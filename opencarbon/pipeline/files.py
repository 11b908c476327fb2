"""Places that the user names: files and folders to write to, device fits to read."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from opencarbon.errors import ConfigError, ContractError, PublishError, SourceError
from opencarbon.publishing.parquet import TableWriter
from opencarbon.sources.locations import public_name
from opencarbon.sources.places import Place
from opencarbon.sources.storage import scheme_of
from opencarbon.tables.conform import conform, of_any_minor_version
from opencarbon.tables.contracts import Contract

_ALL_IN_ONE: Final = 1 << 62
"""More rows than any table has, so that it stays in one file."""

_MOST_NAMED: Final = 5


def local_path(location: str) -> Path:
    """Where a location to write to is on this machine.

    Parameters
    ----------
    location : str
        A path, or a ``file://`` URI.

    Returns
    -------
    Path

    Raises
    ------
    ConfigError
        For a location that is elsewhere.
    """
    scheme, separator, _ = location.partition("://")
    if not separator:
        return Path(location).expanduser()
    parts = urlsplit(location)
    if scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(unquote(parts.path))
    raise ConfigError(
        f"{public_name(location)} cannot be written to: this goes to the local file system; give a path or file:///path"
    )


def release_root(location: str) -> str:
    """Where a release is to be published, told before the work is done.

    Parameters
    ----------
    location : str
        A path, or a URI of an object store.

    Returns
    -------
    str
        A path of this machine, or the URI.

    Raises
    ------
    ConfigError
        Where it, or a folder above it, is a file, or no such URI can be published to.
    """
    if scheme_of(location) in ("", "file"):
        return str(output_folder(location))
    try:
        Place.of(location)
    except SourceError as problem:
        raise ConfigError(f"{problem}; a release goes to a path, or to s3://, gs:// or abfss://") from None
    return location


def output_folder(location: str) -> Path:
    """Where a folder is to be written, told before the work is done.

    Parameters
    ----------
    location : str
        A path, or a ``file://`` URI.

    Returns
    -------
    Path

    Raises
    ------
    ConfigError
        Where it, or a folder above it, is a file, or it is elsewhere than on this machine.
    """
    path = local_path(location)
    for place in (path, *path.parents):
        if place.exists() and not place.is_dir():
            raise ConfigError(f"{place} is a file: give a folder to publish to")
    return path


def output_file(location: str) -> Path:
    """Where a file is to be written, told before the work is done.

    Parameters
    ----------
    location : str
        A path, or a ``file://`` URI.

    Returns
    -------
    Path

    Raises
    ------
    ConfigError
        Where it is a folder, or elsewhere than on this machine.
    """
    path = local_path(location)
    if path.is_dir():
        raise ConfigError(f"{path} is a folder: give the file to write")
    return path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Make a file elsewhere, and give it its name when it is whole.

    Parameters
    ----------
    path : Path
        What it is to be called; what is called so stays as it is until then.

    Yields
    ------
    Path
        Where to write it, in a folder of its own beside the path.

    Raises
    ------
    PublishError
        Where the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".opencarbon-", dir=path.parent) as folder:
            made = Path(folder) / "whole"
            yield made
            os.replace(made, path)
    except OSError as problem:
        raise PublishError(f"{path} cannot be written: {problem.strerror or problem}") from problem


def write_single(path: Path, contract: Contract, pieces: Iterable[pa.Table]) -> int:
    """Write a table to one Parquet file, whole or not at all.

    Parameters
    ----------
    path : Path
    contract : Contract
    pieces : iterable of pa.Table

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    PublishError
        Where the file cannot be written.
    """
    with whole_file(path) as made:
        with TableWriter(made.parent, contract, rows_per_file=_ALL_IN_ONE) as writer:
            for piece in pieces:
                writer.write(conform(piece, contract))
        os.replace(made.parent / contract.name / "part-0.parquet", made)
    return writer.rows


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all.

    Parameters
    ----------
    path : Path
    text : str

    Raises
    ------
    PublishError
        Where the file cannot be written.
    """
    with whole_file(path) as made:
        made.write_text(text, encoding="utf-8")


def write_page(
    folder: Path,
    contracts: Mapping[str, Contract],
    tables: Mapping[str, pa.Table],
    figures: Mapping[str, tuple[str, str]],
    page: str,
) -> dict[str, int]:
    """Write tables and figures first, the page that shows them last.

    Parameters
    ----------
    folder : Path
    contracts : mapping of str to Contract
        Of every table.
    tables : mapping of str to pa.Table
        Written to ``tables/<name>.parquet``.
    figures : mapping of str to tuple of str
        Wide and narrow drawing, written to ``figures/<name>.svg`` and ``figures/<name>-narrow.svg``.
    page : str
        Written to ``index.html``.

    Returns
    -------
    dict of str to int
        Rows by table.

    Raises
    ------
    PublishError
        Where a file cannot be written.
    """
    rows = {
        name: write_single(folder / "tables" / f"{name}.parquet", contracts[name], [table])
        for name, table in tables.items()
    }
    for name, (wide, narrow) in figures.items():
        write_text(folder / "figures" / f"{name}.svg", wide)
        write_text(folder / "figures" / f"{name}-narrow.svg", narrow)
    write_text(folder / "index.html", page)
    return rows


def read_fits(path: Path, contract: Contract, devices: pa.Table) -> pa.Table:
    """Device fits that ``opencarbon fit`` wrote, or those of a release.

    Parameters
    ----------
    path : Path
    contract : Contract
    devices : pa.Table
        Devices that need a fit, in the column ``device``.

    Returns
    -------
    pa.Table

    Raises
    ------
    ConfigError
        Where the file is no such table, or lacks a device.
    """
    try:
        table = pq.ParquetFile(path).read()
        if "run_id" in table.column_names:
            table = table.drop_columns(["run_id"])
        fits = of_any_minor_version(table, contract)
    except (OSError, pa.ArrowInvalid) as problem:
        raise ConfigError(f"device fits {path} cannot be read: {problem}") from None
    except ContractError as problem:
        first = "; ".join(problem.violations[:_MOST_NAMED])
        raise ConfigError(
            f"{path} holds no device fits ({first}): make them with `opencarbon fit --out FILE`"
        ) from None
    missing = missing_devices(fits, devices)
    if missing:
        raise ConfigError(f"device fits {path} lack {missing}: fit them again with `opencarbon fit`")
    return fits


def missing_devices(fits: pa.Table, wanted: pa.Table) -> str:
    """Devices without a fit.

    Parameters
    ----------
    fits, wanted : pa.Table
        Both with the column ``device``.

    Returns
    -------
    str
        A few names, empty where none is missing.
    """
    known = set(fits["device"].to_pylist())
    lost = sorted(str(device) for device in set(wanted["device"].unique().to_pylist()) - known)
    more = f" and {len(lost) - _MOST_NAMED} more" if len(lost) > _MOST_NAMED else ""
    return ", ".join(lost[:_MOST_NAMED]) + more
