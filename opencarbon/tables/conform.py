"""The border check: a table comes out exactly as its contract says, or one error lists every violation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.errors import ContractError
from opencarbon.tables.columns import type_name
from opencarbon.tables.contract import MANIFEST_ORDER, Contract
from opencarbon.tables.value_rules import EXAMPLES, examples_of, holds_rules, value_violations

if TYPE_CHECKING:  # pyarrow's classes are generic in its stubs only
    Field = pa.Field[Any]
    Values = pa.ChunkedArray[Any]


def of_any_minor_version(table: pa.Table, contract: Contract) -> pa.Table:
    """Rows of an earlier minor version of a contract, in the columns of this one.

    Parameters
    ----------
    table : pa.Table
    contract : Contract

    Returns
    -------
    pa.Table
        The columns it did not have are null.

    Raises
    ------
    ContractError
        Where the rows break the contract.
    """
    return conform(with_every_column(table, contract.schema()), contract)


def with_every_column(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows of an earlier minor version of a contract: columns that it did not have yet are null.

    Parameters
    ----------
    table : pa.Table
    schema : pa.Schema
        Of the contract; a column without which no row can be is not added.

    Returns
    -------
    pa.Table
        The columns of the table, then those that it lacked.
    """
    for field in schema:
        if field.nullable and field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table


def conform(table: pa.Table | pd.DataFrame, contract: Contract, *, extra: Sequence[Field] = ()) -> pa.Table:
    """Bring a table into the form of its contract, or say everything that is wrong with it.

    Columns are put in order and types are changed where nothing is lost (``int32`` to ``int64``, 8.0 to 8,
    dictionary and ``large_string`` to ``string``, other time zones to UTC). Nothing else is repaired: text is
    never read as a number, rows are never sorted.

    Parameters
    ----------
    table : pa.Table or pd.DataFrame
        The table. NaN in a frame counts as null.
    contract : Contract
        What it must be.
    extra : sequence of pa.Field
        Columns a user declared beside those of the contract (carried columns); they stand before ``run_id``.

    Returns
    -------
    pa.Table
        With the schema of the contract.

    Raises
    ------
    ContractError
        With every violation: columns missing, repeated or not declared, types, nulls, NaN and infinities,
        bounds, values; and where all of these hold, repeated keys and order.
    """
    if isinstance(table, pd.DataFrame):
        table = _from_frame(table, contract)
    schema = schema_with(contract, extra)
    found = table.column_names
    violations = [f"column {name!r} is missing" for name in schema.names if name not in found]
    violations += [f"column {name!r} is not declared" for name in found if name not in schema.names]
    violations += [f"column {name!r} stands more than once" for name in schema.names if found.count(name) > 1]
    declared = {column.name: column for column in contract.fields()}
    arrays: dict[str, Values] = {}
    for field in schema:
        if found.count(field.name) != 1:
            continue
        try:
            arrays[field.name] = _cast(table[field.name], field.type)
        except pa.ArrowInvalid as problem:
            violations.append(f"column {field.name!r} is no {type_name(field.type)}: {problem}")
            continue
        if not holds_rules(arrays[field.name], field, declared.get(field.name)):
            violations += value_violations(arrays[field.name], field, declared.get(field.name))
    if not violations:
        violations += key_violations(arrays, contract)
    if violations:
        raise ContractError(contract.name, violations)
    return pa.Table.from_arrays([arrays[name] for name in schema.names], schema=schema)


def key_violations(columns: Mapping[str, Values] | pa.Table, contract: Contract) -> list[str]:
    """What is wrong with the key and the order of a table.

    Parameters
    ----------
    columns : mapping of str to pa.ChunkedArray, or pa.Table
        The columns of the key, without nulls, and manifest and row where the contract has them.
    contract : Contract
        The key, and whether rows stand in the order of the manifests.

    Returns
    -------
    list of str
        A sentence for a key that repeats and one for rows out of order.
    """
    keys = [columns[name] for name in contract.key]
    order = contract.key
    if contract.keeps_manifest_order:
        order = MANIFEST_ORDER if set(MANIFEST_ORDER) <= set(contract.columns) else ()
    violations = []
    if not is_ascending([columns[name] for name in order], strictly=False):
        violations.append(
            f"rows are not sorted by {', '.join(order)}: sort them so before they are published"
        )
    if not is_ascending(keys, strictly=True):
        violations += _repeated(dict(zip(contract.key, keys, strict=True)))
    return violations


