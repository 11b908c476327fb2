"""A job of a run, as the terminal explains it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from opencarbon.cli.show_parts import (
    print_hours,
    print_sources,
    say,
    short,
    stretch_of,
)
from opencarbon.cli.tables import printable, titled
from opencarbon.pipeline.explain import JobExplanation
from opencarbon.pipeline.explain.job import Step
from opencarbon.publishing.numbers import NOT_KNOWN, mass
from opencarbon.publishing.words import ACTIONS, moment
from opencarbon.sources.places import Place

_WHY: Final = {
    "running": "it runs already: it is estimated and not planned",
    "fixed_intensity": "it brings its own carbon intensity: it is estimated and not planned",
    "no_intensity": "no place that it may take has a known carbon intensity",
    "no_capacity": "no place that it may take was free",
    "infeasible": "no place lets it meet its deadline: move the deadline, or give it more devices",
    "deadline_passed": "its deadline is past",
    "tight": "it meets its deadline by its central estimate, not by the upper end",
}


def print_job(console: Console, run: Place, name: str, told: JobExplanation) -> None:
    """Print the way from the work of a job to its emissions, and what is advised instead."""
    for row in told.rejected:
        say(
            console,
            f"{name} was rejected: {row['manifest']}, row {row['row']}: {row['reason']}; {row['remedy']}",
        )
    if not told.job:
        return
    job = told.job
    owner = ", ".join(f"{what} {job[what]}" for what in ("model", "team", "project") if job[what])
    say(console, f"{name}{': ' if owner else ''}{owner}", style="bold")
    say(console, f"run {run.name}; {job['manifest']}, row {job['row']}")
    start = moment(job["baseline_start_utc"])
    place = job["baseline_region"] or "no region"
    say(console, f"planned: {job['device_count']:g} x {job['device']} in {place} from {start}")
    _print_steps(console, told.steps)
    if job["widest_part"]:
        say(console, f"least known of the operational emissions: {job['widest_part']}")
    stretch = stretch_of(job["baseline_start_utc"], job["wall_hours"])
    print_hours(console, "planned", told.hours, stretch, job["intensity_kind"], "hours used")
    _print_advice(console, told)
    print_sources(console, [step.source for step in told.steps if step.source])
    if told.fit_runs:
        runs = "; ".join(f"{row['model']} ({row['device_hours']:,.0f} device-hours)" for row in told.fit_runs)
        say(console, f"runs on {job['device']} behind its throughput, the nearest in FLOP first: {runs}")


def _print_steps(console: Console, steps: Sequence[Step]) -> None:
    """A line for each figure with its interval, and one below for what it was made from."""
    say(console, "")
    names = max(len(step.name) for step in steps)
    values = max(len(short(step.value)) for step in steps)
    for step in steps:
        interval = (
            "" if step.low is None or step.high is None else f"  ({short(step.low)} to {short(step.high)})"
        )
        say(console, f"{step.name:<{names}}  {short(step.value):>{values}}{interval}")
        if step.how:
            say(console, f"    = {step.how}", style="dim")
    say(console, "")


def _print_advice(console: Console, told: JobExplanation) -> None:
    job = told.job
    action = ACTIONS[job["action"]]
    why = _WHY.get(job["plan_status"])
    say(console, "")
    if job["advised_region"] is None:
        say(console, f"advice: {action}" + (f"; {why}" if why else ""), style="bold")
        return
    say(
        console,
        f"advice: {action}, {job['advised_region']} from {moment(job['advised_start_utc'])}",
        style="bold",
    )
    if job["saving_kgco2e"] is None:
        say(console, f"no saving can be told: the baseline is {job['baseline_status'].replace('_', ' ')}")
    else:
        low_high = f"{mass(job['saving_low_kgco2e'])} to {mass(job['saving_high_kgco2e'])}"
        status = job["saving_status"].replace("_", " ")
        say(
            console,
            f"saves {mass(job['saving_kgco2e'])} ({low_high}) of CO2e, {job['saving_pct']:.0f} %, {status}",
        )
    late = NOT_KNOWN if job["deadline_risk"] is None else f"{100 * job['deadline_risk']:.0f} %"
    finish = f"finishes {moment(job['advised_finish_utc'])}"
    say(
        console,
        f"{finish}, by the upper end {moment(job['advised_finish_high_utc'])}; late {late}{f'; {why}' if why else ''}",
    )
    if job["carbon_budget_kgco2e"] is not None:
        say(console, f"budget {mass(job['carbon_budget_kgco2e'])}: {job['budget_status']}")
    console.print(_places(told.places))
    stretches = [(row["start_utc"], row["finish_utc"]) for row in told.segments]
    stretches = stretches or [(job["advised_start_utc"], job["advised_finish_utc"])]
    kind = next((row["intensity_kind"] for row in told.places if row["is_advised"]), None)
    print_hours(console, "advised", told.advised_hours, stretches, kind, "hours used")


def _places(places: Sequence[Mapping[str, Any]]) -> Table:
    table = titled("Places it could take", style="bold")
    for heading in ("", "region", "start (UTC)", "gCO2e/kWh", "data", "total", "saves"):
        table.add_column(
            heading, justify="right" if heading in ("gCO2e/kWh", "total", "saves") else "left", no_wrap=True
        )
    for row in places:
        table.add_row(
            f"{row['rank']}{'*' if row['is_advised'] else ''}",
            printable(row["region"]),
            moment(row["start_utc"]),
            short(row["carbon_intensity_gco2e_per_kwh"]),
            row["intensity_kind"] or NOT_KNOWN,
            mass(row["total_kgco2e"]),
            mass(row["saving_kgco2e"]),
        )
    return table
