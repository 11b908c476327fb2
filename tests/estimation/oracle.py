"""The planning contract job by job in plain Python: slow, straight from its words, sharing no code with the package."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from tests.estimation.curve_oracle import Hour, ZoneCurve, flat_hour
from tests.estimation.restart_oracle import Pausing

Row = Mapping[str, Any]

ORDER = ("measured", "forecast", "climatology", "annual", "country_annual", "world", "example")
PUE_WIDTH = {"measured": 0.02, "estimated": 0.05, "assumed": 0.10}
Z80 = 1.2815515655446004
TIE = 1e-9
NEAR = 1e-6
TOUCH = 1e-8


@dataclass(frozen=True, eq=False)
class World:
    """Everything but the jobs: rows of the tables, and the settings."""

    as_of: datetime
    horizon: int
    factor_type: str
    zones: Sequence[Row]
    grid: Sequence[Row]
    regions: Sequence[Row]
    devices: Sequence[Row]
    fits: Sequence[Row]
    offers: Mapping[str, frozenset[str]]
    default_region: str | None = None
    max_delay: float = 24.0
    min_saving_pct: float = 0.0
    min_saving_pct_to_delay: float = 0.0
    restart_kwh_per_device: float = 0.0
    lifetime_h: float = 6 * 8760.0
    fleet_utilisation: float = 0.85

    @property
    def start(self) -> datetime:
        return self.as_of.replace(minute=0, second=0, microsecond=0)

    def hours(self, moment: datetime) -> float:
        return (moment - self.start) / timedelta(hours=1)


@dataclass(frozen=True)
class Curve:
    """Every hour before the horizon, and all behind it."""

    hours: list[Hour]
    tail: Hour

    def at(self, hour: int) -> Hour:
        return self.hours[hour] if hour < len(self.hours) else self.tail

    def pieces(self, start: float, finish: float) -> Iterator[tuple[float, Hour]]:
        """Length of the stretch in every hour, hour by hour; the tail in one piece."""
        for hour in range(math.floor(start), len(self.hours)):
            length = min(finish, hour + 1) - max(start, hour)
            if length > TOUCH:
                yield length, self.hours[hour]
        behind = finish - max(start, len(self.hours))
        if behind > TOUCH:
            yield behind, self.tail


def curve_of(world: World, zone: str | None, country: str | None) -> Curve:
    """Curve of a zone, or of what stands in for one."""
    annual = _annual(world, zone, country)
    if zone is None:
        return Curve([flat_hour(*annual)] * world.horizon, flat_hour(*annual))
    rows = [
        row
        for row in sorted(world.grid, key=lambda row: row["fetched_at_utc"])
        if row["zone"] == zone
        and row["emission_factor_type"] == world.factor_type
        and row["carbon_intensity_gco2e_per_kwh"] is not None
    ]
    curve = ZoneCurve(rows, world.start, world.horizon, annual)
    return Curve([curve.at(hour) for hour in range(world.horizon)], curve.tail())


@cache
def _curve_of_zone(world: World, zone: str) -> Curve:
    return curve_of(world, zone, None)


@cache
def network_mean(world: World) -> float:
    """Intensity of the network: the world's mean, else that of every hour known of any zone."""
    if world.factor_type == "lifecycle":
        return float(
            next(
                row["annual_carbon_intensity_gco2e_per_kwh"] for row in world.zones if row["zone"] == "WORLD"
            )
        )
    zones = [row["zone"] for row in world.zones if row["zone"] != "WORLD"]
    known = [h.value for zone in zones for h in curve_of(world, zone, None).hours if not math.isnan(h.value)]
    return sum(known) / len(known)


