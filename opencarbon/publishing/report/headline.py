"""What the report says first: sentences and figures of the whole queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from opencarbon.publishing.numbers import mass, number
from opencarbon.publishing.report.queue import MOVED, Queue
from opencarbon.publishing.report.sections import FLAT, interval

_STANDING: Final = {"potential": "potential", "allocated": "capacity reserved"}

_NO_BASELINE: Final = "A baseline needs current_region, in a zone whose intensity is known."

Rows = Sequence[Mapping[str, Any]]


def headline(
    total: Mapping[str, Any] | None, queue: Queue, regions: Rows, level: str
) -> list[tuple[str, str]]:
    """What the run found, in sentences: what it says, and what is to be known of it."""
    if total is None or total["baseline_kgco2e"] is None:
        return [(f"{number(queue.count)} jobs are planned; none of them has a baseline.", _NO_BASELINE)]
    known = total["jobs"] - total["jobs_without_baseline"]
    planned = f"{number(known)} planned jobs will emit about {mass(total['baseline_kgco2e'])} of CO₂e"
    low_high = interval(total["baseline_low_kgco2e"], total["baseline_high_kgco2e"])
    lines = [
        (
            f"{planned} ({low_high}).",
            f"In brackets {level}intervals; attributed, location-based, of the final runs only.",
        )
    ]
    lines.append(_saving_words(total, regions))
    if total["jobs_without_baseline"]:
        more = total["jobs_without_baseline"]
        words = "has no baseline, and is" if more == 1 else "have no baseline, and are"
        lines.append(("", f"{number(more)} more {words} in none of these sums."))
    kinds = {row["intensity_kind"] for row in regions if row["jobs"]}
    if kinds and kinds <= set(FLAT):
        lines.append(
            ("", "Intensities are annual means, which know no hours: where is answered, when hardly.")
        )
    return lines


def _saving_words(total: Mapping[str, Any], regions: Rows) -> tuple[str, str]:
    if total["saving_status"] == "not_claimed":
        into = sorted(
            (row for row in regions if row["saving_status"] == "not_claimed"),
            key=lambda row: (-(row["shifted_peak_power_mw"] or 0.0), row["region"]),
        )
        loads = ", ".join(
            f"{number(row['shifted_peak_power_mw'], 3)} MW into {row['region']}" for row in into[:3]
        )
        return (
            f"Followed by every job, the advice would leave {mass(total['advised_kgco2e'])}.",
            f"That saving is not claimed as a sum: it would bring {loads}, more than can be thought to be free there; "
            + "give plan.capacities, and the jobs are placed together.",
        )
    saving = f"{mass(total['saving_kgco2e'])} ({interval(total['saving_low_kgco2e'], total['saving_high_kgco2e'])})"
    if total["saving_status"] == "allocated":
        return (
            f"The advice saves {saving}.",
            "The capacity for it is reserved: all jobs can follow at once.",
        )
    return (
        f"The advice could save {saving}.",
        "Potential: each job is advised for itself, and all may not find room at once.",
    )


def highlights(total: Mapping[str, Any] | None, queue: Queue, rejected: int) -> list[tuple[str, str]]:
    """Figures of the whole queue: what each is, and its value."""
    moved = sum(queue.actions.get(action, 0) for action in MOVED)
    values = total or {"baseline_kgco2e": None, "advised_kgco2e": None, "saving_kgco2e": None}
    status = _STANDING.get(str(values.get("saving_status")))
    saving = (
        (f"saving, {status}", mass(values["saving_kgco2e"]))
        if status
        else ("as a sum of savings", "not claimed")
    )
    found = [
        ("CO₂e planned", mass(values["baseline_kgco2e"])),
        ("CO₂e if all advice is followed", mass(values["advised_kgco2e"])),
        saving,
        ("jobs to move or delay", f"{number(moved)} of {number(queue.count)}"),
    ]
    if queue.likely_late:
        found.append(("jobs likely late", number(queue.likely_late)))
    if rejected:
        found.append(("rows rejected", number(rejected)))
    if queue.over_budget:
        found.append(("jobs over budget", number(queue.over_budget)))
    return found
