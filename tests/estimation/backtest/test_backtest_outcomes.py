"""Realised savings and regrets, against sums hour by hour and schedules found by trying everything."""

import math
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from opencarbon.estimation.backtest import Planned, StandardJob, hours_of, outcomes
from opencarbon.estimation.hindsight.measured_curves import MeasuredCurves
from tests.estimation.worlds import AS_OF, job, plan, regions, world
from tests.physics import shifting_oracle as oracle

START = AS_OF.replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
ZONES = ("AA", "BB-1", "BB-2", "CC", "EE", "FF")  # not CC-X and DD-1
HOURS = 60
ZONE_OF = {row["region"]: row["zone"] for row in regions()}
PUE_OF = {row["region"]: row["pue"] for row in regions()}


def truth() -> MeasuredCurves:
    values = np.random.default_rng(5).uniform(20.0, 600.0, (len(ZONES), HOURS))
    values[ZONES.index("FF"), 7] = np.nan
    return MeasuredCurves(START, ZONES, values)


def jobs(count: int) -> list[dict[str, Any]]:
    dice = random.Random(11)
    made = []
    for number in range(count):
        hours = dice.choice((1.0, 2.5, 6.0, 8.0))
        made.append(
            job(
                number,
                wall_hours=hours,
                device_count=1.0,
                interruptible=dice.random() < 0.5,
                current_region=dice.choice(("one:aa-west", "two:bb", "two:ee", "two:ff", "one:dd")),
                allowed_regions=dice.choice(("", "*", "one:*", "two:cc;two:ff")),
                finish_by_utc=AS_OF + timedelta(hours=hours + dice.choice((0.0, 4.25, 12.0, 30.0, 200.0))),
            )
        )
    return made


def planned(rows: Sequence[dict[str, Any]]) -> tuple[Planned, Any]:
    found = plan(rows, world(3))
    names = found.regions.names.tolist()
    allowed = np.array([[name in reach(row) for name in names] for row in rows])
    return Planned(
        found.estimates, found.alternatives, found.advice, allowed, found.regions, found.curves
    ), found


def reach(row: dict[str, Any]) -> set[str]:
    wish = row["allowed_regions"]
    if not wish:
        return {row["current_region"]}
    return {
        name for name in ZONE_OF if wish == "*" or name in wish or (wish == "one:*" and name[:3] == "one")
    }


def emitted(region: str, stretches: Sequence[tuple[float, float]]) -> float:
    """Mean emissions per kWh of stretches, counted from the first measured hour; NaN where one is not measured."""
    zone = ZONE_OF[region]
    if zone not in ZONES or max(end for _, end in stretches) > HOURS:
        return math.nan
    curve = truth().values[ZONES.index(zone)].tolist()
    hours = sum(end - begin for begin, end in stretches)
    return float(PUE_OF[region]) * sum(oracle.integral(curve, *stretch) for stretch in stretches) / hours


def best(row: dict[str, Any]) -> float:
    """Lowest emissions per kWh in any region and at any time; NaN where the window is not measured."""
    earliest, finish = ((moment - START).total_seconds() / 3600 for moment in (AS_OF, row["finish_by_utc"]))
    if finish > HOURS:
        return math.nan
    lowest = math.inf
    for region in reach(row):
        if ZONE_OF[region] in ZONES:
            curve = truth().values[ZONES.index(ZONE_OF[region])].tolist()
            runs = oracle.without_pause(curve, row["wall_hours"], earliest, finish)
            whole = int(row["wall_hours"])
            if row["interruptible"]:
                inside = curve[math.ceil(earliest) : math.floor(finish)]
                hours = sorted(value for value in inside if not math.isnan(value))[:whole]
                runs += [(sum(hours) / whole, 0.0)] if len(hours) == whole else []
            lowest = min([lowest, *(PUE_OF[region] * mean for mean, _ in runs)])
    return lowest if math.isfinite(lowest) else math.nan


def test_savings_and_regrets_are_those_of_the_hours_that_came_true() -> None:
    rows = [row for row in jobs(80) if not (row["interruptible"] and row["wall_hours"] % 1)]
    one, found = planned(rows)
    labels = [StandardJob(row["current_region"], (), row["wall_hours"], row["interruptible"]) for row in rows]
    table = outcomes(labels, one, truth()).to_pylist()
    shift = 2.0  # the measured hours begin two hours before the curves
    names, chosen = found.regions.names, found.alternatives
    kinds, known, regrets = set(), 0, 0
    for at, (row, outcome) in enumerate(zip(rows, table, strict=True)):
        left_start = float(found.estimates.baseline.start_h[at]) + shift
        left = emitted(row["current_region"], [(left_start, left_start + row["wall_hours"])])
        assert left == pytest.approx(given(outcome["baseline_gco2e_per_kwh"]), rel=1e-9, nan_ok=True)
        if not found.advice.advised[at]:
            assert outcome["advised_region"] is outcome["intensity_kind"] is None
            assert outcome["claimed_saving_gco2e_per_kwh"] is outcome["realised_saving_gco2e_per_kwh"] is None
            continue
        mine = chosen.stretch_job == at
        stretches = list(
            zip(chosen.stretch_start_h[mine] + shift, chosen.stretch_finish_h[mine] + shift, strict=True)
        ) or [(found.advice.start_h[at] + shift, found.advice.finish_h[at] + shift)]
        taken = emitted(str(names[found.advice.region[at]]), stretches)
        realised = given(outcome["realised_saving_gco2e_per_kwh"])
        assert left - taken == pytest.approx(realised, rel=1e-9, abs=1e-6, nan_ok=True)
        claimed = found.advice.saving_kgco2e[at] * 1000.0 / found.estimates.energy_kwh[at]
        assert claimed == pytest.approx(given(outcome["claimed_saving_gco2e_per_kwh"]), nan_ok=True)
        regret = given(outcome["regret_gco2e_per_kwh"])
        assert taken - best(row) == pytest.approx(regret, rel=1e-9, abs=1e-6, nan_ok=True)
        kinds.add(outcome["intensity_kind"])
        known += not math.isnan(realised)
        regrets += not math.isnan(regret)
    assert {"forecast", "annual", "climatology"} <= kinds
    assert 0 < regrets < known < len(rows)


def given(value: float | None) -> float:
    return math.nan if value is None else value


def test_some_of_the_measured_hours_begin_where_they_are_asked_to() -> None:
    some = hours_of(truth(), START + timedelta(hours=5), 3)
    assert some.start_utc == START + timedelta(hours=5)
    np.testing.assert_array_equal(some.values, truth().values[:, 5:8])
    assert hours_of(truth(), START + timedelta(hours=58), 3).values.shape == (len(ZONES), 2)
