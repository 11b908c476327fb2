"""A region or a zone of a run, as the terminal explains it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from opencarbon.cli.show_parts import (
    print_hours,
    print_sources,
    say,
    short,
)
from opencarbon.cli.tables import printable, titled
from opencarbon.pipeline.explain import RegionExplanation
from opencarbon.publishing.numbers import NOT_KNOWN, mass
from opencarbon.publishing.words import ACTIONS, moment
from opencarbon.sources.places import Place


def print_region(console: Console, run: Place, told: RegionExplanation) -> None:
    """Print how clean a region or a zone is, when, from which data, and what is advised there."""
    zone = told.zone
    where = f"zone {zone['zone']}, {zone['name']}" if zone else "in no known zone"
    say(console, f"{told.name}: {where}", style="bold")
    say(console, f"run {run.name}")
    if zone and zone["annual_carbon_intensity_gco2e_per_kwh"] is not None:
        annual = short(zone["annual_carbon_intensity_gco2e_per_kwh"])
        say(console, f"annual mean {annual} gCO2e/kWh ({zone['annual_year']})")
    for row in told.regions:
        say(console, _region_line(row))
    windows = [
        (row["best_window_start_utc"], row["best_window_finish_utc"])
        for row in told.regions[:1]
        if row.get("best_window_start_utc")
    ]
    kind = next((row.get("intensity_kind") for row in told.regions), None)
    print_hours(console, "coming hours", told.hours, windows, kind, "the cleanest window")
    if told.jobs:
        table = titled("The largest jobs that are advised there", style="bold")
        for heading in ("job", "do", "start (UTC)", "total", "saves"):
            table.add_column(
                heading, justify="right" if heading in ("total", "saves") else "left", no_wrap=True
            )
        for job in told.jobs:
            action = ACTIONS[job["action"]]
            cells = (
                moment(job["advised_start_utc"]),
                mass(job["advised_total_kgco2e"]),
                mass(job["saving_kgco2e"]),
            )
            table.add_row(printable(job["job_id"]), action, *cells)
        console.print(table)
    else:
        say(console, "no job is advised there")
    print_sources(console, told.sources)


def _region_line(row: Mapping[str, Any]) -> str:
    pue = NOT_KNOWN if row["pue"] is None else f"{row['pue']:g} ({row['pue_status']})"
    other = f"; sources disagree on its zone: {row['alternative_zone']}" if row["alternative_zone"] else ""
    if row.get("rank") is None:
        return f"{row['region']}: PUE {pue}{other}"
    mean = short(row["carbon_intensity_next_72h_gco2e_per_kwh"])
    load = f"{row['jobs']} jobs, {short(row['peak_power_mw'])} MW at most"
    return (
        f"{row['region']}: PUE {pue}; next 72 h {mean} gCO2e/kWh from {row['intensity_kind']} data, rank {row['rank']} among "
        f"these; advised there {load}, saving {mass(row['saving_kgco2e'])} ({row['saving_status'].replace('_', ' ')}){other}"
    )
