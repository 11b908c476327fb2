"""The commands that go through methods: ``estimate --method``, ``methods`` and ``compare``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from opencarbon.cli.comparison import print_comparison
from opencarbon.cli.night import shown_progress, unpublished_night
from opencarbon.cli.tables import console_for, print_warnings, write_json
from opencarbon.errors import ConfigError
from opencarbon.estimation.baselines import METHODS, Method, method_named
from opencarbon.pipeline.compare import Comparison, compare_jobs, compare_runs, write_comparison
from opencarbon.pipeline.files import output_file, output_folder
from opencarbon.pipeline.methods import write_method_estimates
from opencarbon.settings import Settings
from opencarbon.tables.reproduction import METHOD_ESTIMATE

ALL = "all"


@dataclass(frozen=True, slots=True)
class MethodRequest:
    """Manifests to estimate by methods.

    Parameters
    ----------
    manifests, methods : sequence of str
    out : str
    as_of_utc : datetime
    fits : Path or None
    offline, as_json : bool
    """

    manifests: Sequence[str]
    methods: Sequence[str]
    out: str
    as_of_utc: datetime
    fits: Path | None
    offline: bool
    as_json: bool


@dataclass(frozen=True, slots=True)
class CompareRequest:
    """Jobs to put through methods.

    Parameters
    ----------
    jobs, manifests, methods : sequence of str
        Without manifests, jobs are published runs of the catalog; without methods, every one.
    region, out : str or None
    as_of_utc : datetime
    offline, as_json : bool
    """

    jobs: Sequence[str]
    manifests: Sequence[str]
    methods: Sequence[str]
    region: str | None
    out: str | None
    as_of_utc: datetime
    offline: bool
    as_json: bool


def methods_command(*, as_json: bool) -> int:
    """List every method: what it needs, its formula, its limits.

    Parameters
    ----------
    as_json : bool

    Returns
    -------
    int
        0.
    """
    if as_json:
        names = ("name", "title", "needs", "formula", "limits", "source_id")
        write_json({"methods": [{name: getattr(one, name) for name in names} for one in METHODS.values()]})
        return 0
    console = Console(markup=False, highlight=False, emoji=False)
    for method in METHODS.values():
        heading = method.name if method.title == method.name else f"{method.name}: {method.title}"
        console.print(heading, style="bold")
        grid = Table.grid(padding=(0, 2, 0, 2))
        grid.add_column(no_wrap=True)
        for word in ("needs", "formula", "limits"):
            grid.add_row(word, getattr(method, word))
        console.print(grid)
    return 0


def estimate_command(request: MethodRequest, settings: Settings) -> int:
    """Estimate manifests by methods, and write the estimates to a file.

    Parameters
    ----------
    request : MethodRequest
    settings : Settings

    Returns
    -------
    int
        0.
    """
    path, methods = output_file(request.out), chosen(request.methods)
    with (
        unpublished_night(
            _calibrated(settings),
            path.parent,
            request.manifests,
            as_of_utc=request.as_of_utc,
            offline=request.offline,
        ) as night,
        shown_progress(Console(stderr=True)) as progress,
    ):
        rows, jobs, prepared = write_method_estimates(
            night, methods, path, fits=request.fits, progress=progress
        )
    if request.as_json:
        content = {"table": METHOD_ESTIMATE.name, "file": str(path), "rows": rows, "rejected": jobs.rejected}
        write_json(content | {"events": [asdict(event) for event in prepared.events]})
        return 0
    print_warnings(prepared.events)
    console_for().print(
        f"{rows} rows of {METHOD_ESTIMATE.name} ({len(methods)} per job) in {path}; "
        f"{jobs.rejected} rows were rejected"
    )
    return 0


def compare_command(request: CompareRequest, settings: Settings) -> int:
    """Put jobs through methods, print them side by side, and write tables and plots where asked.

    Parameters
    ----------
    request : CompareRequest
    settings : Settings

    Returns
    -------
    int
        0.
    """
    if not request.jobs:
        raise ConfigError(
            "no job: name a published run such as bloom-176b, or a job_id of --manifest; names come before options"
        )
    folder = output_folder(request.out) if request.out else None
    comparison = _compared(request, settings, chosen(request.methods))
    written = write_comparison(comparison, folder) if folder else []
    if request.as_json:
        write_json(_as_json(comparison))
        return 0
    print_warnings(comparison.events)
    print_comparison(console_for(), comparison)
    for path in written:
        console_for().print(str(path))
    return 0


def chosen(names: Sequence[str]) -> tuple[Method, ...]:
    """Methods by name.

    Parameters
    ----------
    names : sequence of str
        ``all``, or none, stands for every method.

    Returns
    -------
    tuple of Method

    Raises
    ------
    ConfigError
        A name that is no method's, with the near miss.
    """
    if not names or ALL in names:
        return tuple(METHODS.values())
    return tuple(dict.fromkeys(method_named(name) for name in names))


def _compared(request: CompareRequest, settings: Settings, methods: Sequence[Method]) -> Comparison:
    if not request.manifests:
        return compare_runs(
            request.jobs, methods, settings, as_of_utc=request.as_of_utc, region=request.region
        )
    if request.region:
        raise ConfigError("--region is for published runs: jobs of a manifest name their current_region")
    with (
        unpublished_night(
            _calibrated(settings),
            Path.cwd(),
            request.manifests,
            as_of_utc=request.as_of_utc,
            offline=request.offline,
        ) as night,
        shown_progress(Console(stderr=True)) as progress,
    ):
        return compare_jobs(night, request.jobs, methods, progress)


def _calibrated(settings: Settings) -> Settings:
    """Settings of the calibrated profile: methods state their own assumptions."""
    estimate = settings.estimate.model_copy(update={"profile": "calibrated"})
    return settings.model_copy(update={"estimate": estimate})


def _as_json(comparison: Comparison) -> dict[str, Any]:
    return {
        "estimates": comparison.estimates.to_pylist(),
        "actual_kgco2e": dict(comparison.actual_kgco2e),
        "events": [asdict(event) for event in comparison.events],
    }
