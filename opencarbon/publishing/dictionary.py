"""The dictionary of a release: as a table, as a Frictionless Data Package and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from opencarbon.tables.columns import Column, type_name
from opencarbon.tables.conform import conform, schema_with
from opencarbon.tables.contracts import PUBLISHED, Contract

if TYPE_CHECKING:  # generic in the stubs only
    Field = pa.Field[Any]

MEANING: Final = (
    "Emissions are attributed, location-based and average (flow-traced, unless dim_run.accounting_basis says otherwise), "
    "and cover final training runs only: "
    "idle and failed runs are excluded. They are not avoided emissions and not market-based Scope 2 "
    "emissions, and a saving is potential unless capacity was reserved for it. Without capacities "
    "no sum of savings is claimed where the advice puts more load into one region than a whole hall takes."
)
"""What the figures may be called, and what not."""
PACKAGE_SCHEMA: Final = "https://datapackage.org/profiles/2.0/datapackage.json"
_TABLE_SCHEMA: Final = "https://datapackage.org/profiles/2.0/tableschema.json"
_FRICTIONLESS_TYPES: Final = {
    "string": "string",
    "int64": "integer",
    "float64": "number",
    "bool": "boolean",
    "date32": "date",
    "timestamp": "datetime",
}
"""Our types -> those of Frictionless Table Schema v2, https://datapackage.org/standard/table-schema/."""
_CARRIED: Final = "Carried along from the manifests as the settings declare."


def meta_columns(
    contracts: Mapping[str, Contract] = PUBLISHED, *, extra: Mapping[str, Sequence[Field]] | None = None
) -> pa.Table:
    """Every column of every table as the rows of ``meta_columns``.

    Parameters
    ----------
    contracts : mapping of str to Contract
        Tables of the release by name.
    extra : mapping of str to sequence of pa.Field, optional
        Columns a user carries, by table.

    Returns
    -------
    pa.Table
        In the form of its contract, sorted by table and column.
    """
    rows = sorted(
        (
            {
                "table": name,
                "column": column.name,
                "type": type_name(column.type),
                "unit": column.unit,
                "aggregation": column.aggregation,
                "minimum": column.minimum,
                "maximum": column.maximum,
                "description": column.description,
            }
            for name, contract in contracts.items()
            for column in _columns(contract, (extra or {}).get(name, ()))
        ),
        key=lambda row: (str(row["table"]), str(row["column"])),
    )
    contract = PUBLISHED["meta_columns"]
    return conform(pa.Table.from_pylist(rows, schema=contract.schema()), contract)


def datapackage(
    contracts: Mapping[str, Contract],
    *,
    parts: Mapping[str, int],
    extra: Mapping[str, Sequence[Field]] | None = None,
    sources: pa.Table | None = None,
) -> dict[str, Any]:
    """Descriptor of a run after Frictionless Data Package v2, https://datapackage.org/standard/data-package/.

    Parameters
    ----------
    contracts : mapping of str to Contract
        Tables of the release by name.
    parts : mapping of str to int
        Files of each table.
    extra : mapping of str to sequence of pa.Field, optional
        Columns a user carries, by table.
    sources : pa.Table, optional
        ``dim_source`` of the run, for sources and licences.

    Returns
    -------
    dict
        What ``datapackage.json`` holds; free of clocks, sizes and digests.
    """
    package: dict[str, Any] = {
        "$schema": PACKAGE_SCHEMA,
        "name": "opencarbon",
        "title": "Emissions of planned training jobs, and where and when to run them instead",
        "description": MEANING,
        "resources": [
            _resource(contract, parts[name], (extra or {}).get(name, ()))
            for name, contract in contracts.items()
        ],
    }
    rows = [] if sources is None else sources.to_pylist()
    if rows:
        package["sources"] = [
            {key: value for key, value in _source(row).items() if value is not None} for row in rows
        ]
        package["licenses"] = [
            {"name": re.sub(r"[^-A-Za-z0-9._]+", "-", licence).strip("-"), "title": licence}
            for licence in sorted({row["licence"] for row in rows})
        ]
    return package