def _annual(world: World, zone: str | None, country: str | None) -> tuple[float, str]:
    means = {row["zone"]: row for row in world.zones}
    if world.factor_type != "lifecycle":
        return math.nan, "world"
    if zone is not None:
        country = means[zone]["country_code"]
        if means[zone]["annual_carbon_intensity_gco2e_per_kwh"] is not None:
            return means[zone]["annual_carbon_intensity_gco2e_per_kwh"], "annual"
    for row in world.zones:
        value = row["annual_carbon_intensity_gco2e_per_kwh"]
        if row["is_whole_country"] and row["country_code"] == country and value is not None:
            return value, "country_annual"
    return means["WORLD"]["annual_carbon_intensity_gco2e_per_kwh"], "world"


@dataclass(frozen=True)
class Run:
    """A schedule in a region: its stretches, and what they are exposed to."""

    region: str
    form: str
    stretches: list[tuple[float, float]]
    mean: float
    sd: float
    kind: str
    cost: float  # g of facility emissions with transfer and resumes per kWh of the job
    restart: float  # g of resumes before PUE, per kWh of the job

    @property
    def start(self) -> float:
        return self.stretches[0][0]


@dataclass(frozen=True)
class Expected:
    baseline_status: str
    plan_status: str
    action: str
    region: str | None
    start: float | None
    baseline_total: float | None
    advised_total: float | None
    saving: float | None
    saving_low: float | None
    transfer: float
    kind: str | None
    costs: list[float]  # of all candidates, in order
    operational: float | None
    wall_hours: float
    energy_kwh: float


def _device_hours(flop: float, log10_alpha: float) -> float:
    """Time in which ln(1 + alpha t) TFLOP/s does the work, by bisection [h]."""
    alpha, work = math.pow(10.0, log10_alpha), flop / 1e12

    def done(t: float) -> float:
        x = alpha * t
        return ((1 + x) * math.log1p(x) - x) / alpha

    low, high = 0.0, 1.0
    while done(high) < work:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if done(middle) < work else (low, middle)
    return high / 3600.0


