"""What the runs of the own fleet did to the fits, in a terminal and as JSON."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from opencarbon.catalog import Catalog
from opencarbon.cli.tables import printable
from opencarbon.errors import FitError
from opencarbon.estimation.energy.own_power import own_power
from opencarbon.estimation.fitting.history_runs import hours_moved, own_runs, without_own_runs
from opencarbon.estimation.fitting.training_runs import counts_by_reason
from opencarbon.pipeline.fits import fit_for_profile
from opencarbon.pipeline.history import WHOLE_FILE, FleetHistory
from opencarbon.settings import Profile

_ROWS_SHOWN: Final = 20
_LEAST_SHOWN: Final = 0.0005
"""Change of hours that is not printed as 0.0 %."""

_OTHERS_SHOWN: Final = 5
"""Devices without own runs that are listed: those whose hours moved most."""


@dataclass(frozen=True, slots=True)
class HistoryReport:
    """What the runs of the own fleet did.

    Parameters
    ----------
    read : int
        Runs read.
    used : int
        Runs that the fits use.
    left_out : mapping of str to int
        The others, by reason.
    rejected : list of dict
        ``REJECTED_ROWS``.
    runs_of : mapping of str to int
        Used runs by device.
    moved : mapping of str to float
        Predicted hours by device, with the runs over without them.
    power : mapping of str to dict
        Measured power by device, as :func:`~opencarbon.estimation.energy.own_power.own_power` gives it.
    """

    read: int
    used: int
    left_out: Mapping[str, int]
    rejected: list[dict[str, Any]]
    runs_of: Mapping[str, int]
    moved: Mapping[str, float]
    power: Mapping[str, Mapping[str, Any]]


def history_report(
    history: FleetHistory, runs: pa.Table, fits: pa.Table, catalog: Catalog, profile: Profile
) -> HistoryReport:
    """Compare the fits with those that the published runs alone would give.

    Parameters
    ----------
    history : FleetHistory
    runs : pa.Table
        ``training_runs``, the own ones among them.
    fits : pa.Table
        Fits of all of them.
    catalog : Catalog
    profile : {"calibrated", "paper"}

    Returns
    -------
    HistoryReport
    """
    own = own_runs(runs)
    used = own.filter(own["used"])
    counts = used.group_by("device").aggregate([([], "count_all")]).to_pylist()
    power = own_power(history.runs, catalog.devices).to_pylist() if profile == "calibrated" else []
    try:
        before = fit_for_profile(without_own_runs(runs), catalog, profile)
        moved = hours_moved(before, fits, catalog.devices)
    except FitError:  # no published run is left to compare with
        moved = {}
    return HistoryReport(
        read=own.num_rows,
        used=used.num_rows,
        left_out=counts_by_reason(own),
        rejected=history.rejected.to_pylist(),
        runs_of={str(row["device"]): row["count_all"] for row in counts},
        moved=moved,
        power={row["device"]: row for row in power},
    )


def report_json(report: HistoryReport) -> dict[str, Any]:
    """Everything of a report, every rejected row too.

    Parameters
    ----------
    report : HistoryReport

    Returns
    -------
    dict
    """
    return {
        "read": report.read,
        "used": report.used,
        "left_out": dict(report.left_out),
        "rejected": report.rejected,
        "used_by_device": dict(report.runs_of),
        "hours_ratio_by_device": dict(report.moved),
        "power_by_device": {device: dict(row) for device, row in report.power.items()},
    }


def print_report(console: Console, report: HistoryReport) -> None:
    """Print what was read, left out and rejected, and how far the hours of each device moved.

    Parameters
    ----------
    console : Console
    report : HistoryReport
    """
    for row in report.rejected[:_ROWS_SHOWN]:
        console.print(printable(f"{_place(row)}: {row['reason']}; {row['remedy']}"))
    if len(report.rejected) > _ROWS_SHOWN:
        console.print(f"and {len(report.rejected) - _ROWS_SHOWN} more: --json lists all of them")
    rejected = len({(row["manifest"], row["row"]) for row in report.rejected})
    console.print(
        f"own fleet: runs read: {report.read}, used by the fits: {report.used}; rows and files rejected: {rejected}"
    )
    for reason, count in report.left_out.items():
        console.print(f"{count:6} x {printable(reason)}")
    own = sorted(set(report.runs_of) | set(report.power), key=lambda device: _order(report, device))
    others = sorted(set(report.moved) - set(own), key=lambda device: _order(report, device))
    others = [device for device in others if abs(report.moved[device] - 1.0) >= _LEAST_SHOWN]
    if own:
        console.print(_table(report, [*own, *others[:_OTHERS_SHOWN]]))
    rest = [100 * (report.moved[device] - 1) for device in others[_OTHERS_SHOWN:]]
    if own and rest:
        console.print(
            f"hours of the other {len(rest)} devices moved by {min(rest):+.1f} % to {max(rest):+.1f} %"
        )


def _place(row: Mapping[str, Any]) -> str:
    if row["rule_code"] == WHOLE_FILE:
        return str(row["manifest"])
    run = "" if row["job_id"] is None else f", run {row['job_id']}"
    return f"{row['manifest']}, row {row['row']}{run}"


def _order(report: HistoryReport, device: str) -> tuple[bool, float, str]:
    """Devices with own runs first, then by how far their hours moved."""
    return device not in report.runs_of, -abs(math.log(report.moved.get(device, 1.0))), device


def _table(report: HistoryReport, devices: list[str]) -> Table:
    table = Table("device", "own runs", "hours", "own power per device")
    table.columns[0].no_wrap = True
    for device in devices:
        ratio, power = report.moved.get(device), report.power.get(device)
        hours = "" if ratio is None else f"{100 * (ratio - 1):+.1f} %"
        watts = power and f"{power['measured_power_w']:.0f} W ({power['measured_power_boundary']})"
        table.add_row(device, str(report.runs_of.get(device, 0)), hours, watts or "")
    return table
