"""Nights of the past, one after the other: each looks from its own moment, and knows what the store knew by then."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from opencarbon.errors import ConfigError, ManifestError
from opencarbon.pipeline.night import Night, Outcome, Progress, night_of, silent
from opencarbon.pipeline.outcomes import problem_line
from opencarbon.settings import Settings

DAY: Final = timedelta(days=1)

Status = Literal["published", "unchanged", "superseded", "dry_run", "failed"]

_STEP: Final = "nights"
_LOG: Final = logging.getLogger("opencarbon.pipeline")


@dataclass(frozen=True, slots=True)
class BackfilledNight:
    """What came of one night of many.

    Parameters
    ----------
    as_of_utc : datetime
    outcome : Outcome or None
        None where it failed.
    problem : str or None
        Why it failed, in a line.
    """

    as_of_utc: datetime
    outcome: Outcome | None
    problem: str | None = None

    @property
    def status(self) -> Status:
        """As that of the outcome; ``unchanged`` also for a run that was there and is not the newest."""
        if self.outcome is None:
            return "failed"
        was_there = self.outcome.status == "superseded" and not self.outcome.partitions
        return "unchanged" if was_there else self.outcome.status


def moments_of(first_utc: datetime, last_utc: datetime, every: timedelta = DAY) -> list[datetime]:
    """Moments of nights, oldest first.

    Parameters
    ----------
    first_utc, last_utc : datetime
        Aware; both count.
    every : timedelta, optional

    Returns
    -------
    list of datetime

    Raises
    ------
    ConfigError
        If there is none, or no time between them.
    """
    if every <= timedelta(0):
        raise ConfigError(f"nights must lie apart, not {every}")
    if first_utc > last_utc:
        raise ConfigError(
            f"the first night, {first_utc.isoformat()}, is after the last, {last_utc.isoformat()}"
        )
    return [first_utc + number * every for number in range((last_utc - first_utc) // every + 1)]


def backfill_nights(
    run: Callable[[Night], Outcome],
    settings: Settings,
    manifests: Sequence[str],
    moments: Sequence[datetime],
    *,
    now_utc: datetime,
    offline: bool,
    progress: Progress = silent,
) -> list[BackfilledNight]:
    """Go through nights, and go on after one that failed.

    Parameters
    ----------
    run : callable
        Goes through a night.
    settings : Settings
    manifests : sequence of str
    moments : sequence of datetime
        Oldest first, so that each night knows those before it.
    now_utc : datetime
    offline : bool
    progress : callable, optional

    Returns
    -------
    list of BackfilledNight

    Raises
    ------
    ConfigError, ManifestError
        What every night would fail for.
    """
    done: list[BackfilledNight] = []
    for as_of_utc in moments:
        progress(_STEP, len(done), len(moments))
        done.append(_one(run, settings, manifests, as_of_utc, now_utc=now_utc, offline=offline))
        _LOG.info("night backfilled: as_of=%s status=%s", as_of_utc.isoformat(), done[-1].status)
    progress(_STEP, len(done), len(moments))
    return done


def _one(
    run: Callable[[Night], Outcome],
    settings: Settings,
    manifests: Sequence[str],
    as_of_utc: datetime,
    *,
    now_utc: datetime,
    offline: bool,
) -> BackfilledNight:
    try:
        with night_of(settings, manifests, as_of_utc=as_of_utc, now_utc=now_utc, offline=offline) as night:
            return BackfilledNight(as_of_utc, run(night))
    except (ConfigError, ManifestError):
        raise
    except Exception as problem:  # noqa: BLE001  # whatever one night is, the others are not
        _LOG.exception("night failed: as_of=%s", as_of_utc.isoformat())
        return BackfilledNight(as_of_utc, None, problem_line(problem))