class Job:
    """One job and everything the contract says about it."""

    def __init__(self, row: Row, world: World, curves: Mapping[str, Curve]) -> None:
        self.row, self.world, self.curves = row, world, curves
        self.regions = {region["region"]: region for region in world.regions}
        device = next(device for device in world.devices if device["device"] == row["device"])
        self._work(next(fit for fit in world.fits if fit["device"] == row["device"]))
        power = row["power_w"] or _power(device)
        self.energy = self.device_hours * power / 1000.0
        self.restart_h = world.restart_kwh_per_device * 1000.0 / power
        self.embodied = (
            device["embodied_central_kgco2e"]
            * self.device_hours
            / (world.lifetime_h * world.fleet_utilisation)
        )
        self.home = row["current_region"] or world.default_region
        now = world.hours(world.as_of)
        self.now = now
        earliest = row["earliest_start_utc"]
        self.earliest = now if earliest is None else max(now, world.hours(earliest))
        self.finish_by = None if row["finish_by_utc"] is None else world.hours(row["finish_by_utc"])

    def _work(self, fit: Row) -> None:
        row = self.row
        if row["work_source"] == "wall_hours":
            hours = slow = row["wall_hours"] * row["device_count"]
        else:
            low, high = row["log10_alpha_low"], row["log10_alpha_high"]
            central = (low + high) / 2 if low is not None else fit["log10_alpha"]
            hours = _device_hours(row["training_flop"], central)
            slow = _device_hours(row["training_flop"], fit["log10_alpha_low"] if low is None else low)
        self.device_hours = hours * row["repeats"]
        self.wall: float = self.device_hours / row["device_count"]
        self.wall_high: float = self.wall * slow / hours

    def transfer_g(self, region: str) -> float:
        if self.home is None or region == self.home or not self.row["dataset_gb"]:
            return 0.0
        network = network_mean(self.world)
        return float(self.row["dataset_gb"] * 0.001 * network)

    def run(self, region: str, form: str, stretches: list[tuple[float, float]]) -> Run:
        curve, stretches = self.curves[region], _merged(stretches)
        pieces = [piece for start, finish in stretches for piece in curve.pieces(start, finish)]
        hours = sum(length for length, _ in pieces)
        mean = sum(length * hour.value for length, hour in pieces) / hours
        sd = sum(length * hour.sd for length, hour in pieces) / hours
        kind = max((hour.kind for _, hour in pieces), key=ORDER.index)
        resumed = sum(curve.at(round(start))[0] for start, _ in stretches[1:])
        restart = self.restart_h * resumed / self.wall if resumed else 0.0
        cost = (mean + restart) * self.regions[region]["pue"] + self.transfer_g(region) / self.energy
        return Run(region, form, stretches, mean, sd, kind, cost, restart)

    def allowed(self) -> list[str]:
        wish, current, names = self.row["allowed_regions"], self.row["current_region"], []
        for name, region in self.regions.items():
            provider = name.split(":")[0]
            if wish is None:
                offers = self.world.offers.get(provider)
                same = current is None or provider == current.split(":")[0]
                fits = (same and (offers is None or self.row["device"] in offers)) or name == self.home
            elif wish == "":
                fits = name == self.home
            else:
                fits = any(
                    one in ("*", name, f"{provider}:*", f"country:{region['country_code']}")
                    for one in wish.split(";")
                )
            if fits:
                names.append(name)
        return names

    def latest(self) -> float:
        if self.finish_by is None:
            return self.earliest + self.world.max_delay
        return max(self.finish_by - self.wall_high, self.earliest)

    def best(self, region: str, worst_kind: str | None) -> Run | None:
        """Best run that starts before the horizon; with a worst kind, of hours that are no poorer."""
        curve, horizon = self.curves[region], self.world.horizon
        if self.earliest >= horizon - NEAR:
            return None
        runs = [[(start, start + self.wall)] for start in self._starts()]
        if self.row["interruptible"]:
            runs += self._pausing(curve, worst_kind)
        usable = [run for run in runs if self._usable(curve, run, worst_kind)]
        form = "best" if worst_kind is None else "sure"
        found = [self.run(region, form, run) for run in usable]
        if not found:
            return None
        lowest = min(run.cost for run in found)
        tied = [run for run in found if run.cost <= lowest + TIE * abs(lowest) + 1e-12 * run.cost]
        return min(tied, key=lambda run: (len(run.stretches) > 1, run.start))

    def _starts(self) -> list[float]:
        horizon, latest = self.world.horizon, self.latest()
        starts = {self.earliest, latest, *range(horizon), *(p - self.wall for p in range(horizon + 1))}
        pausable_tail = {horizon} if self.row["interruptible"] else set()
        return [
            max(start, self.earliest)
            for start in starts | pausable_tail
            if self.earliest - 1e-9 <= start <= latest + 1e-9 and (start < horizon or start in pausable_tail)
        ]

    def _usable(self, curve: Curve, run: list[tuple[float, float]], worst_kind: str | None) -> bool:
        if worst_kind is not None and run[0][0] >= self.world.horizon - NEAR:
            return False
        for start, finish in run:
            for _, piece in curve.pieces(start, finish):
                value, kind = piece.value, piece.kind
                if math.isnan(value) or kind == "world":
                    return False
                if worst_kind is not None and ORDER.index(kind) > ORDER.index(worst_kind):
                    return False
        return True

    def _pausing(self, curve: Curve, worst_kind: str | None) -> Iterator[list[tuple[float, float]]]:
        """For every hour that may hold the part: that part and the cleanest whole hours on its other side."""
        finish = self.latest() + self.wall
        if worst_kind is not None and self.latest() >= self.world.horizon:
            finish = max(self.earliest, self.world.horizon - 1.0) + self.wall
        whole = math.floor(self.wall + 1e-9)
        part = self.wall - whole if self.wall - whole > 1e-9 else 0.0
        first, end = math.ceil(self.earliest - 1e-9), math.floor(finish + 1e-9)
        # More of the tail than a whole run and its part changes nothing.
        end = min(end, max(self.world.horizon, first) + whole + 2)

        @cache
        def worth(hour: int) -> float:
            value, kind = curve.at(hour).value, curve.at(hour).kind
            poor = worst_kind is not None and ORDER.index(kind) > ORDER.index(worst_kind)
            return math.inf if math.isnan(value) or kind == "world" or poor else value

        job = Pausing(whole, part, self.earliest, finish, first, end, self.restart_h, worth)
        if whole:
            yield from job.schedules() if self.restart_h else _with_cleanest_hours(job)

    def behind(self, region: str) -> Run | None:
        start = max(self.earliest, float(self.world.horizon))
        covered = self.row["interruptible"] and self.earliest < self.world.horizon
        if covered or start > self.latest():
            return None
        value, kind = self.curves[region].tail.value, self.curves[region].tail.kind
        if math.isnan(value) or kind == "world":
            return None
        return self.run(region, "behind", [(start, start + self.wall)])

    def baseline(self) -> Run | None:
        if self.home is None:
            return None
        return self.run(self.home, "stay", [(self.earliest, self.earliest + self.wall)])

    def saving_sds(self, base: Run, run: Run) -> float:
        """Standard deviation of the saving per kWh, without what both sides share."""
        moves = run.region != base.region
        transfer = self.transfer_g(run.region) / self.energy
        shared = self._shared(base, run)
        spread = []
        for one, cost in ((base, base.cost), (run, run.cost - transfer)):
            width = PUE_WIDTH[self.regions[one.region]["pue_status"]] / Z80 if moves else 0.0
            relative = (one.sd - shared) / one.mean if one.mean > 0 else 0.0
            spread.append(cost * math.hypot(relative, width))
        return math.hypot(*spread, transfer)

    def _shared(self, base: Run, run: Run) -> float:
        if self._curve_name(base.region) != self._curve_name(run.region):
            return 0.0
        (first, last), total = base.stretches[0], 0.0
        for start, finish in run.stretches:
            if min(finish, last) > max(start, first):
                pieces = self.curves[run.region].pieces(max(start, first), min(finish, last))
                total += sum(length * hour.sd for length, hour in pieces)
        return total / self.wall

    def _curve_name(self, region: str) -> tuple[str | None, str | None]:
        row = self.regions[region]
        if row["zone"] is not None:
            return row["zone"], None
        tail_kind = self.curves[region].tail.kind
        return None, row["country_code"] if tail_kind == "country_annual" else None

    def sure(self, base: Run | None, run: Run) -> bool:
        if base is None:
            return True
        poorer = ORDER.index(run.kind) > ORDER.index(base.kind)
        if not poorer and run.start < self.world.horizon - NEAR:
            return True
        saving, sd = base.cost - run.cost, self.saving_sds(base, run)
        probability = 0.5 * (1 + math.erf(saving / sd / math.sqrt(2))) if sd > 0 else float(saving >= 0)
        return probability >= 0.8

    def holds(self, base: Run | None, run: Run) -> bool:
        """Whether a move saves with the worst PUE and zone of both its ends."""
        if base is None or run.region == base.region or base.region not in self.allowed():
            return True
        left, taken = self.regions[base.region], self.regions[run.region]
        cleanest, dirtiest = self._readings(base), self._readings(run)
        if any(map(math.isnan, (*cleanest, *dirtiest))):
            return False
        dearest = (
            taken["pue_high"] * (max(dirtiest) + run.restart) + self.transfer_g(run.region) / self.energy
        )
        return bool(dearest < left["pue_low"] * min(cleanest))

    def _readings(self, run: Run) -> list[float]:
        """Mean intensity of a run in its zone and in the other one; ``math.nan`` where that is not known."""
        other = self.regions[run.region]["alternative_zone"]
        if other is None:
            return [run.mean]
        curve = _curve_of_zone(self.world, other)
        if not self._usable(curve, run.stretches, None):
            return [run.mean, math.nan]
        pieces = [piece for start, finish in run.stretches for piece in curve.pieces(start, finish)]
        return [run.mean, sum(length * hour.value for length, hour in pieces) / self.wall]

    def statuses(self, base: Run | None) -> tuple[str, str]:
        fits = self.finish_by is None or self.earliest + self.wall <= self.finish_by + 1e-9
        fits_high = self.finish_by is None or self.earliest + self.wall_high <= self.finish_by + 1e-9
        unknown = base is not None and math.isnan(base.mean)
        world = base is not None and not self._usable(self.curves[base.region], base.stretches, None)
        baseline, plan = "ok", "ok"
        if not fits:
            baseline, plan = "late", "infeasible"
        elif not fits_high:
            plan = "tight"
        if base is None:
            baseline = "no_current_region"
        if unknown:
            baseline = "no_intensity"
        if world:
            plan = "no_intensity"
        if self.row["carbon_intensity_gco2e_per_kwh"] is not None:
            baseline = plan = "fixed_intensity"
        if self.finish_by is not None and self.finish_by <= self.now:
            baseline = plan = "deadline_passed"
        if self.row["state"] == "running":
            baseline = plan = "running"
        return baseline, plan

    def choose(self, base: Run | None) -> tuple[Run | None, list[Run]]:
        """The advice, None where nothing is advised, and the best of every region in order."""
        allowed = self.allowed()
        found = [run for name in allowed for run in (self.best(name, None), self.behind(name)) if run]
        candidates = sorted(found, key=self._order)
        advice = self._first_sure(base, candidates)
        if self.world.min_saving_pct_to_delay and advice and advice is not base and self._delayed(advice):
            prompt = self._first_sure(base, [run for name in allowed if (run := self._prompt(name))])
            if prompt is not None:
                of = (prompt if base is None else base).cost + 1000.0 * self.embodied / self.energy
                least = self.world.min_saving_pct_to_delay / 100.0 * of
                advice = advice if advice.cost <= prompt.cost - least else prompt
        return advice, [run for run in candidates if run is self._best_there(run.region, candidates)]

    def _first_sure(self, base: Run | None, runs: list[Run]) -> Run | None:
        pool, stays = list(runs), base is not None and base.region in self.allowed()
        while pool:
            run = self._first(pool)
            if base is not None and stays and not self._worth(base, run):
                return base
            if self.sure(base, run) and self.holds(base, run):
                return run
            pool.remove(run)
            again = self.best(run.region, base.kind) if base and run.form == "best" else None
            pool += [again] if again else []
        return base if stays else None

    def _best_there(self, region: str, runs: list[Run]) -> Run:
        return self._first([run for run in runs if run.region == region])

    def _delayed(self, run: Run) -> bool:
        return run.start > self.earliest + NEAR or len(run.stretches) > 1

    def _prompt(self, region: str) -> Run | None:
        """The run that starts at once and never rests, where every hour of it is known."""
        stretches = [(self.earliest, self.earliest + self.wall)]
        ahead = self.earliest < self.world.horizon - NEAR
        return (
            self.run(region, "now", stretches)
            if ahead and self._usable(self.curves[region], stretches, None)
            else None
        )

    def _order(self, run: Run) -> tuple[float, float, bool, str]:
        return run.cost, run.start, run.region != self.home, run.region

    def _first(self, pool: list[Run]) -> Run:
        lowest = min(run.cost for run in pool)
        return min(
            (run for run in pool if run.cost <= lowest * (1 + TIE)), key=lambda run: self._order(run)[1:]
        )

    def _worth(self, base: Run, run: Run) -> bool:
        total = base.cost + 1000.0 * self.embodied / self.energy
        least = max(TIE * base.cost, self.world.min_saving_pct / 100.0 * total)
        return run.cost <= base.cost - least and run.cost < base.cost


