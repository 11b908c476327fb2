"""What one night is: its inputs, and what came of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from opencarbon.errors import ConfigError
from opencarbon.estimation.hindsight.scorecard import Scorecard
from opencarbon.pipeline.files import release_root
from opencarbon.pipeline.outcomes import PartitionOutcome, ZoneOutcome
from opencarbon.pipeline.summary import BUDGET, Summary
from opencarbon.pipeline.work_folder import work_folder
from opencarbon.settings import Settings
from opencarbon.sources.places import Place
from opencarbon.tables.events import Event

_FIRST_YEAR, _LAST_YEAR = 1990, 2099
"""The calendar of ``dim_date``."""

PAST_AFTER: Final = timedelta(days=1)
"""A night that is later than this asks nothing of the network: its advice is of use to no one but the record."""

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
    work : Place
        Folder for what passes from step to step, gone after the night: of this machine unless ``run.work_root`` is
        elsewhere.
    offline : bool
        Ask nothing of the network: the store, the catalog and files are enough.
    """

    settings: Settings
    manifests: tuple[str, ...]
    as_of_utc: datetime
    now_utc: datetime
    root: str
    work: Place
    offline: bool = False

    @property
    def is_past(self) -> bool:
        """Whether it looks from more than a day ago: what is fetched now was not known then."""
        return self.now_utc - self.as_of_utc > PAST_AFTER


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
        No root; no folder to work in; no manifest; a time without a zone or beyond the calendar.
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
    root = release_root(settings.publish.root)
    with work_folder(settings.run) as work:
        as_of_utc, now_utc = as_of_utc.astimezone(UTC), now_utc.astimezone(UTC)
        yield Night(settings, paths, as_of_utc, now_utc, root, work, offline)


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
    seconds : float
        How long reading took [s].
    job_id_hash_bytes : int
        Most that the hashes of the job_ids took, the one structure that grows with the queue.
    """

    partitions: int
    read: int
    rejected: int
    inputs_sha256: str
    zones: tuple[str, ...]
    events: tuple[Event, ...]
    seconds: float = field(default=0.0, compare=False)
    job_id_hash_bytes: int = field(default=0, compare=False)


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
    zones : tuple of ZoneOutcome
        What is known of the intensity of each zone of the jobs.
    requests : int
        Requests made of Electricity Maps.
    seconds : float
        How long preparing took [s].
    allocate_seconds : float or None
        How long the allocation took, where there was one [s].
    """

    run_id: str
    inputs_sha256: str
    partitions: int
    is_published: bool
    events: tuple[Event, ...]
    zones: tuple[ZoneOutcome, ...] = ()
    requests: int = 0
    seconds: float = field(default=0.0, compare=False)
    allocate_seconds: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a night.

    Parameters
    ----------
    status : {"published", "unchanged", "superseded", "dry_run"}
        unchanged: this run was published before; superseded: kept in ``runs/``, a newer run stays the latest.
    run_id : str
    directory : Place
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
    partitions : tuple of PartitionOutcome
        What came of each partition; none where the run was published before.
    zones : tuple of ZoneOutcome
    facts : mapping
        Durations and counts, those of the record; see :func:`opencarbon.pipeline.facts.facts_of_run`.
    report : Place or None
        The page of the run, where there is one.
    no_report : str or None
        Why there is none, where one was wanted.
    """

    status: Literal["published", "unchanged", "superseded", "dry_run"]
    run_id: str
    directory: Place
    jobs_read: int
    jobs_rejected: int
    events: tuple[Event, ...]
    summary: Summary
    scorecard: Scorecard = field(default_factory=Scorecard)
    rows: dict[str, int] = field(default_factory=dict)
    would_be: Literal["published", "unchanged", "superseded"] | None = None
    partitions: tuple[PartitionOutcome, ...] = ()
    zones: tuple[ZoneOutcome, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    report: Place | None = None
    no_report: str | None = None

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
