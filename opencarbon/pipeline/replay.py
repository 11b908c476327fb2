"""Jobs planned at moments of the past, as a night plans them, and what became of the advice."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa

from opencarbon.estimation.backtest import Planned, StandardJob, hours_of, outcomes, planned_jobs
from opencarbon.estimation.hindsight.measured_curves import MeasuredCurves
from opencarbon.pipeline.context import Context
from opencarbon.pipeline.night import Progress, silent
from opencarbon.pipeline.partition import estimate_batch, plan_batch
from opencarbon.tables.backtest import BACKTEST_OUTCOME

_STEP: Final = "moments planned"


def replay(
    moments: Sequence[datetime],
    jobs_at: Callable[[datetime], Sequence[StandardJob]],
    context_at: Callable[[datetime], Context],
    measured: MeasuredCurves,
    *,
    slack_hours: float,
    progress: Progress = silent,
) -> pa.Table:
    """Plan jobs at moments of the past, and compare what was claimed with what was measured.

    Parameters
    ----------
    moments : sequence of datetime
        Full hours.
    jobs_at : callable
        Moment -> the jobs in the queue.
    context_at : callable
        Moment -> what a night of that moment plans with.
    measured : MeasuredCurves
        From the first moment on.
    slack_hours : float
        Longest that jobs may be put off [h].
    progress : callable, optional

    Returns
    -------
    pa.Table
        ``backtest_outcome``.
    """
    tables = [BACKTEST_OUTCOME.schema().empty_table()]
    for done, moment in enumerate(moments):
        progress(_STEP, done, len(moments))
        jobs = jobs_at(moment)
        longest = int(np.ceil(max((job.hours for job in jobs), default=0.0) + slack_hours))
        planned = _planned(jobs, moment, context_at(moment), slack_hours)
        found = outcomes(jobs, planned, hours_of(measured, moment, longest))
        tables.append(found.cast(BACKTEST_OUTCOME.schema()).sort_by("job_id"))
    progress(_STEP, len(moments), len(moments))
    return pa.concat_tables(tables)


def _planned(jobs: Sequence[StandardJob], moment: datetime, context: Context, slack_hours: float) -> Planned:
    table = planned_jobs(jobs, moment, slack_hours=slack_hours)
    plan = plan_batch(estimate_batch(table, context), context)
    allowed = context.allowed.mask(table, context.settings.plan.default_region)
    return Planned(plan.estimates, plan.alternatives, plan.advice, allowed, context.regions, context.curves)