def expect(row: Row, world: World, curves: Mapping[str, Curve]) -> Expected:
    """Everything that is published about one job."""
    job = Job(row, world, curves)
    base, fixed = job.baseline(), row["carbon_intensity_gco2e_per_kwh"]
    baseline_status, plan_status = job.statuses(base)
    operational: float | None = None
    if fixed is not None:
        operational = job.energy * (job.regions[job.home]["pue"] if job.home else 1.56) * fixed / 1000.0
    elif base is not None and not math.isnan(base.cost):
        operational = job.energy * base.cost / 1000.0
    total = None if operational is None else operational + job.embodied
    advice, candidates = (None, []) if plan_status not in ("ok", "tight") else job.choose(base)
    if plan_status in ("ok", "tight") and not candidates:
        plan_status = "no_intensity"
    advised_total, saving_sd, transfer = total, 0.0, 0.0
    if advice is not None and advice is not base:
        advised_total = advice.cost * job.energy / 1000.0 + job.embodied
        transfer = job.transfer_g(advice.region) / 1000.0
        saving_sd = 0.0 if base is None else job.saving_sds(base, advice) * job.energy / 1000.0
    saving = None if total is None or advised_total is None else total - advised_total
    return Expected(
        baseline_status=baseline_status,
        plan_status=plan_status,
        action=_action(job, base, advice),
        region=advice.region if advice else None,
        start=advice.start if advice else None,
        baseline_total=total,
        advised_total=advised_total,
        saving=saving,
        saving_low=None if saving is None else saving - Z80 * saving_sd,
        transfer=transfer,
        kind="fixed" if fixed is not None else base.kind if base and operational is not None else None,
        costs=[run.cost for run in candidates],
        operational=operational,
        wall_hours=job.wall,
        energy_kwh=job.energy,
    )


