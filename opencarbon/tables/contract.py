"""What the contract of a table is, and short words to write one."""

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from opencarbon.tables.columns import Column, all_columns

MANIFEST_ORDER: Final = ("manifest", "row")
"""Sort order of tables of jobs: the order of the manifests, by path and row."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key: values of ``columns`` stand in ``table`` or are null.

    Parameters
    ----------
    columns : tuple of str
        Columns of the referring table.
    table : str
        The table referred to.
    target : tuple of str
        Columns there.
    """

    columns: tuple[str, ...]
    table: str
    target: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contract:
    """What a table holds.

    Parameters
    ----------
    name : str
        Name of the table.
    summary : str
        What one row is, in a sentence.
    columns : tuple of str
        Names of its columns, in order.
    key : tuple of str
        Columns that tell its rows apart; empty where rows may repeat.
    required : tuple of str
        Columns without nulls, beside those of the key.
    references : tuple of Reference
        Foreign keys.
    keeps_manifest_order : bool
        Whether rows stand in the order of the manifests; other tables are sorted by key.
    version : str
        ``major.minor`` of the contract.
    """

    name: str
    summary: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    required: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    keeps_manifest_order: bool = False
    version: str = "1.0"

    def fields(self) -> tuple[Column, ...]:
        """Columns of the table, declared.

        Returns
        -------
        tuple of Column
        """
        known = all_columns()
        return tuple(known[name] for name in self.columns)

    def not_null(self) -> frozenset[str]:
        """Names of the columns that hold no null.

        Returns
        -------
        frozenset of str
        """
        return frozenset(self.key) | frozenset(self.required)

    def schema(self) -> pa.Schema:
        """Arrow schema of the table, with description and unit of every column in its metadata.

        Returns
        -------
        pa.Schema
        """
        never_null = self.not_null()
        return pa.schema(
            pa.field(
                column.name,
                column.type,
                nullable=column.name not in never_null,
                metadata={"description": column.description} | ({"unit": column.unit} if column.unit else {}),
            )
            for column in self.fields()
        )


def refer(columns: str, table: str, target: str | None = None) -> Reference:
    """Foreign key of columns.

    Parameters
    ----------
    columns : str
        Columns of the referring table, with spaces between.
    table : str
        The table referred to.
    target : str, optional
        Columns there; of the same names if not given.

    Returns
    -------
    Reference
    """
    names = tuple(columns.split())
    return Reference(names, table, tuple(target.split()) if target else names)


def table(
    name: str,
    summary: str,
    columns: str,
    *references: Reference,
    key: str,
    required: str = "",
    jobs: bool = False,
    version: str = "1.0",
) -> Contract:
    """Contract of a published table; ``run_id`` is never null and refers to ``dim_run``.

    Parameters
    ----------
    name, summary, columns, references, key, required, jobs, version
        As in :class:`Contract`, columns with spaces between; ``jobs`` is ``keeps_manifest_order``.

    Returns
    -------
    Contract
    """
    names = tuple(columns.split())
    if "run_id" in names and name != "dim_run":
        references = (*references, refer("run_id", "dim_run"))
        required += " run_id"
    return Contract(
        name, summary, names, tuple(key.split()), tuple(required.split()), references, jobs, version
    )


def interval(quantity: str, unit: str) -> str:
    """Columns of a quantity with its interval.

    Parameters
    ----------
    quantity, unit : str
        Such as ``energy`` and ``kwh``.

    Returns
    -------
    str
        ``energy_kwh energy_low_kwh energy_high_kwh``.
    """
    return f"{quantity}_{unit} {quantity}_low_{unit} {quantity}_high_{unit}"
