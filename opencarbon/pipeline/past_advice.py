"""The advice of earlier nights, read from their releases for a few jobs or for all that were to end in a span of time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.errors import PublishError
from opencarbon.estimation.hindsight.past_advice import ADVICE_COLUMNS, PastAdvice
from opencarbon.pipeline.night import Night
from opencarbon.pipeline.release import ACCOUNTING_BASIS
from opencarbon.publishing.parquet import read_table
from opencarbon.publishing.past_runs import PastRun, rows_between, rows_of_jobs
from opencarbon.tables.columns import TIMESTAMP
from opencarbon.tables.events import Event

SOURCE: Final = "hindsight"
"""Source of the events about past advice."""

_ADVISED: Final = ("job_id", "advised_region", "advised_start_utc", "advised_finish_utc")
_SEGMENT: Final = ("job_id", "segment", "start_utc", "finish_utc")


def among(column: "pa.ChunkedArray[Any]", values: "pa.Array[Any] | pa.ChunkedArray[Any]") -> Any:  # noqa: ANN401  # arrays are generic in the stubs only
    """Whether each value is among others.

    Parameters
    ----------
    column : pa.ChunkedArray
    values : pa.Array or pa.ChunkedArray

    Returns
    -------
    pa.ChunkedArray of bool
    """
    return pc.is_in(column, value_set=values)


@dataclass(frozen=True, slots=True)
class AdviceArchive:
    """Earlier nights; a release of theirs that cannot be read is left out, and said once.

    Parameters
    ----------
    night : Night
        That looks back.
    runs : sequence of PastRun
        Oldest first.
    unreadable : dict of str to str
        Run -> why it is left out.
    """

    night: Night
    runs: Sequence[PastRun]
    unreadable: dict[str, str] = field(default_factory=dict)

    def events(self) -> list[Event]:
        """Releases that could not be read.

        Returns
        -------
        list of Event
        """
        return [
            Event("warning", SOURCE, run_id, "unreadable_run", f"{why}; its advice is left out")
            for run_id, why in self.unreadable.items()
        ]

    def last_advice(self, completed: pa.Table) -> Iterator[tuple[PastRun, pa.Table]]:
        """The newest run before each job began that holds the job.

        Parameters
        ----------
        completed : pa.Table
            ``job_id`` and ``started_utc``, a row for each job.

        Yields
        ------
        PastRun
        pa.Table
            ``job_id`` and ``advised_region`` of the jobs whose last run it is.
        """
        left = completed.select(["job_id", "started_utc"])
        for run in reversed(self.runs):
            asked = left.filter(pc.greater_equal(left["started_utc"], _moment(run.as_of_utc)))
            found = self._rows(run, "rec_job", ("job_id", "advised_region"), asked["job_id"])
            if found.num_rows:
                yield run, found
                left = left.filter(pc.invert(among(left["job_id"], found["job_id"])))

    def advised_to_end(
        self, span: tuple[datetime, datetime], untold: Callable[[pa.Table], pa.Table]
    ) -> Iterator[tuple[PastRun, pa.Table]]:
        """Jobs whose advised runs end within a span, under advice that was in force when they were to begin.

        Parameters
        ----------
        span : tuple of datetime
            Aware: after the first, not after the second.
        untold : callable
            Leaves out rows whose ``job_id`` is not wanted; asked run by run, when the one before it has been dealt with.

        Yields
        ------
        PastRun
            Newest first.
        pa.Table
            ``job_id`` and ``advised_region``, without jobs that a later run of before the advised start holds too.
        """
        for at, run in reversed(list(enumerate(self.runs))):
            try:
                rows = untold(rows_between(run, "rec_job", _ADVISED, "advised_finish_utc", span))
            except PublishError as problem:
                self.unreadable[run.run_id] = str(problem)
                continue
            for later in self.runs[at + 1 :]:
                asked = rows.filter(pc.greater_equal(rows["advised_start_utc"], _moment(later.as_of_utc)))
                if not asked.num_rows:
                    break
                again = self._rows(later, "rec_job", ("job_id",), asked["job_id"])
                before = pc.less(rows["advised_start_utc"], _moment(later.as_of_utc))
                rows = rows.filter(pc.or_(before, pc.invert(among(rows["job_id"], again["job_id"]))))
            yield run, rows.select(["job_id", "advised_region"])

    def advice(self, run: PastRun, job_ids: "pa.ChunkedArray[Any]") -> PastAdvice | None:
        """What a run advised for some of its jobs.

        Parameters
        ----------
        run : PastRun
        job_ids : pa.ChunkedArray of string
            Jobs with an advised place.

        Returns
        -------
        PastAdvice or None
            None where the run cannot be read, or stands on another factor type or accounting basis than the night.
        """
        try:
            (dim,) = read_table(run.directory, "dim_run").to_pylist()
            options = self.night.settings.electricity_maps
            bases = (options.emission_factor_type, ACCOUNTING_BASIS[options.accounting_basis])
            if (dim["emission_factor_type"], dim["accounting_basis"]) != bases:
                return None
            wanted = job_ids.combine_chunks()
            tables = [rows_of_jobs(run, name, columns, wanted) for name, columns in ADVICE_COLUMNS.items()]
            if any(not table["job_id"].equals(tables[0]["job_id"]) for table in tables):
                raise PublishError(f"the tables of jobs of run {run.run_id} do not hold the same jobs")
            jobs = {name: table[name] for table in tables for name in table.column_names}
            segments = rows_of_jobs(run, "fact_job_segment", _SEGMENT, wanted)
            regions = read_table(run.directory, "dim_region")
        except (PublishError, OSError, KeyError, ValueError, pa.ArrowException) as problem:
            self.unreadable[run.run_id] = str(problem)
            return None
        return PastAdvice(
            run.run_id,
            run.as_of_utc,
            dim["profile"],
            pa.Table.from_arrays(list(jobs.values()), list(jobs)),
            segments,
            regions,
        )

    def _rows(
        self, run: PastRun, table: str, columns: Sequence[str], job_ids: "pa.ChunkedArray[Any]"
    ) -> pa.Table:
        """Rows of some jobs; none where there are no jobs or the run cannot be read."""
        try:
            if len(job_ids) and run.run_id not in self.unreadable:
                return rows_of_jobs(run, table, columns, job_ids.combine_chunks())
        except PublishError as problem:
            self.unreadable[run.run_id] = str(problem)
        return pa.table({name: pa.array([], pa.string()) for name in columns})


def _moment(when: datetime) -> "pa.Scalar[Any]":
    return pa.scalar(when, TIMESTAMP)
