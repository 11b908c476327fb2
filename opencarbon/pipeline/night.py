"""What one night is: its inputs, and what came of it."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from opencarbon.errors import ConfigError
from opencarbon.estimation.hindsight.scorecard import Scorecard
from opencarbon.pipeline.files import output_folder
from opencarbon.pipeline.summary import BUDGET, Summary
from opencarbon.settings import Settings
from opencarbon.tables.events import Event

_FIRST_YEAR, _LAST_YEAR = 1990, 2099
"""The calendar of ``dim_date``."""

Progress = Callable[[str, int, int], None]
"""Told the step, how much of it is done, and how much there is."""


def silent(step: str, done: int, total: int) -> None:
    """Progress that nobody looks at.

    Parameters
    ----------
    step : str
    done, total : int
    """


@dataclass(frozen=True, slots=True)
class Night:
    """Inputs of a run.

    Parameters
    ----------
    settings : Settings
    manifests : tuple of str
        Files, folders or globs of planned jobs.
    as_of_utc : datetime
        Aware; the moment the night looks from.
    now_utc : datetime
        Aware; the moment it really is.
    root : str
        Where releases are published.
    work : Path
        Folder for what passes from step to step; local, and gone after the night.
    offline : bool
        Ask nothing of the network: the store, the catalog and files are enough.
    """

    settings: Settings
    manifests: tuple[str, ...]
    as_of_utc: datetime
    now_utc: datetime
    root: str
    work: Path
    offline: bool = False


@contextmanager
def night_of(
    settings: Settings,
    manifests: Iterable[str],
    *,
    as_of_utc: datetime,
    now_utc: datetime,
    offline: bool = False,
) -> Iterator[Night]:
    """A night with a work folder that is gone afterwards.

    Parameters
    ----------
    settings : Settings
        With ``publish.root``.
    manifests : iterable of str
    as_of_utc, now_utc : datetime
        Aware: the moment the night looks from, and the moment it is.
    offline : bool, optional

    Yields
    ------
    Night

    Raises
    ------
    ConfigError
        No root, or one that is not on this machine; no manifest; a time without a zone or beyond the calendar.
    """
    paths = tuple(manifests)
    if settings.publish.root is None:
        raise ConfigError("no place to publish to: give --out, or set publish.root")
    if not paths:
        raise ConfigError("no manifest: give --manifest with one or more files, folders or globs")
    if as_of_utc.tzinfo is None:
        raise ConfigError(
            f"the as-of time {as_of_utc.isoformat()} has no time zone: write it as {as_of_utc.isoformat()}Z"
        )
    if not _FIRST_YEAR <= as_of_utc.year <= _LAST_YEAR:
        raise ConfigError(
            f"the as-of time is in {as_of_utc.year}: give one from {_FIRST_YEAR} to {_LAST_YEAR}"
        )
    root = str(output_folder(settings.publish.root))
    with tempfile.TemporaryDirectory(prefix="opencarbon-") as work:
        as_of_utc, now_utc = as_of_utc.astimezone(UTC), now_utc.astimezone(UTC)
        yield Night(settings, paths, as_of_utc, now_utc, root, Path(work), offline)


@dataclass(frozen=True, slots=True)
class JobsRead:
    """What the manifests held.

    Parameters
    ----------
    partitions : int
        Partitions of planned jobs in the work folder.
    read, rejected : int
        Rows read, and rows that broke a rule.
    inputs_sha256 : str
        Digest of the manifests' bytes.
    zones : tuple of str
        Zones of the regions that some job may run in, those of current regions first.
    events : tuple of Event
    """

    partitions: int
    read: int
    rejected: int
    inputs_sha256: str
    zones: tuple[str, ...]
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A night whose inputs are in its work folder.

    Parameters
    ----------
    run_id, inputs_sha256 : str
    partitions : int
    is_published : bool
        A run of the same inputs is there already, whole.
    events : tuple of Event
        What was degraded on the way.
    """

    run_id: str
    inputs_sha256: str
    partitions: int
    is_published: bool
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a night.

    Parameters
    ----------
    status : {"published", "unchanged", "superseded", "dry_run"}
        unchanged: this run was published before; superseded: kept in ``runs/``, a newer run stays the latest.
    run_id : str
    directory : Path
        Folder of the run's tables.
    jobs_read, jobs_rejected : int
    events : tuple of Event
    summary : Summary
    scorecard : Scorecard
        What came of the advice before it.
    rows : dict of str to int
        Rows by table.
    would_be : {"published", "unchanged", "superseded"} or None
        Of a dry run: what would become of it.
    """

    status: Literal["published", "unchanged", "superseded", "dry_run"]
    run_id: str
    directory: Path
    jobs_read: int
    jobs_rejected: int
    events: tuple[Event, ...]
    summary: Summary
    scorecard: Scorecard = field(default_factory=Scorecard)
    rows: dict[str, int] = field(default_factory=dict)
    would_be: Literal["published", "unchanged", "superseded"] | None = None

    @property
    def degraded(self) -> bool:
        """Whether something stands on poorer data than it should."""
        return any(event.severity != "info" and event.source != BUDGET for event in self.events)

    @property
    def over_budget(self) -> bool:
        """Whether the jobs together, a team or a job emit more than their budget."""
        return bool(self.summary.over)

    def exit_status(self, *, strict: bool, fail_over_budget: bool) -> int:
        """Exit status that the command line promises.

        Parameters
        ----------
        strict : bool
            Rejected rows and degraded data count.
        fail_over_budget : bool

        Returns
        -------
        int
            0, 3 or 4.
        """
        if self.over_budget and fail_over_budget:
            return 4
        return 3 if strict and (self.jobs_rejected or self.degraded) else 0
