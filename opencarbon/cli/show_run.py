"""A run, as the terminal explains it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from opencarbon.cli.show_parts import interval, say
from opencarbon.cli.tables import printable, titled
from opencarbon.pipeline.explain import RunExplanation
from opencarbon.publishing.numbers import mass
from opencarbon.publishing.words import ACTIONS

_TOTALS_SHOWN: Final = 12


def print_run(console: Console, told: RunExplanation) -> None:
    """Print what a run found, read and rests on."""
    about, record, total = told.about, told.record, told.summary.total
    say(console, f"run {about['run_id']}, as of {about['as_of_utc']:%Y-%m-%d %H:%M} UTC", style="bold")
    say(
        console,
        f"opencarbon {about['version']}, profile {about['profile']}, {about['emission_factor_type']} factors, {about['accounting_basis']}",
    )
    if total.get("baseline_kgco2e") is not None:
        planned, advised = (interval(total, name) for name in ("baseline", "advised"))
        say(console, f"planned {planned} of CO2e; if all advice is followed {advised}")
        status = str(total["saving_status"]).replace("_", " ")
        saving = status if total["saving_kgco2e"] is None else f"{interval(total, 'saving')}, {status}"
        say(console, f"saving {saving}")
    actions = ", ".join(f"{count:,} {ACTIONS[name]}" for name, count in sorted(told.summary.actions.items()))
    say(
        console,
        f"{about['jobs_read']:,} rows read, {about['jobs_rejected']:,} rejected; {actions or 'no job'}",
    )
    for scope in ("team", "region"):
        rows = [row for row in told.totals if row["scope"] == scope]
        if rows:
            console.print(_totals(scope, rows))
    for line in _degraded(told.events):
        say(console, line)
    size = sum(table["bytes"] for table in record["tables"].values())
    rows = sum(table["rows"] for table in record["tables"].values())
    documents = ", ".join(record.get("documents", {})) or "none"
    say(
        console,
        f"{len(record['tables'])} tables, {rows:,} rows, {size / 1e6:,.1f} MB; documents: {documents}",
    )
    say(console, f"inputs sha256 {about['inputs_sha256']}")
    durations = (record.get("facts") or {}).get("durations_s") or {}
    if durations:
        say(console, "took " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in durations.items()))


def _totals(scope: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    ordered = sorted(rows, key=lambda row: -(row["baseline_kgco2e"] or 0.0))
    more = f": the greatest {_TOTALS_SHOWN} of {len(rows)}" if len(rows) > _TOTALS_SHOWN else ""
    table = titled(f"By {scope}{more}", style="bold")
    for heading in (scope, "jobs", "planned", "if advised", "saving"):
        table.add_column(heading, justify="left" if heading == scope else "right", no_wrap=True)
    for row in ordered[:_TOTALS_SHOWN]:
        saving = "not claimed" if row["saving_status"] == "not_claimed" else mass(row["saving_kgco2e"])
        table.add_row(
            printable(row["scope_value"]),
            f"{row['jobs']:,}",
            mass(row["baseline_kgco2e"]),
            mass(row["advised_kgco2e"]),
            saving,
        )
    return table


def _degraded(events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    kinds: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for event in events:
        if event["severity"] != "info":
            kinds.setdefault((event["severity"], event["code"]), []).append(event)
    for (severity, _), found in sorted(kinds.items()):
        more = f" (and {len(found) - 1} more like it)" if len(found) > 1 else ""
        yield f"{severity}: {found[0]['detail']}{more}"
