"""Rules that the row of a run history must keep, and what is said where one breaks them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from opencarbon.sources.manifests.names import shown
from opencarbon.sources.manifests.rules import BOUNDS, Bounds, Rule

MOST_KW_PER_DEVICE: Final = 1.5
"""Most mean power of one device with its share of the host [kW]: above every accelerator's design power (the greatest in
the catalog, a GB200's, is 1.2 kW). More means another unit, or more devices than said."""

FIELD_BOUNDS: Final[Mapping[str, Bounds]] = {
    "wall_hours": BOUNDS["wall_hours"],
    "device_count": BOUNDS["device_count"],
    "energy_kwh": Bounds(0, 1e12, excludes_least=True),
    "pue": Bounds(1, 3),
    "training_flop": BOUNDS["training_flop"],
    "parameters": BOUNDS["parameters"],
    "active_parameters": BOUNDS["active_parameters"],
    "training_tokens": BOUNDS["training_tokens"],
}
"""Bounds of the numbers of a run, in our units; ``pue`` is bounded as in :mod:`opencarbon.tables.columns`."""

RULES: Final[Mapping[str, Rule]] = {
    "unread_file": Rule(
        "the file is not read: {words}",
        "give logs of runs only; where it is one, write it again, or add the column that it lacks",
    ),
    "cut_row": Rule(
        "the row is damaged: {words}", "write the file again if it was cut short; the rows before it are read"
    ),
    "missing": Rule("{column} is missing", "leave the run out, or add its {column}"),
    "wrong_type": Rule("{column} {value} is not read as {wanted}", "write {column} as {wanted}"),
    "out_of_range": Rule(
        "{column} {value} comes to {amount:.6g} {unit}, which is not {bounds}",
        "leave the run out, or correct its {column}",
    ),
    "naive_timestamp": Rule(
        "{column} {value} has no offset from UTC",
        "append Z or an offset such as +01:00, or leave {column} out",
    ),
    "time_out_of_range": Rule("{column} {value} is not between 1970 and 2200", "check the unit of {column}"),
    "finish_before_start": Rule(
        "{column} {value} is not after the start of the run", "correct one of the two, or leave one null"
    ),
    "not_completed": Rule(
        "the run is {value}, and only completed runs say what a run takes", "nothing, unless it did complete"
    ),
    "part_of_run": Rule(
        "the row is a part of a run ({column} {value}) that the log of whole runs holds too",
        "give the log of whole runs",
    ),
    "no_device": Rule(
        "{column} {value} names no accelerator",
        "nothing for a run without one; else add a column device with its name, and device_count",
    ),
    "mixed_devices": Rule(
        "the run used devices of several kinds: {value}",
        "nothing: its hours and energy belong to no one device",
    ),
    "unknown_device": Rule(
        "device {value} is not in the catalog{hint}",
        "use a name or an alias of the catalog, or add the device in a file that the setting devices names",
    ),
    "unknown_boundary": Rule(
        "{column} {value} is none of chip, board, server",
        "write what the energy includes: chip, board or server",
    ),
    "active_above_all": Rule(
        "active_parameters {value} is above parameters {total:.15g}",
        "give the parameters that work on one token, or leave active_parameters null for a dense model",
    ),
    "implausible_power": Rule(
        f"{{column}} {{value}} comes to {{kilowatts:.3g}} kW for each device, above {MOST_KW_PER_DEVICE:g} kW",
        "check the unit of the energy, and whether all devices are counted",
    ),
    "spoilt_run": Rule(
        "another row of the run is rejected, so its sums are not known",
        "correct that row, or leave the run out",
    ),
    "repeated_run": Rule(
        "run {value} stands also in {other_file}, row {other_row}, with as many hours or more",
        "nothing if this is a copy or an earlier state of it; else give every run its own id",
    ),
}
"""Code of a rule -> what is said where a row breaks it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule that a row breaks, in the words of ``REJECTED_ROWS``.

    Parameters
    ----------
    row : int
        Row of the file, from 0.
    run : str or None
        The run, where it is known.
    column : str
        Column at fault, as the tool spells it.
    value : str or None
        What stands there.
    code : str
        One of :data:`RULES`.
    reason, remedy : str
    """

    row: int
    run: str | None
    column: str
    value: str | None
    code: str
    reason: str
    remedy: str


def fault(code: str, row: int, run: str | None, column: str, value: object, **words: str | float) -> Fault:
    """Say that a row breaks a rule.

    Parameters
    ----------
    code : str
        One of :data:`RULES`.
    row : int
    run : str or None
    column : str
    value : object
        What stands there; None where nothing does.
    **words : str or float
        What the sentences of the rule take beside column and value.

    Returns
    -------
    Fault
    """
    text = None if value is None else shown(value)
    said = {"column": column, "value": repr(text) if isinstance(value, str) else text or "", **words}
    rule = RULES[code]
    return Fault(row, run, column, text, code, rule.reason.format_map(said), rule.remedy.format_map(said))
