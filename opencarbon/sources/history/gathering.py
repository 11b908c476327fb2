"""Files of which all lines together are one run: samples of experiment-impact-tracker.

Energy is the power that the tool attributes to the experiment, times the time since the sample before, as the tool sums
it (``gather_additional_info``) but without its PUE. The time before the first sample is not in the file.

References
----------
experiment-impact-tracker 0.1.8: ``compute_tracker.py``, ``utils.py``, ``gpu/nvidia.py``.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Final

from opencarbon.sources.history.cells import UnreadableCellError, number_of
from opencarbon.sources.history.formats import EVERYWHERE
from opencarbon.sources.history.records import Records
from opencarbon.sources.history.rules import Fault, fault

_TIME: Final = "timestamp"
_DEVICES: Final = "nvidia_estimated_attributable_power_draw"
_PROCESSORS: Final = "rapl_estimated_attributable_power_draw"
_STATES: Final = "per_gpu_performance_state"


def samples(records: Records) -> Records:
    """Make one run of samples.

    Parameters
    ----------
    records : Records
        A row for each sample: ``timestamp`` in seconds since 1970, powers [W], and ``per_gpu_performance_state`` for
        each device in use. The last line may be cut: the tool ends its monitor in the middle of whatever it does.

    Returns
    -------
    Records
        One row: ``timestamp``, the time from the first sample to the last [s]; the power column, its energy [J];
        ``boundary``, server where the draw of the processors is in it, else board; ``first_timestamp``,
        ``last_timestamp``; the number of devices; and our own columns. No row where a sample is unreadable.
    """
    last = max([number for number, _ in records.rows] + [one.row for one in records.faults])
    faults = [one for one in records.faults if one.row != last]
    has_processors = any(row.get(_PROCESSORS) is not None for _, row in records.rows)
    names = (_DEVICES, _PROCESSORS) if has_processors else (_DEVICES,)
    read: list[tuple[float, float]] = []
    for number, row in records.rows:
        sample = _sample(number, row, names)
        if isinstance(sample, Fault):
            faults.append(sample)
        elif read and sample[0] < read[-1][0]:
            wanted = "a time after the one before"
            faults.append(fault("wrong_type", number, None, _TIME, row[_TIME], wanted=wanted))
        else:
            read.append(sample)
    if faults:
        return replace(records, rows=[], faults=faults)
    run: dict[str, object] = {
        _TIME: read[-1][0] - read[0][0],
        _DEVICES: sum((at - before) * watts for (before, _), (at, watts) in pairwise(read)),
        "boundary": "server" if has_processors else "board",
        "first_timestamp": read[0][0],
        "last_timestamp": read[-1][0],
        _STATES: max(_devices_in_use(row.get(_STATES)) for _, row in records.rows) or None,
    }
    for column in EVERYWHERE:
        run[column] = next((row[column] for _, row in records.rows if row.get(column) is not None), None)
    return replace(records, rows=[(0, run)], faults=[])


def _sample(number: int, row: Mapping[str, object], powers: tuple[str, ...]) -> tuple[float, float] | Fault:
    """Time [s] and power [W] of a sample."""
    column = _TIME
    try:
        at, watts = number_of(row.get(_TIME)), 0.0
        for column in powers:
            watts += number_of(row.get(column))
    except UnreadableCellError as problem:
        return fault(problem.code, number, None, column, row.get(column), wanted=problem.wanted)
    return at, watts


def _devices_in_use(states: object) -> int:
    """Number of devices in ``{"0": "P0", "1": "P0"}``, or in the older ``0::P0|1::P0``."""
    if isinstance(states, Mapping):
        return len(states)
    return str(states).count("::") if states else 0
