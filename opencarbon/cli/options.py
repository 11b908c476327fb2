"""Options of a night, the same for ``opencarbon run`` and for the flow."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from opencarbon.errors import ConfigError
from opencarbon.settings import Settings, load_settings
from opencarbon.units import whole_hour

Manifests = Annotated[
    list[str],
    Parameter(
        name=["--manifest", "-m"], consume_multiple=True, negative=(), help="Parquet files, folders or globs."
    ),
]
Histories = Annotated[
    tuple[str, ...],
    Parameter(
        show_default=False,
        name="--history",
        consume_multiple=True,
        negative=(),
        help="Logs of your own completed runs, files, folders or globs; default: history.files.",
    ),
]
Completed = Annotated[
    tuple[str, ...],
    Parameter(
        show_default=False,
        name="--completed",
        consume_multiple=True,
        negative=(),
        help="Jobs that ended, Parquet or CSV: what became of the advice for them; default: hindsight.completed.",
    ),
]
Config = Annotated[Path | None, Parameter(help="TOML file of settings.")]
AsOf = Annotated[
    str | None, Parameter(help="Moment to look from, ISO 8601 with a time zone; default: this hour.")
]
ProfileName = Annotated[
    Literal["calibrated", "paper"] | None, Parameter(help="calibrated, or OpenCarbonEval as published.")
]
MethodNames = Annotated[
    tuple[str, ...],
    Parameter(
        show_default=False,
        name="--method",
        consume_multiple=True,
        negative=(),
        help="Methods by name, or all; see `opencarbon methods`.",
    ),
]
Offline = Annotated[bool, Parameter(negative=(), help="Ask nothing of the network.")]
Json = Annotated[
    bool, Parameter(name="--json", negative=(), help="Machine-readable result on standard output.")
]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """Intensity files to import, and how they are to be read."""

    file: Annotated[
        tuple[str, ...],
        Parameter(
            show_default=False,
            consume_multiple=True,
            negative=(),
            help="Import these files instead: Electricity Maps' CSV exports, any CSV or Parquet (see store.columns).",
        ),
    ] = ()
    wide: Annotated[
        bool, Parameter(negative=(), help="The first column is the time, each other one a zone.")
    ] = False
    zone: Annotated[str | None, Parameter(help="Zone of files without a column of zones.")] = None
    granularity: Annotated[
        Literal["hourly", "30min", "15min", "5min"], Parameter(help="Length of what a row is about.")
    ] = "hourly"
    unit: Annotated[
        Literal["g/kWh", "kg/MWh", "kg/kWh", "lbs/MWh"], Parameter(help="Unit of the intensities.")
    ] = "g/kWh"
    utc: Annotated[bool, Parameter(negative=(), help="Times without a time zone are in UTC.")] = False
    factors: Annotated[
        Literal["lifecycle", "direct"], Parameter(help="Emission factors of files that do not say.")
    ] = "lifecycle"
    basis: Annotated[
        Literal["flow_traced", "production"],
        Parameter(help="Accounting basis of files that do not say: what a zone consumes, or generates."),
    ] = "flow_traced"
    fetched_at: Annotated[
        str | None, Parameter(help="When the files were got, ISO 8601 with a time zone; default: now.")
    ] = None
    dry_run: Annotated[bool, Parameter(negative=(), help="Say what would be stored, and store nothing.")] = (
        False
    )


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What a night is asked for."""

    manifest: Manifests
    out: Annotated[str | None, Parameter(help="Where to publish; or publish.root in the settings.")] = None
    config: Config = None
    as_of: AsOf = None
    profile: ProfileName = None
    completed: Completed = ()
    offline: Offline = False
    dry_run: Annotated[bool, Parameter(negative=(), help="No network, no write: show what would come.")] = (
        False
    )
    strict: Annotated[
        bool, Parameter(negative=(), help="Exit status 3 on rejected rows or degraded data.")
    ] = False
    json: Json = False

    def settings(self) -> Settings:
        """Effective settings.

        Returns
        -------
        Settings
        """
        return settings_of(self.config, self.profile, self.out, completed=self.completed)


def settings_of(
    config: Path | None,
    profile: str | None,
    out: str | None = None,
    *,
    history: Sequence[str] = (),
    completed: Sequence[str] = (),
) -> Settings:
    """Settings with what the command line says over them.

    Parameters
    ----------
    config : Path or None
    profile : str or None
    out : str or None
    history : sequence of str
        Places of run histories instead of those of the settings; none keeps them.
    completed : sequence of str
        The same for completed jobs.

    Returns
    -------
    Settings
    """
    said = {
        "estimate": {"profile": profile},
        "publish": {"root": out},
        "history": {"files": history or None},
        "hindsight": {"completed": completed or None},
    }
    return load_settings(config, said)


def moment(text: str | None, *, option: str = "--as-of", dates: bool = False) -> datetime:
    """The moment to look from.

    Parameters
    ----------
    text : str or None
        ISO 8601 with a time zone; None is now, floored to the hour.
    option : str, optional
        Where it was said.
    dates : bool, optional
        A date alone will do: its first moment in UTC.

    Returns
    -------
    datetime
        In UTC.

    Raises
    ------
    ConfigError
        Where the text is no moment, or has no time zone.
    """
    if text is None:
        return whole_hour(datetime.now(UTC))
    is_date = dates and len(text) <= len("2026-11-16")
    try:
        if is_date:
            return datetime.combine(date.fromisoformat(text), time(), UTC)
        given = datetime.fromisoformat(text)
        if given.tzinfo is not None:
            return given.astimezone(UTC)
    except (ValueError, OverflowError):  # 0001-01-01T00:00:00+01:00 is before the first moment
        kind, like = (
            ("date or time", "2026-11-16 or 2026-11-16T06:00:00Z")
            if dates
            else ("time", "2026-11-16T00:00:00Z")
        )
        raise ConfigError(f"{option} {text!r} is no ISO 8601 {kind}: write it like {like}") from None
    raise ConfigError(f"{option} {text!r} has no time zone: write {given.isoformat()}Z for UTC")
