"""One allocation over the whole queue of a night, where capacities are given."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from opencarbon.catalog import Catalog
from opencarbon.estimation.allocation.places import last_start
from opencarbon.estimation.allocation.queue import Queue, Supply
from opencarbon.estimation.allocation.request import ask, queue_of, terrain_of
from opencarbon.estimation.allocation.solution import Allocation, allocate
from opencarbon.estimation.allocation.supply import hours_needed, supply_of
from opencarbon.estimation.claims import ALLOCATED, POTENTIAL
from opencarbon.estimation.planning.candidates import transfer_kgco2e
from opencarbon.estimation.planning.windows import windows_of_jobs
from opencarbon.estimation.work import texts
from opencarbon.pipeline.context import CAPACITIES, Context, load_context
from opencarbon.pipeline.jobs import PLANNED
from opencarbon.pipeline.night import Night
from opencarbon.pipeline.partition import ASSIGNED, STRETCHES, estimate_batch
from opencarbon.pipeline.work import for_each, read_arrow, read_part, read_parts, write_arrow, write_part
from opencarbon.settings import Settings
from opencarbon.sources.capacities import read_capacities
from opencarbon.sources.places import Place
from opencarbon.tables.events import Event

Integers = npt.NDArray[np.int64]

ALLOCATION: Final = "allocation"
"""Code of the event that says what came of it."""

ASKED: Final = "asked"
"""Part of the work folder with what the jobs of each partition ask for."""

_CAPACITY: Final = "capacity_hours.arrow"
"""File of the work folder with what is free by region, device and hour."""

_METHODS: Final = {
    "exact": "solved by HiGHS",
    "improved": "placed at prices and improved by HiGHS",
    "heuristic": "placed at prices, job by job",
}

_NAMED: Final = 5
"""Regions that an event names one by one."""


def saving_status(settings: Settings) -> str:
    """Whether the savings of a night are allocated or potential.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    str
    """
    return ALLOCATED if settings.plan.capacities else POTENTIAL


def keep_capacities(work: Place, settings: Settings, catalog: Catalog) -> None:
    """Put what is free into the work folder, where it is given.

    Parameters
    ----------
    work : Place
    settings : Settings
    catalog : Catalog

    Raises
    ------
    ConfigError
        A file that cannot be used.
    """
    if settings.plan.capacities:
        capacities = read_capacities(
            settings.plan.capacities, regions=catalog.region_names(), device_units=catalog.device_units
        )
        write_arrow(work / CAPACITIES, capacities)


def allocate_partitions(night: Night, partitions: int) -> tuple[Event, ...]:
    """Give every job of a night a place, and keep them for the partitions.

    Running jobs, and others that are not planned, take nothing here: capacity is what is free for the queue.

    Parameters
    ----------
    night : Night
        With capacities in its work folder.
    partitions : int

    Returns
    -------
    tuple of Event
        What came of it, and which regions jobs could run in have nothing listed.
    """
    context = load_context(night)
    for _ in for_each(lambda number: _ask(night, number), partitions, night.settings.run.workers):
        pass
    parts = list(read_parts(night.work, ASKED))
    asked = pa.concat_tables(parts)
    listed, supply, queue = _supply_and_queue(asked, context)
    found = allocate(queue, terrain_of(context.field, listed), supply)
    write_arrow(night.work / _CAPACITY, _capacity_rows(supply, context, listed))
    first = 0
    for number, part in enumerate(parts):
        _keep(night.work, number, part, found, listed, first)
        first += part.num_rows
    return (_outcome(found), *_not_listed(asked, queue, context))


def _ask(night: Night, number: int) -> int:
    context = load_context(night)
    estimates = estimate_batch(read_part(night.work, PLANNED, number), context)
    options = context.settings.plan
    windows = windows_of_jobs(
        estimates,
        context.curves,
        max_delay_hours=options.max_delay_hours,
        restart_kwh_per_device=options.restart_kwh_per_device,
    )
    home = estimates.baseline.region >= 0
    move = transfer_kgco2e(estimates.jobs, home, context.curves.network_gco2e_per_kwh)
    allowed = context.allowed.mask(estimates.jobs, options.default_region)
    asked = ask(
        estimates,
        windows,
        allowed,
        move,
        context.field,
        min_saving_pct=options.min_saving_pct,
        min_saving_pct_to_delay=options.min_saving_pct_to_delay,
    )
    write_part(night.work, ASKED, number, asked)
    return asked.num_rows


def _supply_and_queue(asked: pa.Table, context: Context) -> tuple[Integers, Supply, Queue]:
    """Regions of the supply, what is free in them, and the jobs that ask for it."""
    capacities, regions, curves = context.capacities, context.regions, context.curves
    if capacities is None:
        raise ValueError("no capacities are in the work folder")
    names = regions.names[context.field.index]
    listed = context.field.index[np.isin(names, texts(capacities["region"]))]
    devices = _devices(context)
    known = _pairs(context)
    pairs = [[(region, device) in known for region in regions.names[listed]] for device in devices]
    queue = queue_of(
        asked,
        devices,
        listed,
        len(regions.names),
        np.array(pairs, dtype=bool).reshape(len(devices), len(listed)),
    )
    ends = last_start(queue, curves.horizon) + queue.run_h
    hours = hours_needed(float(ends.max(initial=0.0)), curves.horizon)
    supply = supply_of(capacities, devices, regions.names[listed], curves.start_utc, curves.horizon, hours)
    return listed, supply, queue


def _keep(work: Place, number: int, part: pa.Table, found: Allocation, listed: Integers, first: int) -> None:
    job = part["job"].to_numpy()
    mine = slice(first, first + len(job))
    region = found.region[mine]
    everywhere = np.append(listed, -1)[region]
    write_part(work, ASSIGNED, number, _table(job=job, region=everywhere, start_h=found.start_h[mine]))
    low, high = np.searchsorted(found.stretch_job, [first, first + len(job)])
    stretches = {
        "job": job[found.stretch_job[low:high] - first],
        "start_h": found.stretch_start_h[low:high],
        "finish_h": found.stretch_finish_h[low:high],
    }
    write_part(work, STRETCHES, number, _table(**stretches))


def _table(**columns: npt.NDArray[Any]) -> pa.Table:
    return pa.table({name: pa.array(values) for name, values in columns.items()})


def _outcome(found: Allocation) -> Event:
    placed = int((found.region >= 0).sum())
    missed = len(found.region) - placed
    detail = (
        f"capacity allocated to the whole queue, {_METHODS[found.method]}: {placed} jobs placed, {missed} not placed; emissions at most "
        f"{100 * found.gap:.2f} % above the least that the jobs placed could emit"
    )
    return Event("info", "planning", None, ALLOCATION, detail)


def _not_listed(asked: pa.Table, queue: Queue, context: Context) -> Iterator[Event]:
    """Devices and regions that jobs would run on and in, of which nothing is listed."""
    regions, listed = context.regions.names, _pairs(context)
    home = asked["home"].to_numpy().astype(np.int64)
    placed = home >= 0
    wanted = zip(texts(asked["device"])[placed], regions[home[placed]], strict=True)
    counts = Counter((device, region) for device, region in wanted if (region, device) not in listed)
    if counts:
        shown = ", ".join(
            f"{device} in {region} ({count} job{'s' if count > 1 else ''})"
            for (device, region), count in counts.most_common(_NAMED)
        )
        more = f" and {len(counts) - _NAMED} more" if len(counts) > _NAMED else ""
        detail = (
            f"no capacity is listed for {shown}{more}, where jobs would run: nothing counts as free there; list it in "
            "plan.capacities"
        )
        yield Event("warning", "planning", None, "capacity_not_listed", detail)
    nowhere = int(np.count_nonzero(~queue.allowed.any(axis=1)))
    if nowhere:
        detail = f"{nowhere} jobs may run in no region for which plan.capacities lists their device: plan_status no_capacity"
        yield Event("warning", "planning", None, "device_not_listed", detail)


def _capacity_rows(supply: Supply, context: Context, listed: Integers) -> pa.Table:
    """region, device, hour, devices_capacity of every hour before the horizon."""
    devices = np.array(_devices(context), dtype=object)
    hours = min(context.curves.horizon, supply.hours)
    device, hour, region = (axis.ravel() for axis in np.indices((len(devices), hours, len(listed))))
    return pa.table(
        {
            "region": pa.array(context.regions.names[listed][region], pa.string()),
            "device": pa.array(devices[device], pa.string()),
            "hour": pa.array(hour, pa.int64()),
            "devices_capacity": pa.array(supply.free[:, :hours].ravel(), pa.float64()),
        }
    )


def _pairs(context: Context) -> set[tuple[str, str]]:
    listed = context.capacities
    return (
        set() if listed is None else set(zip(texts(listed["region"]), texts(listed["device"]), strict=True))
    )


def _devices(context: Context) -> list[str]:
    listed = context.capacities
    return [] if listed is None else sorted({str(name) for name in listed["device"].to_pylist()})


def capacity_of_night(work: Place) -> pa.Table | None:
    """What was free for the queue by region, device and hour; none without capacities.

    Parameters
    ----------
    work : Place

    Returns
    -------
    pa.Table or None
    """
    return read_arrow(work / _CAPACITY) if (work / _CAPACITY).exists() else None
