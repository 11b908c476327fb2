"""Training runs to fit on: every published run, and whether it is evidence of what its device delivers.

Rows of Epoch AI's table, of the catalog and of the own fleet become one table. No row is dropped: one that
takes no part in the fits says why in ``reason``. A run is never left out for the utilisation it implies,
except where that is above the dense peak of its device or so far below that something else is wrong.

Fit and prediction share one convention of FLOP, that of :func:`opencarbon.physics.compute.training_flop`:
6 x parameters at work x tokens, or three times the counted forward pass, nothing for activations that are
computed anew. So what was counted takes the place of what was reported by another convention where the source
gives both for the same work, and of a geometric mean. Two kinds of rows keep the figure they have: a FLOP measured
as throughput x device-hours, which may count recomputation (it cannot be told apart), and one that its hours
were reckoned from, since the other figure would be of other hours.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import pyarrow as pa

from opencarbon.catalog.names import squeeze
from opencarbon.errors import ConfigError
from opencarbon.estimation.fitting.history_runs import from_history
from opencarbon.estimation.fitting.run_families import Families
from opencarbon.estimation.fitting.run_rows import (
    NO_DEVICE,
    SAME_FLOP,
    SEVERAL_DEVICES,
    UNKNOWN_DEVICE,
    UNREADABLE,
    DeviceNames,
    RunRow,
    epoch_order,
    from_catalog,
    from_epoch,
)
from opencarbon.tables.conform import conform
from opencarbon.tables.contracts import PUBLISHED

LEAST_UTILISATION: Final = 0.005
"""Share of the dense peak below which hours, devices or FLOP must be wrong: a row of Epoch AI implies 0.007 %."""

EXCLUDED: Final = "The caller leaves this model out."
NO_HOURS: Final = "The device-hours are not known."
NO_FLOP: Final = "The training FLOP is not known."
ABOVE_PEAK: Final = "The throughput is above the dense peak of the device."
BELOW_LEAST: Final = "The throughput is below half a percent of the dense peak of the device."
ASSUMED: Final = "The FLOP was derived from an assumed utilisation."
GEOMETRIC_MEAN: Final = "The FLOP is a geometric mean, one part of it from an assumed utilisation."
NO_BASIS: Final = "Nothing says how the FLOP is known."
CALENDAR_BOUND: Final = "Only dates, a bound or a guess are known for the hours."
DUPLICATE: Final = "The same run stands in another row."
IN_CATALOG: Final = "The catalog has the run, with its own source."

_SAME_HOURS: Final = math.log(1.02)
_DEVICE_REASONS: Final = frozenset((NO_DEVICE, SEVERAL_DEVICES, UNKNOWN_DEVICE))
_LACKING: Final = frozenset((NO_DEVICE, UNKNOWN_DEVICE, NO_HOURS, NO_FLOP, NO_BASIS))


def training_runs(
    epoch: pa.Table | None,
    published: pa.Table | None,
    *,
    devices: pa.Table,
    device_units: Mapping[str, tuple[str, float]],
    exclude_model: str | None = None,
    history: pa.Table | None = None,
) -> pa.Table:
    """Join the runs into one table that says which of them the fits may use, why not the others.

    Parameters
    ----------
    epoch : pa.Table or None
        Raw rows of Epoch AI's table of models.
    published : pa.Table or None
        The catalog's published runs: run, model, family, organisation, device, devices, wall_hours,
        device_hours, training_flop, flop_basis, hours_scope, source_id. Where both have a run, this row
        stays.
    devices : pa.Table
        Devices of the catalog: device, generation, peak_dense_tflop_per_s [TFLOP/s].
    device_units : mapping of str to (str, float)
        Squeezed spelling of a device or a part of one -> its canonical name, devices per unit.
    exclude_model : str, optional
        Regular expression, searched without regard to case in the model, family and run of every row,
        whatever its source; a row it finds is not used.
    history : pa.Table, optional
        ``RUN_HISTORY``: completed runs of the own fleet. Their ids tell them apart, so none is a duplicate.

    Returns
    -------
    pa.Table
        ``training_runs``, sorted by run; the same for any order of the rows given.

    Raises
    ------
    ConfigError
        Where `exclude_model` is no regular expression.
    ContractError
        Where a row of the catalog breaks the contract.
    """
    excluded = _pattern(exclude_model)
    known = DeviceNames.of(devices, device_units)
    ours = sorted((from_catalog(row, known) for row in _rows(published)), key=lambda run: run.run)
    families = Families.of((run.organisation, run.model, run.family) for run in ours)
    theirs = _named(from_epoch(row, known, families) for row in sorted(_rows(epoch), key=epoch_order))
    judged = [replace(run, reason=_reason(run, excluded)) for run in (*ours, *theirs)]
    own = [] if history is None else _named(from_history(history, known))
    judged_own = [replace(run, reason=_reason(run, excluded)) for run in own]
    return _table((*_without_duplicates(judged, len(ours)), *judged_own))


def counts_by_reason(runs: pa.Table) -> dict[str, int]:
    """Count the rows that take no part in the fits, by reason.

    Parameters
    ----------
    runs : pa.Table
        ``training_runs``.

    Returns
    -------
    dict of str to int
        The most frequent reason first.
    """
    counts = Counter(str(reason) for reason in runs["reason"].to_pylist() if reason is not None)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _pattern(exclude_model: str | None) -> re.Pattern[str] | None:
    if exclude_model is None:
        return None
    try:
        return re.compile(exclude_model, re.IGNORECASE)
    except re.error as problem:
        raise ConfigError(
            f"the models to leave out, {exclude_model!r}, are no regular expression: {problem}; "
            "escape special characters with a backslash"
        ) from None


def _rows(table: pa.Table | None) -> list[dict[str, Any]]:
    return [] if table is None else [dict(row) for row in table.to_pylist()]


def _named(runs: Iterable[RunRow]) -> Iterator[RunRow]:
    """Give runs of the same name numbers, so that the name is a key."""
    seen: Counter[str] = Counter()
    for run in runs:
        seen[run.run] += 1
        number = seen[run.run]
        yield run if number == 1 else replace(run, run=f"{run.run}.{number}")


def _reason(run: RunRow, excluded: re.Pattern[str] | None) -> str | None:
    if excluded and any(excluded.search(name) for name in (run.model, run.family, run.run) if name):
        return EXCLUDED
    if run.reason and (run.reason in _DEVICE_REASONS or run.reason.startswith(UNREADABLE)):
        return run.reason
    if run.device_hours is None:
        return NO_HOURS
    if run.training_flop is None:
        return NO_FLOP
    return run.reason or _implausible(run) or _no_evidence(run)


def _implausible(run: RunRow) -> str | None:
    utilisation = run.utilisation()
    if utilisation > 1.0:
        return ABOVE_PEAK
    return BELOW_LEAST if utilisation < LEAST_UTILISATION else None


def _no_evidence(run: RunRow) -> str | None:
    by_basis = {None: NO_BASIS, "assumed_utilisation": ASSUMED, "geometric_mean": GEOMETRIC_MEAN}
    if run.flop_basis in by_basis:
        return by_basis[run.flop_basis]
    return CALENDAR_BOUND if run.hours_scope == "calendar_bound" else None


def _without_duplicates(runs: list[RunRow], from_catalog: int) -> list[RunRow]:
    # A row of the catalog that only lacks something does not stand in the way of one that has it.
    ours = [run for run in runs[:from_catalog] if run.reason not in _LACKING]
    kept: list[RunRow] = []
    seen: set[tuple[object, ...]] = set()
    for number, run in enumerate(runs):
        reason = run.reason
        if reason is None and number >= from_catalog and any(_same_run(run, other) for other in ours):
            reason = IN_CATALOG
        figures = (run.device_hours or 0.0, run.training_flop or 0.0)
        facts = (squeeze(run.organisation or ""), run.device, *(f"{figure:.3g}" for figure in figures))
        if reason is None and facts in seen:
            reason = DUPLICATE
        if reason is None:
            seen.add(facts)
        kept.append(replace(run, reason=reason))
    return kept


def _same_run(one: RunRow, other: RunRow) -> bool:
    if _names(one.model) & _names(other.model):
        return True
    if not (one.device_hours and other.device_hours and one.training_flop and other.training_flop):
        return False
    return (
        one.generation == other.generation
        and abs(math.log(one.device_hours / other.device_hours)) < _SAME_HOURS
        and abs(math.log(one.training_flop / other.training_flop)) < SAME_FLOP
    )


def _names(model: str | None) -> set[str]:
    """Spellings of a model's name: "PaLM (540B)" is both PaLM 540B and PaLM."""
    whole = model or ""
    return {re.sub(r"[^a-z0-9]", "", text.casefold()) for text in (whole, re.sub(r"\(.*?\)", "", whole))} - {
        ""
    }


def _table(runs: Iterable[RunRow]) -> pa.Table:
    contract = PUBLISHED["training_runs"]
    schema = contract.schema()
    ordered = sorted(runs, key=lambda run: run.run)
    columns = {
        name: [run.reason is None if name == "used" else getattr(run, name) for run in ordered]
        for name in contract.columns
    }
    arrays = [pa.array(columns[name], schema.field(name).type) for name in contract.columns]
    return conform(pa.Table.from_arrays(arrays, schema=schema), contract)
