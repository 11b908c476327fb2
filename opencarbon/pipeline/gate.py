"""The gate before publishing: partitions that failed cost their jobs, and too many such jobs cost the release."""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import pyarrow as pa

from opencarbon.errors import PublishError
from opencarbon.pipeline.jobs import PLANNED, REJECTED
from opencarbon.pipeline.night import JobsRead, Night, Prepared
from opencarbon.pipeline.outcomes import PartitionOutcome
from opencarbon.pipeline.work import LEFT_OUT, part_numbers, read_part, write_part
from opencarbon.publishing.layout import Layout
from opencarbon.publishing.release import run_id_for, whole_run
from opencarbon.sources.places import Place
from opencarbon.tables.events import Event
from opencarbon.tables.inputs import REJECTED_ROWS

NOT_ESTIMATED: Final = "not_estimated"
"""Rule of ``rejected_job`` for jobs of a partition that failed."""

_REMEDY: Final = "run the night again; if this stays, --debug or the log shows where it failed"
_UNTOLD: Final = "nothing was heard of this partition"
_LOG: Final = logging.getLogger("opencarbon.pipeline")


class Passed(NamedTuple):
    """A night that may be published, without the jobs of partitions that failed.

    Attributes
    ----------
    jobs : JobsRead
        Those jobs among the rejected.
    prepared : Prepared
        With an event for every partition that failed; a run without some of its jobs is another run, so that the same
        night once more makes it whole.
    partitions : tuple of PartitionOutcome
        One for every partition, in order; none where the run is published.
    """

    jobs: JobsRead
    prepared: Prepared
    partitions: tuple[PartitionOutcome, ...]


def jobs_of_partition(night: Night, partition: int) -> int:
    """Count the planned jobs of a partition.

    Parameters
    ----------
    night : Night
    partition : int

    Returns
    -------
    int
        0 where they cannot be read.
    """
    try:
        return read_part(night.work, PLANNED, partition).num_rows
    except (OSError, pa.ArrowException):
        return 0


def pass_gate(
    night: Night, jobs: JobsRead, prepared: Prepared, outcomes: Iterable[PartitionOutcome]
) -> Passed:
    """Leave out the jobs of partitions that failed, or refuse to publish without so many.

    Parameters
    ----------
    night : Night
    jobs : JobsRead
    prepared : Prepared
    outcomes : iterable of PartitionOutcome
        Of all partitions; one that is not among them failed.

    Returns
    -------
    Passed

    Raises
    ------
    PublishError
        With these jobs more rows are rejected than ``publish.max_rejected_pct``, or none is left.
    """
    if prepared.is_published:
        return Passed(jobs, prepared, ())
    (night.work / LEFT_OUT).delete()  # of an attempt before this one
    told = {outcome.partition: outcome for outcome in outcomes}
    every = tuple(
        told.get(number) or PartitionOutcome(number, jobs_of_partition(night, number), 0.0, _UNTOLD)
        for number in range(prepared.partitions)
    )
    failed = [outcome for outcome in every if outcome.problem is not None]
    if not failed:
        return Passed(jobs, prepared, every)
    # others may have published it meanwhile, whole
    if whole_run(Layout(Place.of(night.root)), prepared.run_id) is not None:
        return Passed(jobs, replace(prepared, is_published=True), every)
    left_out = [_leave_out(night, outcome) for outcome in failed]
    lost = sum(rows.num_rows for rows in left_out)
    _refuse_too_many(jobs, lost, failed, prepared.partitions, night.settings.publish.max_rejected_pct)
    _LOG.error("partitions left out: partitions=%d jobs=%d", len(failed), lost)
    jobs = replace(jobs, rejected=jobs.rejected + lost)
    return Passed(jobs, _without(night, prepared, failed, left_out), every)


def rejected_parts(work: Place) -> Iterator[pa.Table]:
    """Rows of ``rejected_job``, partition by partition: those that break a rule, and jobs that were not estimated.

    Parameters
    ----------
    work : Place

    Yields
    ------
    pa.Table
        In the order of the manifests.
    """
    left_out = set(part_numbers(work, LEFT_OUT))
    for number in part_numbers(work, REJECTED):
        rows = read_part(work, REJECTED, number)
        if number in left_out:
            rows = pa.concat_tables([rows, read_part(work, LEFT_OUT, number)]).sort_by("row")
        yield rows


def _leave_out(night: Night, outcome: PartitionOutcome) -> pa.Table:
    """Note the jobs of a failed partition as rejected."""
    jobs = read_part(night.work, PLANNED, outcome.partition)
    told = {
        "column": "job_id",
        "rule_code": NOT_ESTIMATED,
        "reason": f"its partition {outcome.partition} failed: {outcome.problem}",
        "remedy": _REMEDY,
    }
    rows = jobs.select(["manifest", "row", "job_id"]).append_column("value", jobs["job_id"])
    for name, text in told.items():
        rows = rows.append_column(name, pa.repeat(text, jobs.num_rows))
    rows = rows.select(list(REJECTED_ROWS.columns)).cast(REJECTED_ROWS.schema())
    write_part(night.work, LEFT_OUT, outcome.partition, rows)
    return rows


def _refuse_too_many(
    jobs: JobsRead, lost: int, failed: Sequence[PartitionOutcome], partitions: int, most_pct: float
) -> None:
    rejected = jobs.rejected + lost
    if rejected < jobs.read and 100.0 * rejected <= most_pct * jobs.read:
        return
    rules = f"; with {jobs.rejected} rows that break a rule" if jobs.rejected else ""
    limit = (
        "no job is left" if rejected == jobs.read else f"more than publish.max_rejected_pct = {most_pct:g} %"
    )
    raise PublishError(
        f"{len(failed)} of {partitions} partitions failed, and with them {lost} of {jobs.read} jobs{rules}: {limit}; "
        f"nothing was published. First: partition {failed[0].partition}: {failed[0].problem}. {_REMEDY.capitalize()}."
    )


def _without(
    night: Night, prepared: Prepared, failed: Sequence[PartitionOutcome], left_out: Sequence[pa.Table]
) -> Prepared:
    """The run without some partitions, under a name of its own."""
    sha = hashlib.sha256(prepared.inputs_sha256.encode())
    events = []
    for outcome, rows in zip(failed, left_out, strict=True):
        ends = [rows.slice(at, 1).to_pylist() for at in (0, max(rows.num_rows - 1, 0))]
        sha.update(json.dumps([rows.num_rows, *ends]).encode())
        detail = (
            f"partition {outcome.partition} of {prepared.partitions} failed, its {rows.num_rows} jobs are not "
            f"estimated: {outcome.problem}; {_REMEDY}"
        )
        events.append(Event("error", "partitions", str(outcome.partition), NOT_ESTIMATED, detail))
    return replace(
        prepared,
        run_id=run_id_for(night.as_of_utc, sha.hexdigest()),
        inputs_sha256=sha.hexdigest(),
        events=(*prepared.events, *events),
    )