def _action(job: Job, base: Run | None, advice: Run | None) -> str:
    if advice is None:
        return "none"
    moves = base is not None and advice.region != base.region
    late = advice.start > job.earliest + NEAR or len(advice.stretches) > 1
    return {
        (False, False): "run_now",
        (False, True): "delay",
        (True, False): "move",
        (True, True): "move_and_delay",
    }[moves, late]


def _with_cleanest_hours(job: Pausing) -> Iterator[list[tuple[float, float]]]:
    def lowest(hours: range) -> list[tuple[float, float]]:
        return [(float(h), float(h + 1)) for h in sorted(sorted(hours, key=job.worth)[: job.whole])]

    if not job.part and job.end - job.first >= job.whole:
        yield lowest(range(job.first, job.end))
    if not job.part:
        return
    for hour in range(math.floor(job.earliest), job.end - job.whole):
        if hour + 1 - job.part >= job.earliest - 1e-9:
            yield [(hour + 1 - job.part, hour + 1.0), *lowest(range(max(hour + 1, job.first), job.end))]
    for hour in range(job.first + job.whole, job.end + 1):
        if hour + job.part <= job.finish + 1e-9:
            yield [*lowest(range(job.first, hour)), (float(hour), hour + job.part)]


def _merged(stretches: list[tuple[float, float]]) -> list[tuple[float, float]]:
    merged = [stretches[0]]
    for start, finish in stretches[1:]:
        if start - merged[-1][1] < 1e-9:
            merged[-1] = (merged[-1][0], finish)
        else:
            merged.append((start, finish))
    return merged


def _power(device: Row) -> float:
    fraction = device["power_fraction"]
    if fraction is not None and device["power_boundary"] == "server":
        return float(device["tdp_w"] * fraction)
    host = device["host_power_w"] if device["host_power_w"] is not None else 0.30 * device["tdp_w"]
    return float(device["tdp_w"] * (0.75 if fraction is None else fraction) + host)