def is_ascending(columns: Sequence[Values], *, strictly: bool) -> bool:
    """Whether rows ascend by these columns, the first one first.

    Parameters
    ----------
    columns : sequence of pa.ChunkedArray, each (rows,)
        Without nulls.
    strictly : bool
        Whether two equal rows break the order.

    Returns
    -------
    bool
        True without columns, and for fewer than two rows.
    """
    if not columns or len(columns[0]) <= 1:
        return True
    ahead: pa.BooleanArray | None = None
    for column in reversed(columns):
        before, after = column.slice(0, len(column) - 1), column.slice(1)
        if ahead is None:
            ahead = pc.less(before, after) if strictly else pc.less_equal(before, after)
        else:
            ahead = pc.or_(pc.less(before, after), pc.and_(pc.equal(before, after), ahead))
    return ahead is None or bool(pc.all(ahead).as_py())


def schema_with(contract: Contract, extra: Sequence[Field] = ()) -> pa.Schema:
    """Schema of a contract with a user's own columns in it.

    Parameters
    ----------
    contract : Contract
    extra : sequence of pa.Field
        Columns that stand before ``run_id``, or last where the table has none.

    Returns
    -------
    pa.Schema
    """
    fields = list(contract.schema())
    at = len(fields) - 1 if fields and fields[-1].name == "run_id" else len(fields)
    return pa.schema(fields[:at] + list(extra) + fields[at:])


def foreign_key_violations(tables: Mapping[str, pa.Table], contracts: Mapping[str, Contract]) -> list[str]:
    """Foreign keys of these tables that point nowhere.

    Parameters
    ----------
    tables : mapping of str to pa.Table
        Tables by name; a reference to a table that is not among them is a violation.
    contracts : mapping of str to Contract
        Their contracts by name.

    Returns
    -------
    list of str
        A sentence for each reference that fails, with examples.
    """
    return [
        violation
        for name, table in tables.items()
        for violation in reference_violations(name, table, contracts[name], tables)
    ]


def reference_violations(
    name: str,
    table: Mapping[str, Values] | pa.Table,
    contract: Contract,
    tables: Mapping[str, Mapping[str, Values]] | Mapping[str, pa.Table],
) -> Iterator[str]:
    """Foreign keys of one table that point nowhere.

    Parameters
    ----------
    name : str
        Name of the table.
    table : mapping of str to pa.ChunkedArray, or pa.Table
        The columns that refer; values may stand in them once.
    contract : Contract
        Its contract.
    tables : mapping of str to the same
        The tables referred to, by name.

    Yields
    ------
    str
        A sentence for each reference that fails, with examples.
    """
    for reference in contract.references:
        columns = "+".join(reference.columns)
        if reference.table not in tables:
            yield f"{name}.{columns} refers to {reference.table}, which is not there"
            continue
        (column,), (target,) = reference.columns, reference.target
        used = pc.unique(table[column]).drop_null()
        lost = used.filter(
            pc.invert(pc.is_in(used, value_set=tables[reference.table][target].combine_chunks()))
        )
        if len(lost):
            words = f"{len(lost)} values that {reference.table}.{target} lacks: {examples_of(lost)}"
            yield f"{name}.{column} holds {words}"


def _from_frame(frame: pd.DataFrame, contract: Contract) -> pa.Table:
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as problem:
        words = f"the frame mixes types within a column: {'; '.join(map(str, problem.args))}"
        raise ContractError(contract.name, [words]) from problem


def _cast(values: Values, target: pa.DataType) -> Values:
    if values.type == target:
        return values
    found = values.type
    if pa.types.is_dictionary(found):
        found = found.value_type
        values = values.cast(found)
    if pa.types.is_timestamp(target) and pa.types.is_timestamp(found) and found.tz is None:
        raise pa.ArrowInvalid("the times carry no time zone")
    if not pa.types.is_null(found) and _family(found) != _family(target):
        raise pa.ArrowInvalid(f"found {found}")
    return values.cast(target, safe=True)


def _family(data_type: pa.DataType) -> str:
    """Types between which a value may pass without a change of meaning."""
    known = {
        "text": (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
        "number": (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal),
        "truth": (pa.types.is_boolean,),
        "time": (pa.types.is_timestamp,),
        "day": (pa.types.is_date,),
    }
    return next((name for name, tests in known.items() if any(test(data_type) for test in tests)), "other")


def _repeated(keys: Mapping[str, Values]) -> Iterator[str]:
    names = list(keys)
    grouped = (
        pa.Table.from_arrays(list(keys.values()), names=names).group_by(names).aggregate([([], "count_all")])
    )
    repeated = grouped.filter(pc.greater(grouped["count_all"], pa.scalar(1)))
    if len(repeated):
        examples = (
            str(tuple(row[name] for name in names)) for row in repeated.slice(0, EXAMPLES).to_pylist()
        )
        yield f"key ({', '.join(names)}) repeats {len(repeated)} times: {', '.join(examples)}"
