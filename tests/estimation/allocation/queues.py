"""Random queues on made-up terrain, and a count of what an allocation takes in every hour."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from opencarbon.estimation.allocation.queue import Queue, Supply, Terrain
from opencarbon.estimation.allocation.solution import Allocation

Floats = npt.NDArray[np.float64]

FORECAST, CLIMATOLOGY = 1, 2
HOURS_BEHIND = 30


def terrain(rate: Floats, horizon: int, *, kind: int = FORECAST) -> Terrain:
    """Regions of their own zones, PUE 1, forecast before the horizon and flat climatology behind it."""
    regions = rate.shape[1]
    kinds = np.where(np.arange(len(rate)) < horizon, kind, CLIMATOLOGY)[:, None]
    return Terrain(
        rate=rate,
        sd=0.1 * rate,
        kind=kinds + np.zeros((1, regions), dtype=np.int64),
        zone=np.arange(regions),
        pue=np.ones(regions),
        pue_sd=np.full(regions, 0.05),
        worst=rate.copy(),
        is_disputed=np.zeros(regions, dtype=bool),
        horizon_h=horizon,
    )


def emissions(rate: Floats, region: int, start_h: float, finish_h: float) -> float:
    """Integral of an hourly rate, hour by hour."""
    return sum(
        float(rate[min(hour, len(rate) - 1), region]) * max(min(finish_h, hour + 1) - max(start_h, hour), 0.0)
        for hour in range(int(start_h), int(finish_h) + 1)
    )


def queue_of(ground: Terrain, **columns: npt.ArrayLike) -> Queue:
    """Jobs of 1 device and 1 kWh for each hour in their first region, which may run anywhere."""
    given = {name: np.asarray(values) for name, values in columns.items()}
    size, regions = len(given["run_h"]), ground.rate.shape[1]
    run = given["run_h"].astype(np.float64)
    home = given.get("home", np.zeros(size, dtype=np.int64))
    devices = given.get("devices", np.ones(size)).astype(np.float64)
    earliest = given.get("earliest_h", np.zeros(size)).astype(np.float64)
    energy = given.get("energy_kwh", devices * run).astype(np.float64)
    base = np.array(
        [
            kwh / hours * emissions(ground.rate, int(region), start, start + hours)
            for kwh, hours, region, start in zip(energy, run, home, earliest, strict=True)
        ]
    )
    defaults = {
        "device": np.zeros(size, dtype=np.int64),
        "devices": devices,
        "priority": np.zeros(size, dtype=np.int64),
        "energy_kwh": energy,
        "run_h": run,
        "earliest_h": earliest,
        "latest_h": earliest + 24.0,
        "interruptible": np.zeros(size, dtype=bool),
        "home": home,
        "home_zone": ground.zone[home],
        "home_pue": ground.pue[home],
        "home_pue_sd": ground.pue_sd[home],
        "base_kgco2e": base,
        "base_sd_kgco2e": 0.1 * base,
        "base_start_h": earliest,
        "base_kind": np.full(size, FORECAST),
        "least_kgco2e": base,
        "stays_below_kgco2e": base * (1.0 - 1e-9),
        "delay_kgco2e": np.zeros(size),
        "transfer_kgco2e": np.zeros(size),
        "restart_h": np.zeros(size),
        "allowed": np.ones((size, regions), dtype=bool),
    }
    return Queue(**(defaults | {name: values.astype(defaults[name].dtype) for name, values in given.items()}))


def random_case(
    seed: int,
    *,
    jobs: int = 50,
    regions: int = 6,
    hours: int = 60,
    share: float = 0.6,
    pausable: float = 0.0,
    levels: int = 1,
    sizes: tuple[int, ...] = (1, 2, 4, 8),
) -> tuple[Queue, Terrain, Supply]:
    """A queue that asks for ``share`` of a capacity that is spread unevenly, and not everywhere at every hour."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(0.02, 0.5, regions)
    time = np.arange(hours + HOURS_BEHIND + 1)[:, None]
    wave = 1.0 + 0.3 * np.sin(2.0 * np.pi * (time + rng.uniform(0, 24, regions)) / 24.0)
    rate = level * np.maximum(wave + 0.1 * rng.standard_normal((len(time), regions)), 0.05)
    rate[hours:] = rate[:hours].mean(axis=0)
    ground = terrain(rate, hours)
    run = np.exp(rng.uniform(np.log(0.6), np.log(14.0), jobs))
    earliest = np.where(rng.random(jobs) < 0.6, rng.uniform(0.0, hours / 2.0, jobs), 0.0) + 0.3
    latest = np.maximum(np.minimum(earliest + rng.uniform(4.0, 36.0, jobs), hours - run), earliest)
    devices = rng.choice(sizes, jobs).astype(np.float64)
    home = rng.integers(0, regions, jobs)
    allowed = rng.random((jobs, regions)) < 0.7
    allowed[np.arange(jobs), home] = True
    queue = queue_of(
        ground,
        run_h=run,
        earliest_h=earliest,
        latest_h=latest,
        devices=devices,
        home=home,
        allowed=allowed,
        priority=rng.integers(0, levels, jobs),
        interruptible=rng.random(jobs) < pausable,
    )
    queue = replace(queue, transfer_kgco2e=0.002 * queue.base_kgco2e * rng.random(jobs))
    need = float((devices * run).sum()) / (0.8 * hours)
    capacity = np.maximum(
        np.ceil(need / share * rng.dirichlet(np.full(regions, 3.0))), rng.choice(sizes, regions)
    )
    free = capacity * (rng.random((1, hours + HOURS_BEHIND, regions)) > 0.03)
    return queue, ground, Supply(free)


def stretches(queue: Queue, found: Allocation, job: int) -> list[tuple[float, float]]:
    """When a job runs."""
    mine = found.stretch_job == job
    if mine.any():
        return list(
            zip(found.stretch_start_h[mine].tolist(), found.stretch_finish_h[mine].tolist(), strict=True)
        )
    start = float(found.start_h[job])
    return [(start, start + float(queue.run_h[job]))]


def taken(queue: Queue, supply: Supply, found: Allocation) -> Floats:
    """Devices that jobs take in each hour that they touch, as the supply counts hours."""
    used = np.zeros(supply.free.shape)
    for job in np.flatnonzero(found.region >= 0).tolist():
        hours = {
            min(hour, supply.hours - 1)
            for start, finish in stretches(queue, found, job)
            for hour in range(int(start + 1e-9), int(np.ceil(finish - 1e-9)))
        }
        for hour in hours:
            used[queue.device[job], hour, found.region[job]] += queue.devices[job]
    return used


def total(queue: Queue, ground: Terrain, found: Allocation) -> float:
    """Emissions of the jobs placed, hour by hour."""
    emits = 0.0
    for job in np.flatnonzero(found.region >= 0).tolist():
        region = int(found.region[job])
        weight = queue.energy_kwh[job] / queue.run_h[job]
        emits += weight * sum(
            emissions(ground.rate, region, start, finish) for start, finish in stretches(queue, found, job)
        )
        emits += 0.0 if region == queue.home[job] else queue.transfer_kgco2e[job]
    return emits


def broken_hours(queue: Queue, ground: Terrain, supply: Supply, alone: Allocation) -> float:
    """Share of the hours before the horizon in which jobs that all go where each would alone break some capacity."""
    over = np.any(taken(queue, supply, alone) > supply.free + 1e-9, axis=(0, 2))
    return float(np.mean(over[: ground.horizon_h]))
