"""What a refit changes, in a terminal and as JSON."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from opencarbon.cli.tables import printable
from opencarbon.estimation.fitting.fit_changes import FitChange

_LITTLE: Final = math.log(1.005)
"""Devices whose hours moved by less than half a percent are counted, not listed."""

_ORDER: Final = ("held", "accepted", "first", "gone", "moved", "kept")
_WORDS: Final = {
    "held": "held: beyond the limits, the previous fit stays",
    "accepted": "accepted",
    "first": "no earlier fit",
    "gone": "in the catalog no more",
    "moved": "within the limits",
    "kept": "unchanged",
}


def print_changes(console: Console, changes: Sequence[FitChange]) -> None:
    """Print what a refit changes, by device: what is held first, then what moves farthest.

    Parameters
    ----------
    console : Console
    changes : sequence of FitChange
    """
    listed = sorted((one for one in changes if not _is_small(one)), key=_place)
    if listed:
        table = Table("device", "hours before", "after", "change", "runs", "refit")
        table.columns[0].no_wrap = True
        for one in listed:
            ratio = _ratio(one)
            change = "" if ratio is None else f"{100 * (ratio - 1):+,.1f} %"
            runs = f"{_number(one.runs_before)} to {_number(one.runs_after)}"
            hours = (_number(one.hours_before), _number(one.hours_after))
            table.add_row(printable(one.device), *hours, change, runs, _WORDS[one.state])
        console.print(table)
    counts = Counter(one.state for one in changes)
    said = ", ".join(f"{counts[state]} {state}" for state in _ORDER if counts[state])
    console.print(f"against the earlier fits: {said}")


def changes_json(changes: Sequence[FitChange]) -> list[dict[str, Any]]:
    """What a refit changes, as plain values.

    Parameters
    ----------
    changes : sequence of FitChange

    Returns
    -------
    list of dict
        Hours in device-hours for ``training_flop``; ``hours_ratio`` is after over before.
    """
    return [
        {
            "device": one.device,
            "state": one.state,
            "training_flop": one.training_flop,
            "hours_before": one.hours_before,
            "hours_after": one.hours_after,
            "hours_ratio": _ratio(one),
            "runs_before": one.runs_before,
            "runs_after": one.runs_after,
        }
        for one in changes
    ]


def _ratio(change: FitChange) -> float | None:
    if change.hours_before is None or change.hours_after is None:
        return None
    return change.hours_after / change.hours_before


def _is_small(change: FitChange) -> bool:
    ratio = _ratio(change)
    return change.state in ("kept", "moved") and ratio is not None and abs(math.log(ratio)) < _LITTLE


def _place(change: FitChange) -> tuple[int, float, str]:
    return _ORDER.index(change.state), -abs(math.log(_ratio(change) or 1.0)), change.device


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"