def dictionary_markdown(
    contracts: Mapping[str, Contract] = PUBLISHED, *, extra: Mapping[str, Sequence[Field]] | None = None
) -> str:
    """Write the dictionary out for people to read.

    Parameters
    ----------
    contracts : mapping of str to Contract
        Tables of the release by name.
    extra : mapping of str to sequence of pa.Field, optional
        Columns a user carries, by table.

    Returns
    -------
    str
        Markdown: what figures may be called, then one section for each table.
    """
    lines = ["# Dictionary", "", MEANING, ""]
    for name, contract in contracts.items():
        lines += _section(contract, (extra or {}).get(name, ()))
    return "\n".join(lines)


def _columns(contract: Contract, extra: Sequence[Field]) -> Iterator[Column]:
    declared = {column.name: column for column in contract.fields()}
    for field in schema_with(contract, extra):
        yield declared.get(field.name) or Column(
            name=field.name,
            type=field.type,
            unit=None,
            aggregation="none",
            minimum=None,
            maximum=None,
            allowed=(),
            description=_CARRIED,
        )


def _resource(contract: Contract, parts: int, extra: Sequence[Field]) -> dict[str, Any]:
    paths = [f"{contract.name}/part-{number}.parquet" for number in range(parts)]
    never_null = contract.not_null()
    schema: dict[str, Any] = {
        "$schema": _TABLE_SCHEMA,
        "fields": [
            _field(column, required=column.name in never_null) for column in _columns(contract, extra)
        ],
    }
    if contract.key:
        schema["primaryKey"] = list(contract.key)
    if contract.references:
        schema["foreignKeys"] = [
            {
                "fields": list(reference.columns),
                "reference": {"resource": reference.table, "fields": list(reference.target)},
            }
            for reference in contract.references
        ]
    return {
        "name": contract.name,
        "description": contract.summary,
        "path": paths[0] if parts == 1 else paths,
        "format": "parquet",
        "mediatype": "application/vnd.apache.parquet",
        "opencarbon:contract": contract.version,
        "schema": schema,
    }


def _field(column: Column, *, required: bool) -> dict[str, Any]:
    constraints: dict[str, Any] = {"required": True} if required else {}
    if column.minimum is not None:
        constraints["minimum"] = column.minimum
    if column.maximum is not None:
        constraints["maximum"] = column.maximum
    if column.allowed:
        constraints["enum"] = list(column.allowed)
    field: dict[str, Any] = {
        "name": column.name,
        "type": _FRICTIONLESS_TYPES[type_name(column.type)],
        "description": column.description,
        "aggregation": column.aggregation,
    }
    if column.unit:
        field["unit"] = column.unit
    if constraints:
        field["constraints"] = constraints
    return field


def _source(row: Mapping[str, Any]) -> dict[str, str | None]:
    return {
        "title": row["title"],
        "path": row["url"],
        "source_id": row["source_id"],
        "licence": row["licence"],
        "attribution": row["attribution"],
    }


def _section(contract: Contract, extra: Sequence[Field]) -> Iterator[str]:
    order = "in the order of the manifests" if contract.keeps_manifest_order else "sorted by key"
    key = ", ".join(f"`{name}`" for name in contract.key) or "none"
    yield from (f"## {contract.name}", "", f"{contract.summary} Version {contract.version}.", "")
    yield from (f"Key: {key}; rows {order}.", "")
    for reference in contract.references:
        columns, target = ", ".join(reference.columns), ", ".join(reference.target)
        yield f"- `{columns}` refers to `{reference.table}.{target}`"
    if contract.references:
        yield ""
    yield from ("| column | type | unit | aggregation | values | meaning |", "|---|---|---|---|---|---|")
    never_null = contract.not_null()
    for column in _columns(contract, extra):
        kind = type_name(column.type) + ("" if column.name in never_null else ", may be null")
        cells = (f"`{column.name}`", kind, column.unit or "", column.aggregation, _values(column))
        yield f"| {' | '.join(cells)} | {column.description.replace('|', chr(92) + '|')} |"
    yield ""


def _values(column: Column) -> str:
    if column.allowed:
        return ", ".join(f"`{value}`" for value in column.allowed)
    bounds = (
        f"{words} {bound:g}"
        for words, bound in (("from", column.minimum), ("to", column.maximum))
        if bound is not None
    )
    return " ".join(bounds)
