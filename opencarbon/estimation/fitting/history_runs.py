"""Completed runs of the own fleet as rows of training runs, and how far they move the fits."""

import math
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.estimation.fitting.run_rows import DeviceNames, RunRow
from opencarbon.estimation.hours import fitted_device_hours
from opencarbon.physics.compute import training_flop

OWN_HISTORY: Final = "own-history"
"""Source of every run of the own fleet."""

OWN_FLEET: Final = "own fleet"
"""Organisation of every run of the own fleet, and the first words of its families."""


def from_history(history: pa.Table, known: DeviceNames) -> list[RunRow]:
    """Read the runs of the own fleet.

    Parameters
    ----------
    history : pa.Table
        ``RUN_HISTORY``: hours [h], devices whole ones of the canonical name.
    known : DeviceNames

    Returns
    -------
    list of RunRow
        In an order that does not depend on that of the files. FLOP are those of the log (``reported``), else 6 x active
        parameters x tokens (``counted``), else null. The family is the project, else the file. Hours are ``billed``: a
        log spans all that the run held.
    """
    rows = zip(history.to_pylist(), _counted_flop(history), strict=True)
    return sorted((_run(row, counted, known) for row, counted in rows), key=repr)


def _run(row: Mapping[str, Any], counted_flop: float, known: DeviceNames) -> RunRow:
    flop, basis = row["training_flop"], None
    if flop is not None:
        basis = "reported"
    elif not math.isnan(counted_flop):
        flop, basis = counted_flop, "counted"
    generation, peak = known.facts.get(row["device"], (None, None))
    return RunRow(
        run=f"{OWN_HISTORY}/{_name(row)}",
        model=None,
        family=f"{OWN_FLEET} {row['project'] or _stem(row)}",
        organisation=OWN_FLEET,
        device=row["device"],
        generation=generation,
        peak_tflop_per_s=peak,
        devices=row["device_count"],
        device_hours=row["device_hours"],
        training_flop=flop,
        flop_basis=basis,
        hours_scope="billed",
        source_id=OWN_HISTORY,
        reason=None,
        parameters=row["parameters"],
        active_parameters=row["active_parameters"],
        device_as_given=row["device_as_given"],
    )


def own_runs(runs: pa.Table) -> pa.Table:
    """Runs of the own fleet.

    Parameters
    ----------
    runs : pa.Table
        ``training_runs``.

    Returns
    -------
    pa.Table
    """
    return runs.filter(_is_own(runs))


def without_own_runs(runs: pa.Table) -> pa.Table:
    """Runs that others published.

    Parameters
    ----------
    runs : pa.Table
        ``training_runs``.

    Returns
    -------
    pa.Table
    """
    return runs.filter(pc.invert(_is_own(runs)))


def hours_moved(before: pa.Table, after: pa.Table, devices: pa.Table) -> dict[str, float]:
    """Device-hours of one fit over those of another, for a run of the earlier fit's reference FLOP.

    Parameters
    ----------
    before, after : pa.Table
        ``fact_device_fit``, with and without ``run_id`` alike.
    devices : pa.Table
        ``dim_device``.

    Returns
    -------
    dict of str to float
        Ratio of the central hours, after over before, by device; only devices that both have.
    """
    both = before.filter(pc.is_in(before["device"], value_set=after["device"].combine_chunks()))
    ends = [
        fitted_device_hours(
            fits,
            devices,
            device=both["device"],
            training_flop=both["reference_training_flop"].to_numpy(zero_copy_only=False),
            device_count=np.full(both.num_rows, np.nan),
        )
        for fits in (before, after)
    ]
    ratios = (ends[1].central / ends[0].central).tolist()
    return {str(name): ratio for name, ratio in zip(both["device"].to_pylist(), ratios, strict=True)}


def _is_own(runs: pa.Table) -> pa.BooleanArray:
    return pc.is_in(runs["source_id"], value_set=pa.array([OWN_HISTORY]))


def _counted_flop(history: pa.Table) -> list[float]:
    """FLOP from parameters and tokens; NaN where these are not known."""
    parameters, active, tokens = (
        np.asarray(history[name].to_numpy(zero_copy_only=False), dtype=np.float64)
        for name in ("parameters", "active_parameters", "training_tokens")
    )
    known = np.isfinite(tokens) & (np.isfinite(parameters) | np.isfinite(active))
    flop = np.full(history.num_rows, np.nan)
    flop[known] = training_flop(
        parameters=parameters[known], active_parameters=active[known], training_tokens=tokens[known]
    )
    return [float(value) for value in flop]


def _name(row: Mapping[str, Any]) -> str:
    """The tool's own id; where it has none, file and row, without the folder: moving a log renames no run."""
    by_place = f"{row['manifest']}#{row['row']}"
    name = str(row["run"])
    return name.removesuffix(by_place) + f"{_stem(row)}#{row['row']}" if name.endswith(by_place) else name


def _stem(row: Mapping[str, Any]) -> str:
    return PurePosixPath(str(row["manifest"]).replace("\\", "/")).stem
