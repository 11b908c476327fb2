"""A partition in memory: its columns as given, and brought to their types."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.sources.manifests.arrow import (
    AnyArray,
    AnyColumn,
    BoolArray,
    FloatArray,
    as_text,
    nulls,
    true_rows,
    where,
)
from opencarbon.sources.manifests.columns import Rules, column_names
from opencarbon.sources.manifests.devices import look_up_devices
from opencarbon.sources.manifests.partitions import Partition
from opencarbon.sources.manifests.regions import allowed_regions, current_regions
from opencarbon.sources.manifests.rules import Broken
from opencarbon.sources.manifests.spelling import spelled
from opencarbon.sources.manifests.texts import blank_to_null, each_distinct, unpublishable

_TEXTS: Final = ("job_id", "device", "architecture", "state", "current_region", "team", "project", "model")
_WANTED_WORDS: Final = {
    "string": "text",
    "double": "a number",
    "int64": "a whole number",
    "bool": "true or false",
    "date32[day]": "a date such as 2026-11-22",
    "timestamp[us, tz=UTC]": "a time such as 2026-11-22T10:00:00Z",
}


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of a partition.

    Parameters
    ----------
    rows : int
        Number of rows.
    source : mapping of str to pa.ChunkedArray
        Columns that the manifest holds, by our name, as given.
    values : mapping of str to pa.Array
        Every column that is read: typed, null where absent, blank or wrong; devices and regions in their canonical
        spelling, counts and powers of canonical devices.
    units : ndarray of float64, shape (rows,)
        Canonical devices per unit of the device as given.
    wrong : mapping of str to ndarray of bool, shape (rows,)
        Rows that gave a value which is not of the type.
    """

    rows: int
    source: Mapping[str, AnyColumn]
    values: Mapping[str, AnyArray]
    units: FloatArray
    wrong: Mapping[str, BoolArray]

    def numbers(self, name: str) -> FloatArray:
        """Give a column of numbers.

        Parameters
        ----------
        name : str

        Returns
        -------
        ndarray of float64, shape (rows,)
            NaN for null.
        """
        return np.asarray(self.values[name].to_numpy(zero_copy_only=False), dtype=np.float64)

    def is_given(self, name: str) -> BoolArray:
        """Rows that give a value, be it wrong.

        Parameters
        ----------
        name : str

        Returns
        -------
        ndarray of bool, shape (rows,)
        """
        is_valid = true_rows(self.values[name].is_valid())
        return is_valid | self.wrong[name] if name in self.wrong else is_valid


def read_batch(table: pa.Table, partition: Partition, rules: Rules) -> tuple[Batch, list[Broken]]:
    """Bring the rows of a partition to their types.

    Parameters
    ----------
    table : pa.Table
        The rows, with the columns as the manifest names them.
    partition : Partition
    rules : Rules

    Returns
    -------
    Batch
    list of Broken
        Values that are not of their type, texts that cannot be published, unknown devices and regions.
    """
    source = {ours: table[theirs] for ours, theirs in column_names(table.schema, rules).items()}
    int96 = {
        ours for ours, theirs in column_names(table.schema, rules).items() if theirs in partition.file.int96
    }
    values: dict[str, AnyArray] = {}
    wrong: dict[str, BoolArray] = {}
    broken: list[Broken] = []
    for name, wanted in rules.wanted().items():
        if name not in source:
            values[name] = nulls(table.num_rows, wanted)
        elif name != "allowed_regions":
            is_utc = name in int96 or rules.naive_timestamps == "UTC"
            column = spelled(source[name], wanted, naive_as_utc=is_utc)
            values[name] = column.values
            broken += _of_wrong_type(name, wanted, column.wrong)
            if any(rows.any() for rows in column.wrong.values()):
                wrong[name] = np.logical_or.reduce(list(column.wrong.values()))
    for name in _TEXTS:
        broken += unpublishable(name, as_text(values[name]))
        values[name] = blank_to_null(as_text(values[name]))
    values["state"] = each_distinct(as_text(values["state"]), lambda state: state.strip().casefold())
    devices = look_up_devices(as_text(values["device"]), rules)
    values["current_region"], no_region = current_regions(as_text(values["current_region"]), rules)
    if "allowed_regions" in source:
        values["allowed_regions"], not_allowed = allowed_regions(source["allowed_regions"], rules)
        broken += not_allowed
    values |= {"device_as_given": values["device"], "device": devices.names}
    values |= _of_whole_devices(values, devices.units)
    batch = Batch(table.num_rows, source, values, devices.units, wrong)
    return batch, [*broken, devices.broken, *no_region]


def _of_wrong_type(name: str, wanted: pa.DataType, wrong: Mapping[str, BoolArray]) -> list[Broken]:
    words = {"wanted": _WANTED_WORDS.get(str(wanted), str(wanted))}
    return [Broken(code, name, where(rows), lambda row: words) for code, rows in wrong.items()]


def _of_whole_devices(values: Mapping[str, AnyArray], units: FloatArray) -> dict[str, AnyArray]:
    """Convert to canonical devices: 8 TPU cores of 60 W are 4 chips of 120 W, and device-hours halve too."""
    if np.all(units == 1.0):
        return {}
    factors = pa.array(units)
    return {name: pc.multiply(values[name], factors) for name in ("device_count", "device_hours")} | {
        "power_w": pc.divide(values["power_w"], factors)
    }
