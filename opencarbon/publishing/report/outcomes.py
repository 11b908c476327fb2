"""What came of earlier advice, as the report shows it."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.publishing.numbers import mass, number
from opencarbon.publishing.parquet import read_row_groups
from opencarbon.publishing.render import Cell, Group, Heading, TableView
from opencarbon.sources.places import Place

_MASSES = ("claimed_saving_kgco2e", "saving_kgco2e", "regret_kgco2e")


def outcomes_view(run: Place) -> TableView | None:
    """Sums of what came of earlier advice, by whether it was followed; none where the run tells of none.

    Parameters
    ----------
    run : Place
        Its directory.

    Returns
    -------
    TableView or None
    """
    columns = ["outcome_status", *_MASSES, "saving_if_followed_kgco2e"]
    parts = [
        _summed(group)
        for group in read_row_groups(run, "fact_advice_outcome", columns=columns)
        if group.num_rows
    ]
    if not parts:
        return None
    rows = (
        pa.concat_tables(parts)
        .group_by("outcome_status")
        .aggregate([("jobs", "sum"), *((name, "sum") for name in _MASSES)])
        .sort_by("outcome_status")
        .to_pylist()
    )
    headings = [
        Heading("Advice"),
        *(Heading(text, numeric=True) for text in ("Jobs", "Claimed", "Came true", "Missed at best")),
    ]
    cells = [
        [
            Cell(row["outcome_status"].replace("_", " ")),
            Cell(number(row["jobs_sum"]), numeric=True),
            *(Cell(mass(row[f"{name}_sum"]), numeric=True) for name in _MASSES),
        ]
        for row in rows
    ]
    return TableView("Savings claimed, and what came true", headings, [Group(cells)])


def _summed(group: pa.Table) -> pa.Table:
    """Sums of a part; what was saved, or would have been had the advice been followed."""
    came_true = pc.coalesce(group["saving_kgco2e"], group["saving_if_followed_kgco2e"])
    at = group.column_names.index("saving_kgco2e")
    table = group.set_column(at, "saving_kgco2e", came_true).append_column(
        "jobs", pa.repeat(pa.scalar(1), group.num_rows)
    )
    sums = table.group_by("outcome_status").aggregate([("jobs", "sum"), *((name, "sum") for name in _MASSES)])
    return sums.rename_columns([name.removesuffix("_sum") for name in sums.column_names])
