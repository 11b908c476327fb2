"""The few figures of a night that a person looks at first."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.estimation.claims import NOT_CLAIMED, Claims
from opencarbon.pipeline.work import read_parts
from opencarbon.publishing.parquet import read_row_groups, read_table
from opencarbon.sources.places import Place
from opencarbon.tables.columns import all_columns

_JOBS_SHOWN: Final = 15
_JOB_COLUMNS: Final = (
    *("job_id", "action", "plan_status", "advised_region", "advised_start_utc", "advised_total_kgco2e"),
    *(
        "saving_kgco2e",
        "saving_low_kgco2e",
        "saving_high_kgco2e",
        "saving_pct",
        "deadline_risk",
        "budget_status",
        "carbon_budget_kgco2e",
    ),
)
_LIKELY: Final = 0.5

BUDGET: Final = "budget"
"""Source of the events about budgets: they degrade nothing."""


@dataclass(frozen=True, slots=True)
class OverBudget:
    """Who is advised to emit more than a budget.

    Parameters
    ----------
    scope : {"run", "team", "job"}
    name : str
        Of the team or the job; ``all jobs`` for the run.
    budget_kgco2e, advised_kgco2e : float
    """

    scope: str
    name: str
    budget_kgco2e: float
    advised_kgco2e: float

    @property
    def over_by_kgco2e(self) -> float:
        """What is above the budget."""
        return self.advised_kgco2e - self.budget_kgco2e


@dataclass(frozen=True, slots=True)
class Summary:
    """What a person looks at first.

    Parameters
    ----------
    total : dict
        Row ``run`` of ``fact_total``; empty where no job has one.
    jobs : list of dict
        Rows of ``rec_job`` that save most, the greatest first.
    actions : dict of str to int
        Jobs by action.
    likely_late : int
        Jobs more likely than not to end after their deadline.
    jobs_over_budget : int
        Jobs advised to emit more than their own budget.
    over : tuple of OverBudget
        The run, then teams, then single jobs that are over their budgets, the greatest excess first among teams and
        jobs; of the jobs no more than are shown.
    teams : tuple of str
        Teams that some job names.
    not_claimed : mapping of str to float
        Load that the advice puts into regions whose savings enter no sum [MW], the greatest first.
    """

    total: dict[str, Any]
    jobs: list[dict[str, Any]]
    actions: dict[str, int]
    likely_late: int
    jobs_over_budget: int
    over: tuple[OverBudget, ...]
    teams: tuple[str, ...]
    not_claimed: Mapping[str, float]


def summary_of_run(directory: Path | Place) -> Summary:
    """Summary of a published run.

    Parameters
    ----------
    directory : Path or Place

    Returns
    -------
    Summary
    """
    jobs = read_row_groups(directory, "rec_job", columns=_JOB_COLUMNS)
    columns = ["region", "saving_status", "shifted_peak_power_mw"]
    unclaimed = {
        row["region"]: row["shifted_peak_power_mw"]
        for row in read_table(directory, "rec_region", columns=columns).to_pylist()
        if row["saving_status"] == NOT_CLAIMED
    }
    return _summary(jobs, read_table(directory, "fact_total").drop_columns(["run_id"]), unclaimed)


def summary_of_parts(work: Place, total: pa.Table, claims: Claims) -> Summary:
    """Summary of a night that is not published yet.

    Parameters
    ----------
    work : Place
        Its work folder.
    total : pa.Table
        ``fact_total`` without ``run_id``.
    claims : Claims

    Returns
    -------
    Summary
    """
    jobs = (part.select(list(_JOB_COLUMNS)) for part in read_parts(work, "rec_job"))
    return _summary(
        jobs, total, {region: claims.shifted_peak_power_mw[region] for region in claims.unclaimed}
    )


def _summary(parts: Iterable[pa.Table], total: pa.Table, unclaimed: Mapping[str, float]) -> Summary:
    declared = all_columns()
    schema = pa.schema({name: declared[name].type for name in _JOB_COLUMNS})
    saving = over = schema.empty_table()
    actions: Counter[str] = Counter()
    likely_late = jobs_over_budget = 0
    for part in (part.cast(schema) for part in parts):
        saves = part.filter(pc.greater(part["saving_kgco2e"], pa.scalar(0.0)))
        saves = pa.concat_tables([saving, saves])
        saving = _most(saves, saves["saving_kgco2e"])
        counts = part.group_by("action").aggregate([([], "count_all")]).to_pylist()
        actions.update({row["action"]: row["count_all"] for row in counts})
        likely_late += part.filter(pc.greater(part["deadline_risk"], pa.scalar(_LIKELY))).num_rows
        of_part = part.filter(pc.equal(part["budget_status"], pa.scalar("over")))
        jobs_over_budget += of_part.num_rows
        both = pa.concat_tables([over, of_part])
        over = _most(both, pc.subtract(both["advised_total_kgco2e"], both["carbon_budget_kgco2e"]))
    totals = total.to_pylist()
    return Summary(
        total=next((row for row in totals if row["scope"] == "run"), {}),
        jobs=saving.to_pylist(),
        actions=dict(actions),
        likely_late=likely_late,
        jobs_over_budget=jobs_over_budget,
        over=(*_sums_over(totals), *_jobs_over(over)),
        teams=tuple(row["scope_value"] for row in totals if row["scope"] == "team"),
        not_claimed=dict(sorted(unclaimed.items(), key=lambda item: (-item[1], item[0]))),
    )


def _most(jobs: pa.Table, by: "pa.ChunkedArray[Any]") -> pa.Table:
    """The few jobs with most of something, the first of them first."""
    keyed = pa.Table.from_arrays([by, jobs["job_id"]], names=["by", "job_id"])
    order = [("by", "descending"), ("job_id", "ascending")]
    rows = pc.select_k_unstable(keyed, k=_JOBS_SHOWN, sort_keys=order)  # type: ignore[call-overload]  # takes tables
    return jobs.take(rows)


def _sums_over(totals: list[dict[str, Any]]) -> list[OverBudget]:
    """The run, then the teams that are over their budgets."""
    over = [
        OverBudget(row["scope"], row["scope_value"], row["budget_kgco2e"], row["advised_all_jobs_kgco2e"])
        for row in totals
        if row["budget_status"] == "over"
    ]
    return sorted(over, key=lambda one: (one.scope != "run", -one.over_by_kgco2e, one.name))


def _jobs_over(jobs: pa.Table) -> Iterator[OverBudget]:
    for row in jobs.to_pylist():
        yield OverBudget("job", row["job_id"], row["carbon_budget_kgco2e"], row["advised_total_kgco2e"])


def tonnes(kgco2e: float) -> str:
    """Kilograms as tonnes, in three digits; the first digit of what would else read as nothing.

    Parameters
    ----------
    kgco2e : float

    Returns
    -------
    str
    """
    value = kgco2e / 1000.0
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    if 0 < abs(value) < 0.0005:
        digits = -math.floor(math.log10(abs(value)))
    return f"{value:,.{digits}f}"
