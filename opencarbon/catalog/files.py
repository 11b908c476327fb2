"""Reading of catalog files: the package's own and the user's."""

import difflib
import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv as pacsv

from opencarbon.errors import ConfigError
from opencarbon.tables.columns import all_columns
from opencarbon.tables.contracts import PUBLISHED

_TEXT_BY_DEFAULT: Final = pa.string()

_DEVICE_KEYS: Final = (
    *(name for name in PUBLISHED["dim_device"].columns if name != "device"),
    *("device", "aliases", "part_aliases", "published_log10_alpha_low", "published_log10_alpha_high"),
    *("published_tdp_w", "published_embodied_g_per_device_hour"),
    *("release_date", "peak_format", "note"),
)
"""Keys of a device; the last three are for its reader."""


def packaged(name: str) -> Traversable:
    """A data file of the package.

    Parameters
    ----------
    name : str
        Name of the file.

    Returns
    -------
    Traversable
    """
    return files(__package__) / "data" / name


def packaged_sources() -> pa.Table:
    """Every source that a row of the catalog names.

    Returns
    -------
    pa.Table
        With the columns of ``dim_source``.
    """
    folder = files(__package__) / "data"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.startswith("sources-"))
    return pa.concat_tables([read_csv(folder / name) for name in names])


def catalog_sha256(device_files: Iterable[str], region_files: Iterable[str]) -> str:
    """Digest of every file the catalog is made of.

    Parameters
    ----------
    device_files, region_files : iterable of str
        The user's files.

    Returns
    -------
    str
        Hexadecimal SHA-256.
    """
    folder = files(__package__) / "data"
    paths = [
        *sorted(folder.iterdir(), key=lambda path: path.name),
        *map(Path, (*device_files, *region_files)),
    ]
    sha = hashlib.sha256()
    for path in paths:
        if path.is_file():
            sha.update(hashlib.sha256(path.read_bytes()).digest())
    return sha.hexdigest()


def read_csv(path: Traversable | Path, types: Mapping[str, pa.DataType] | None = None) -> pa.Table:
    """A CSV file of the catalog, typed by the vocabulary.

    Only an empty cell is null, so that the zone ``NA`` and the country ``NO`` stay text.

    Parameters
    ----------
    path : Traversable or Path
    types : mapping of str to pa.DataType, optional
        Types of columns that are not in the vocabulary; those not named are text.

    Returns
    -------
    pa.Table

    Raises
    ------
    ConfigError
        Where the file cannot be read or a cell is not what its column holds.
    """
    known = dict(types or {}) | {name: column.type for name, column in all_columns().items()}
    try:
        data = path.read_bytes()
        header = data.split(b"\n", 1)[0].decode("utf-8-sig").strip()
        names = [name.strip().strip('"') for name in header.split(",")]
        column_types = {name: known.get(name, _TEXT_BY_DEFAULT) for name in names}
        options = pacsv.ConvertOptions(column_types=column_types, null_values=[""], strings_can_be_null=True)
        return pacsv.read_csv(BytesIO(data), convert_options=options)
    except (OSError, UnicodeDecodeError, pa.ArrowInvalid) as problem:
        raise ConfigError(f"catalog file {path} cannot be used: {problem}") from None


def read_devices_toml(path: Traversable | Path) -> list[dict[str, Any]]:
    """The ``[[device]]`` entries of a TOML file.

    Parameters
    ----------
    path : Traversable or Path

    Returns
    -------
    list of dict

    Raises
    ------
    ConfigError
        Where the file cannot be read, or an entry has no name, an unknown key or aliases that are no list.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise ConfigError(f"device file {path} cannot be used: {problem}") from None
    refuse_unknown(content, ("device",), f"device file {path}")
    entries = content.get("device", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError(f"device file {path}: begin every device with [[device]], in two brackets")
    for number, entry in enumerate(entries, start=1):
        _check_device(entry, f"device file {path}, entry {number}")
    return entries


def _check_device(entry: Mapping[str, Any], where: str) -> None:
    if not isinstance(entry.get("device"), str) or not entry["device"].strip():
        raise ConfigError(f"{where}: add the key device, the name of the device")
    refuse_unknown(entry, _DEVICE_KEYS, where)
    aliases, parts = entry.get("aliases", []), entry.get("part_aliases", {})
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise ConfigError(f"{where}: aliases is a list of spellings, such as ['A100-80G']")
    if not isinstance(parts, dict) or not all(isinstance(share, float | int) for share in parts.values()):
        raise ConfigError(f"{where}: part_aliases gives devices per part, such as {{ 'TPU v3 core' = 0.5 }}")
    published = [
        name in entry
        for name in ("published_log10_alpha_low", "published_log10_alpha_high", "published_tdp_w")
    ]
    if any(published) and not all(published):
        raise ConfigError(
            f"{where}: give all of published_log10_alpha_low, _high and published_tdp_w, or none"
        )
    if "published_embodied_g_per_device_hour" in entry and not all(published):
        raise ConfigError(
            f"{where}: published_embodied_g_per_device_hour needs published_log10_alpha_low beside it"
        )


def refuse_unknown(names: Iterable[str], known: Iterable[str], where: str) -> None:
    """Refuse names that nobody reads.

    Parameters
    ----------
    names, known : iterable of str
    where : str
        What holds the names.

    Raises
    ------
    ConfigError
        Names the first unknown one, and the nearest known one.
    """
    choices = list(known)
    for name in names:
        if name not in choices:
            near = difflib.get_close_matches(name, choices, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it may be one of {', '.join(choices)}"
            raise ConfigError(f"{where} holds the unknown name {name!r}; {hint}")


def rows_table(rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> pa.Table:
    """Rows as a table of declared columns; what a row lacks is null.

    Parameters
    ----------
    rows : iterable of mapping
    columns : iterable of str
        Names in the vocabulary.

    Returns
    -------
    pa.Table

    Raises
    ------
    ConfigError
        Where a value is not what its column holds.
    """
    known = all_columns()
    rows = list(rows)
    arrays = {}
    for name in columns:
        values = [row.get(name) for row in rows]
        if pa.types.is_floating(known[name].type):
            values = [float(value) if isinstance(value, int) else value for value in values]
        try:
            arrays[name] = pa.array(values, known[name].type)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as problem:
            raise ConfigError(f"catalog column {name}: {problem}") from None
    return pa.table(arrays)
