"""Sums over jobs with honest intervals: errors are shared within a device and within a zone, independent otherwise.

A batch gives partial sums; partial sums of any number of batches add up to the totals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.estimation.arrow_columns import number, text
from opencarbon.estimation.claims import NOT_CLAIMED, Claims, puts_there
from opencarbon.estimation.grid.curves import PlanningCurves
from opencarbon.estimation.jobs import JobEstimates
from opencarbon.estimation.planning.advice import Advice
from opencarbon.estimation.region_columns import Regions
from opencarbon.estimation.running_sums import sums_by_key

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]

WHOLE_RUN: Final = "all jobs"
"""The value of the scope ``run``."""

BUDGET_SCOPES: Final = ("run", "team")
"""Scopes that may have a budget."""

_QUANTITIES: Final = ("baseline", "advised", "saving")
_KEYS: Final = ("scope", "scope_value")


class _Labels(NamedTuple):
    """A label of every job: codes into names, negative where a job has none."""

    codes: Integers
    names: Objects


class _Error(NamedTuple):
    """Half-widths of a quantity that add up among jobs of one label: of logarithms times emissions, or of the saving."""

    quantity: str
    shared_with: str
    up: Floats
    down: Floats


def partial_totals(
    estimates: JobEstimates, advice: Advice, regions: Regions, curves: PlanningCurves
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Partial sums of a batch of jobs.

    Parameters
    ----------
    estimates : JobEstimates
    advice : Advice
    regions : Regions
    curves : PlanningCurves

    Returns
    -------
    sums : pa.Table
        scope, scope_value, jobs, jobs_without_baseline, the three quantities [kgCO2e], and the advised emissions of
        all jobs of which they are known, with their number.
    errors : pa.Table
        scope, scope_value, quantity, shared_with, up, down: half-widths that add linearly within ``shared_with``, of
        the logarithm times the emissions for sums and of the saving itself [kgCO2e].
    places : pa.Table
        scope, scope_value, region: where the advice puts jobs whose savings are in the sums.
    """
    known = np.isfinite(advice.advised_total_kgco2e)
    counted = np.isfinite(advice.baseline_total_kgco2e) & np.isfinite(advice.advised_total_kgco2e)
    values = {
        "jobs_without_baseline": (~counted).astype(np.float64),
        "baseline": np.where(counted, advice.baseline_total_kgco2e, 0.0),
        "advised": np.where(counted, advice.advised_total_kgco2e, 0.0),
        "saving": np.where(counted, advice.saving_kgco2e, 0.0),
        "baseline_operational": np.where(counted, estimates.operational_kgco2e, 0.0),
        "advised_operational": np.where(counted, advice.advised_operational_kgco2e, 0.0),
        "advised_all_jobs": np.where(known, advice.advised_total_kgco2e, 0.0),
        "advised_known": known.astype(np.float64),
    }
    scopes = _scopes(estimates, regions)
    shared = _shared(estimates, advice, regions, curves)
    errors = _errors(estimates, advice)
    sums = [_sums(scope, labels, values) for scope, labels in scopes.items()]
    parts = [
        part
        for scope, labels in scopes.items()
        for name in shared
        for part in _shared_errors(
            scope, labels, shared[name], [error for error in errors if error.shared_with == name], counted
        )
    ]
    put = np.where(puts_there(estimates, advice) & counted, advice.region, -1)
    places = [_places(scope, labels, put, regions) for scope, labels in scopes.items()]
    return pa.concat_tables(sums), pa.concat_tables(parts), pa.concat_tables(places)


