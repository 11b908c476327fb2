"""The jobs of a report as data that stand inside the page: small, and safe wherever a name puts them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from opencarbon.publishing.numbers import rounded
from opencarbon.publishing.words import ACTIONS

LARGEST_BYTES: Final = 1_500_000
"""Of the data of all jobs: the page stays below 2 MB."""
_CODED: Final = (
    *("team", "project", "model", "device", "action", "baseline_region", "advised_region"),
    *("plan_status", "status"),
)
"""Columns of few values, which are listed once."""
_MASSES: Final = (
    *("total_kgco2e", "advised_total_kgco2e", "saving_kgco2e", "saving_low_kgco2e", "saving_high_kgco2e"),
)
_DIGITS: Final = 6
"""Twice those shown: rounded again, they seldom differ from what is rounded once."""
_ESCAPED: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
"""What could end a script element, or a line of JavaScript."""


def jobs_data(jobs: Sequence[Mapping[str, Any]], as_of_utc: datetime) -> tuple[str, int]:
    """Jobs as JSON for the script of the page.

    Parameters
    ----------
    jobs : sequence of mapping
        The greatest planned emissions first.
    as_of_utc : datetime
        Starts are minutes from here.

    Returns
    -------
    json : str
        No longer than ``LARGEST_BYTES``; without a character that could end a script element.
    count : int
        Jobs in it, which are fewer than given where their names are long.
    """
    names: dict[str, dict[str, int]] = {column: {} for column in _CODED}
    rows: list[str] = []
    used = 0
    for job in jobs:
        row = _dumped(_row(job, names, as_of_utc))
        used += len(row.encode()) + 1
        if used > LARGEST_BYTES - sum(len(name.encode()) + 3 for codes in names.values() for name in codes):
            break
        rows.append(row)
    listed = {column: list(codes) for column, codes in names.items()}
    head = {"asOf": f"{as_of_utc:%Y-%m-%dT%H:%M:%SZ}", "names": listed, "actions": ACTIONS}
    return f'{_dumped(head)[:-1]},"rows":[{",".join(rows)}]}}', len(rows)


def _row(job: Mapping[str, Any], names: Mapping[str, dict[str, int]], as_of_utc: datetime) -> list[Any]:
    start = job["advised_start_utc"]
    return [
        job["job_id"],
        *(_code(job[column], names[column]) for column in _CODED),
        job["device_count"],
        None if start is None else (start - as_of_utc) // timedelta(minutes=1),
        *(_short(job[column]) for column in _MASSES),
        None if job["deadline_risk"] is None else round(100 * job["deadline_risk"]),
    ]


def _code(name: str | None, codes: dict[str, int]) -> int | None:
    return None if name is None else codes.setdefault(name, len(codes))


def _short(value: float | None) -> float | int | None:
    if value is None:
        return None
    short = rounded(value, _DIGITS)
    return int(short) if short == int(short) else short


def _dumped(content: object) -> str:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character, escaped in _ESCAPED.items():
        text = text.replace(character, escaped)
    return text
