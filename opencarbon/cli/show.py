"""What ``opencarbon show`` prints of a job, a region or a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any, Literal

from opencarbon.cli.show_job import print_job
from opencarbon.cli.show_region import print_region
from opencarbon.cli.show_run import print_run
from opencarbon.cli.tables import console_for, write_json
from opencarbon.pipeline.explain import (
    JobExplanation,
    RegionExplanation,
    RunExplanation,
    explain_job,
    explain_region,
    explain_run,
    find_name,
)
from opencarbon.sources.places import Place


def show_name(run: Place, name: str, kind: Literal["job", "region", "run"] | None, *, as_json: bool) -> int:
    """Explain what a name of a run stands for.

    Parameters
    ----------
    run : Place
        Directory of the run.
    name : str
    kind : {"job", "region", "run"} or None
    as_json : bool

    Returns
    -------
    int
        Exit status.
    """
    found = find_name(run, name, kind)
    console = console_for()
    if found.kind == "run":
        told = explain_run(run)
        _json("run", run, told) if as_json else print_run(console, told)
    elif found.kind == "job":
        job = explain_job(run, found.name)
        _json("job", run, job) if as_json else print_job(console, run, found.name, job)
    else:
        region = explain_region(run, found.name, is_zone=found.kind == "zone")
        _json(found.kind, run, region) if as_json else print_region(console, run, region)
    return 0


def _json(kind: str, run: Place, told: JobExplanation | RegionExplanation | RunExplanation) -> None:
    write_json({"run_id": run.name, "kind": kind} | _plain(asdict(told)))


def _plain(value: Any) -> Any:  # noqa: ANN401  # whatever a table holds
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value