def totals(
    sums: Iterable[pa.Table],
    errors: Iterable[pa.Table],
    places: Iterable[pa.Table],
    claims: Claims,
    budgets: Mapping[tuple[str, str], float],
) -> pa.Table:
    """``fact_total`` from the partial sums of all batches, without ``run_id``.

    Parameters
    ----------
    sums, errors, places : iterable of pa.Table
        What :func:`partial_totals` gave, in the order of the batches.
    claims : Claims
        Sums with savings of jobs that the advice puts into one of its unclaimed regions have no saving.
    budgets : mapping
        Most that a scope of :data:`BUDGET_SCOPES` and its value may emit [kgCO2e].

    Returns
    -------
    pa.Table
    """
    total = sums_by_key(sums, _KEYS)
    linear = sums_by_key(errors, (*_KEYS, "quantity", "shared_with"))
    width = (linear**2).groupby([*_KEYS, "quantity"]).sum() ** 0.5
    columns: dict[str, pa.Array[Any]] = {
        name: pa.array(total.index.get_level_values(name), pa.string()) for name in _KEYS
    }
    columns |= {name: pa.array(total[name], pa.int64()) for name in ("jobs", "jobs_without_baseline")}
    known = (total["jobs"] > total["jobs_without_baseline"]).to_numpy()
    unclaimed = known & _touches(total.index, places, claims.unclaimed)
    for quantity in _QUANTITIES:
        of_quantity = width[width.index.get_level_values("quantity") == quantity].droplevel("quantity")
        up, down = (
            np.asarray(of_quantity[end].reindex(total.index, fill_value=0.0), dtype=np.float64)
            for end in ("up", "down")
        )
        central = np.asarray(total[quantity], dtype=np.float64)
        if quantity == "saving":
            low, high = central - down, central + up
        else:
            operational = np.asarray(total[f"{quantity}_operational"], dtype=np.float64)
            scale = np.where(operational > 0, operational, 1.0)
            low = central + operational * np.expm1(-down / scale)
            high = central + operational * np.expm1(up / scale)
        shown = known & ~unclaimed if quantity == "saving" else known
        for name, values in ((quantity, central), (f"{quantity}_low", low), (f"{quantity}_high", high)):
            columns[f"{name}_kgco2e"] = number(np.where(shown, values, np.nan))
    status = np.full(len(total), claims.saving_status, dtype=object)
    status[unclaimed], status[~known] = NOT_CLAIMED, None
    return pa.table(columns | {"saving_status": text(status)} | _budgets(total, budgets))


def _touches(index: pd.Index[Any], places: Iterable[pa.Table], unclaimed: frozenset[str]) -> Flags:
    """Whether a sum holds the saving of a job that is put into an unclaimed region."""
    regions = pa.array(sorted(unclaimed), pa.string())
    there = {
        (row["scope"], row["scope_value"])
        for table in places
        for row in table.filter(pc.is_in(table["region"], value_set=regions)).to_pylist()
    }
    return np.array([key in there for key in index], dtype=bool)


def _budgets(total: pd.DataFrame, budgets: Mapping[tuple[str, str], float]) -> dict[str, pa.Array[Any]]:
    """What is held against budgets, the budgets, and whether they are kept; null where there can be none."""
    advised = np.where(total["advised_known"] > 0, total["advised_all_jobs"], np.nan)
    budget = np.array([budgets.get((str(scope), str(value)), np.nan) for scope, value in total.index])
    may = np.array([scope in BUDGET_SCOPES for scope, _ in total.index], dtype=bool)
    status = np.full(len(total), "no_budget", dtype=object)
    has = np.isfinite(budget)
    status[has] = np.where(advised > budget, "over", "within")[has]
    status[~may | (has & np.isnan(advised))] = None
    return {
        "advised_all_jobs_kgco2e": number(advised),
        "budget_kgco2e": number(budget),
        "budget_status": text(status),
    }


def _scopes(estimates: JobEstimates, regions: Regions) -> dict[str, _Labels]:
    jobs = estimates.jobs
    return {
        "run": _Labels(np.zeros(jobs.num_rows, dtype=np.int64), np.array([WHOLE_RUN], dtype=object)),
        "team": _labels(jobs["team"]),
        "project": _labels(jobs["project"]),
        "region": _Labels(estimates.baseline.region, regions.names),
        "device": _labels(jobs["device"]),
    }


def _shared(
    estimates: JobEstimates, advice: Advice, regions: Regions, curves: PlanningCurves
) -> dict[str, _Labels]:
    """What errors are shared with: the device, the zone left and the zone taken."""
    nowhere = len(curves.zones)

    def of_region(region: Integers, prefix: str) -> _Labels:
        names = np.array([f"{prefix} {zone}" for zone in (*curves.zones, "nowhere")], dtype=object)
        return _Labels(np.where(region >= 0, regions.zone[region], nowhere), names)

    home = estimates.baseline.region
    return {
        "device": _labels(estimates.jobs["device"]),
        "from": of_region(home, "from"),
        "to": of_region(np.where(advice.advised, advice.region, home), "to"),
    }


def _labels(column: pa.ChunkedArray[Any]) -> _Labels:
    encoded = column.combine_chunks().dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return _Labels(codes.astype(np.int64), np.array(encoded.dictionary.to_pylist(), dtype=object))


def _errors(estimates: JobEstimates, advice: Advice) -> list[_Error]:
    work, power = estimates.work, estimates.power
    up, down = np.hypot(work.up, power.up), np.hypot(work.down, power.down)
    own, other = estimates.operational_kgco2e, advice.advised_operational_kgco2e
    place, place_there = own * estimates.place_width, other * advice.advised_place_width
    saved_from, saved_to = (
        estimates.z * sd for sd in (advice.saving_from_sd_kgco2e, advice.saving_to_sd_kgco2e)
    )
    return [
        _Error("baseline", "device", own * up, own * down),
        _Error("baseline", "from", place, place),
        _Error("advised", "device", other * up, other * down),
        _Error("advised", "to", place_there, place_there),
        _Error("saving", "from", saved_from, saved_from),
        _Error("saving", "to", saved_to, saved_to),
    ]


def _sums(scope: str, labels: _Labels, values: dict[str, Floats]) -> pa.Table:
    inside = labels.codes >= 0
    codes, names = labels.codes[inside], labels.names
    jobs = np.bincount(codes, minlength=len(names))
    there = np.flatnonzero(jobs)
    columns: dict[str, pa.Array[Any]] = {
        "scope": pa.repeat(scope, len(there)),
        "scope_value": pa.array(names[there], pa.string()),
        "jobs": pa.array(jobs[there], pa.int64()),
    }
    for name, value in values.items():
        columns[name] = pa.array(np.bincount(codes, value[inside], minlength=len(names))[there], pa.float64())
    return pa.table(columns)


def _places(scope: str, labels: _Labels, region: Integers, regions: Regions) -> pa.Table:
    """Each label with each region that some job of it is put into, once."""
    there = (labels.codes >= 0) & (region >= 0)
    pairs = np.unique(labels.codes[there] * len(regions.names) + region[there])
    value, place = np.divmod(pairs, len(regions.names))
    return pa.table(
        {
            "scope": pa.repeat(scope, len(pairs)),
            "scope_value": pa.array(labels.names[value], pa.string()),
            "region": pa.array(regions.names[place], pa.string()),
        }
    )


def _shared_errors(
    scope: str, labels: _Labels, shared: _Labels, errors: list[_Error], counted: Flags
) -> Iterator[pa.Table]:
    inside = counted & (labels.codes >= 0)
    keys = labels.codes[inside] * len(shared.names) + shared.codes[inside]
    codes, distinct = pd.factorize(keys)
    value, with_whom = np.divmod(distinct, max(len(shared.names), 1))
    for error in errors:
        widths = {
            end: np.bincount(codes, half[inside], minlength=len(distinct))
            for end, half in (("up", error.up), ("down", error.down))
        }
        yield pa.table(
            {
                "scope": pa.repeat(scope, len(distinct)),
                "scope_value": pa.array(labels.names[value], pa.string()),
                "quantity": pa.repeat(error.quantity, len(distinct)),
                "shared_with": pa.array(shared.names[with_whom], pa.string()),
                **{end: pa.array(width, pa.float64()) for end, width in widths.items()},
            }
        )
