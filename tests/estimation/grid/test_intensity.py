"""Planning curves degrade as promised, say what they stand on, and integrate exactly."""

import math
import random
from collections.abc import Mapping
from datetime import timedelta

import numpy as np
import pytest

from opencarbon.estimation.grid.curves import KIND_CODE, KINDS, MISSING, Exposure, PlanningCurves
from opencarbon.estimation.grid.joins import share_left
from tests.estimation.curve_oracle import Hour
from tests.estimation.oracle import ORDER, World, curve_of, network_mean
from tests.estimation.worlds import AS_OF, curves_of, reading, world

START = AS_OF.replace(minute=0, second=0, microsecond=0)


def zone_names(here: World) -> list[str]:
    return [row["zone"] for row in here.zones if row["zone"] != "WORLD"]


def with_grid(*rows: dict[str, object], factor: str = "lifecycle") -> PlanningCurves:
    empty = world(0, factor=factor)
    return curves_of(World(**{**vars(empty), "grid": list(rows)}))


def kinds(curves: PlanningCurves, zone: str) -> list[str]:
    return [KINDS[code] for code in curves.kinds[curves.zones.index(zone)]]


def exposure(curves: PlanningCurves, zone: str, start: float, finish: float) -> Exposure:
    at = np.array([curves.zones.index(zone)])
    return curves.exposure(at, np.array([start]), np.array([finish]))


@pytest.mark.parametrize("factor", ["lifecycle", "direct"])
@pytest.mark.parametrize("seed", range(3))
def test_every_hour_of_every_zone_is_what_the_oracle_reads(seed: int, factor: str) -> None:
    here = world(seed, factor=factor)
    curves = curves_of(here)
    for zone in zone_names(here):
        expected, row = curve_of(here, zone, None), curves.zones.index(zone)
        for hour in range(here.horizon):
            found = (curves.values[row, hour], curves.sd[row, hour], KINDS[curves.kinds[row, hour]])
            assert same(expected.at(hour)) == found, (zone, hour)
        behind = (curves.tail[row], curves.tail_sd[row], KINDS[curves.tail_kinds[row]])
        assert same(expected.tail) == behind, zone


def same(hour: Hour) -> tuple[object, object, str]:
    return pytest.approx(hour.value, nan_ok=True), pytest.approx(hour.sd, nan_ok=True), hour.kind


def test_zones_degrade_from_forecast_to_climatology_to_annual_means() -> None:
    curves = curves_of(world(1))

    assert ["forecast"] * 24 == kinds(curves, "AA")
    assert ["forecast"] * 12 + ["annual"] * 12 == kinds(curves, "BB-2")
    assert {"climatology"} == set(kinds(curves, "CC"))
    assert KIND_CODE["climatology"] == curves.tail_kinds[curves.zones.index("CC")]
    assert {"country_annual"} == set(kinds(curves, "CC-X"))
    assert ["world"] * 4 == kinds(curves, "DD-1")[6:10]
    assert ["measured", "annual"] == kinds(curves, "FF")[:2]


def test_a_country_of_several_zones_does_not_stand_in_for_one_of_them() -> None:
    curves = with_grid()

    assert {"world"} == set(kinds(curves, "DD-1"))
    assert "country:BB" not in curves.zones
    assert 60.0 == curves.tail[curves.zones.index("country:CC")]


def test_direct_factors_never_use_the_annual_means_which_are_lifecycle_means() -> None:
    curves = with_grid(factor="direct")

    assert np.isnan(curves.values).all()
    assert np.isnan(curves.tail).all()
    assert 0 == curves.hourly.num_rows


def test_the_newest_reading_wins_and_other_factor_types_are_not_read() -> None:
    old, new = AS_OF - timedelta(hours=9), AS_OF - timedelta(hours=1)
    rows = [
        reading("AA", START, 10.0, "measured", "lifecycle", old),
        reading("AA", START, 20.0, "measured", "lifecycle", new),
        reading("AA", START, 30.0, "measured", "direct", new),
        reading("AA", START + timedelta(hours=1), None, "measured", "lifecycle", new),
        reading("AA", START + timedelta(hours=1), 40.0, "measured", "lifecycle", old),
    ]
    for order in (rows, rows[::-1]):
        assert [20.0, 40.0] == with_grid(*order).values[0, :2].tolist()


def with_hours(
    zone: str, values: Mapping[int, float], kind: str, **changes: object
) -> list[dict[str, object]]:
    """Readings of hours counted from the first one of the curves, all of one issue."""
    return [
        reading(zone, START + timedelta(hours=hour), value, kind, "lifecycle", AS_OF) | changes
        for hour, value in values.items()
    ]


def test_a_climatology_needs_most_of_a_day_of_measured_hours() -> None:
    day = with_hours("EE", {-hour: 500.0 for hour in range(1, 21)}, "measured")

    assert {"annual"} == set(kinds(with_grid(*day[1:]), "EE"))
    assert {"climatology"} == set(kinds(with_grid(*day), "EE"))


def test_the_anomaly_of_the_last_day_fades_from_the_last_known_hour_on() -> None:
    curves = with_grid(*with_hours("EE", {hour: 690.0 for hour in range(12)}, "measured"))
    row = curves.zones.index("EE")
    rest = [450 + 120 * math.exp(-age / 168) for age in range(1, 181)]

    assert rest[:12] == pytest.approx(curves.values[row, 12:].tolist())
    assert sum(rest[12:36]) / 24 == pytest.approx(curves.tail[row])
    assert ["measured"] * 12 + ["annual"] * 12 == kinds(curves, "EE")


def test_an_anomaly_against_a_climatology_fades_as_days_of_2022_did() -> None:
    """Shares left 0-12, 12-24, 36-48, 72-84 and 132-144 h after the last known hour, zones that nothing was chosen on."""
    left = share_left(np.arange(1.0, 169.0)).reshape(14, 12).mean(axis=1)

    assert left[[0, 1, 3, 6, 11]] == pytest.approx([0.77, 0.56, 0.35, 0.27, 0.25], abs=0.1)
    assert 0.6 * math.exp(-2) + 0.4 * math.exp(-0.2) == pytest.approx(float(share_left(np.array(48.0))))


def test_behind_the_horizon_neither_a_short_run_nor_a_long_one_is_promised_more_than_it_finds() -> None:
    """A dirty day is followed by its mean over a day, a clean one by that over a week: the higher of both."""
    for level, hours in ((690.0, 24), (210.0, 168)):
        curves = with_grid(*with_hours("EE", {hour: level for hour in range(24)}, "measured"))
        rest = [450 + (level - 450) * math.exp(-age / 168) for age in range(1, hours + 1)]

        assert sum(rest) / hours == pytest.approx(curves.tail[curves.zones.index("EE")])


def test_an_anomaly_leads_no_lower_than_the_lowest_hour_known() -> None:
    night = {-hour: 500.0 if hour % 24 < 12 else 20.0 for hour in range(1, 241)}
    curves = with_grid(*with_hours("EE", night | {-hour: 15.0 for hour in range(1, 25)}, "measured"))

    assert 15.0 == curves.values[curves.zones.index("EE")].min()


@pytest.mark.parametrize("kind", ["measured", "forecast"])
def test_gaps_of_up_to_three_hours_are_filled_linearly_and_say_so(kind: str) -> None:
    known = {0: 100.0, 1: 100.0, 5: 180.0, 6: 100.0, 11: 100.0}
    curves = with_grid(*with_hours("AA", known, kind))
    rows = curves.hourly.to_pandas().query("zone == 'AA'").reset_index(drop=True)

    assert [False] * 2 + [True] * 3 + [False] * 19 == rows["is_interpolated"].tolist()
    assert [kind] * 7 + ["annual"] * 4 + [kind] + ["annual"] * 12 == rows["intensity_kind"].tolist()
    assert {f"{kind}-AA"} == set(rows["source_id"][:7])
    assert rows["is_estimated"][2:5].isna().all()
    assert {AS_OF} == set(rows["issued_at_utc"][:7])
    values = rows["carbon_intensity_gco2e_per_kwh"]
    assert (values[1] + (values[5] - values[1]) * np.array([0.25, 0.5, 0.75])).tolist() == pytest.approx(
        values[2:5].tolist(), rel=1e-3 if kind == "forecast" else 1e-12
    )


def test_a_gap_between_two_issues_of_a_forecast_stays_a_gap() -> None:
    early = with_hours("AA", {0: 100.0, 1: 100.0}, "forecast")
    late = with_hours("AA", {3: 100.0}, "forecast", issued_at_utc=AS_OF - timedelta(hours=6))
    rows = with_grid(*early, *late).hourly.to_pandas().query("zone == 'AA'")

    assert ["forecast", "forecast", "annual", "forecast"] == rows["intensity_kind"].tolist()[:4]
    assert not rows["is_interpolated"].any()


def test_estimates_and_filled_hours_are_less_sure() -> None:
    sure = with_hours("AA", {0: 100.0, 1: 100.0, 3: 100.0}, "measured")
    curves = with_grid(*sure, *with_hours("AA", {4: 100.0}, "measured", is_estimated=True))

    assert [3.0, 3.0, 8.0, 3.0, 8.0] == pytest.approx(curves.sd[0, :5].tolist())


def test_an_exposure_is_the_integral_hour_by_hour() -> None:
    here = world(2)
    curves, dice = curves_of(here), random.Random(2)
    for zone in zone_names(here):
        expected = curve_of(here, zone, None)
        for _ in range(20):
            start = dice.choice((dice.uniform(0, 30), float(dice.randrange(30))))
            finish = start + dice.choice((dice.uniform(1e-5, 40), float(dice.randrange(1, 40)), 1e4))
            found, pieces = exposure(curves, zone, start, finish), list(expected.pieces(start, finish))
            assert sum(h * of.value for h, of in pieces) == pytest.approx(found.intensity_hours[0], rel=1e-9)
            assert sum(h * of.sd for h, of in pieces) == pytest.approx(found.sd_hours[0], rel=1e-9)
            ahead = sum(h for h, of in pieces if of.kind in ("measured", "forecast", "example"))
            assert ahead == pytest.approx(found.forecast_hours[0], abs=1e-9)
            assert max((of.kind for _, of in pieces), key=ORDER.index) == KINDS[found.kind[0]]
            assert all(of.kind != "world" for _, of in pieces) == found.rankable[0]


def test_an_unknown_hour_spoils_only_the_runs_that_touch_it() -> None:
    hours = (0, 1, 2, 7, 8)
    curves = with_grid(
        *(reading("AA", START + timedelta(hours=h), 100.0, "forecast", "direct", AS_OF) for h in hours),
        factor="direct",
    )

    assert 300.0 == exposure(curves, "AA", 0.0, 3.0).intensity_hours[0]
    assert 300.0 == exposure(curves, "AA", 0.0, 3.0 + 1e-12).intensity_hours[0]
    assert 150.0 == exposure(curves, "AA", 7.5, 9.0).intensity_hours[0]
    assert MISSING == exposure(curves, "AA", 2.5, 3.1).kind[0]
    assert math.isnan(exposure(curves, "AA", 8.0, 9.5).intensity_hours[0])


def test_rounding_at_a_boundary_does_not_touch_the_next_kind() -> None:
    curves = curves_of(world(1))

    assert KIND_CODE["forecast"] == exposure(curves, "BB-2", 10.0, 12.0 + 1e-10).kind[0]
    assert KIND_CODE["annual"] == exposure(curves, "BB-2", 10.0, 12.001).kind[0]


def test_sources_name_what_each_kind_came_from() -> None:
    curves = curves_of(world(1))
    source = {
        (zone, kind): curves.sources[curves.zones.index(zone), KIND_CODE[kind]]
        for zone, kind in (
            ("AA", "forecast"),
            ("BB-2", "annual"),
            ("CC", "climatology"),
            ("CC-X", "country_annual"),
        )
    }

    assert {
        ("AA", "forecast"): "forecast-AA",
        ("BB-2", "annual"): "annual-BB-2",
        ("CC", "climatology"): "measured-CC",
        ("CC-X", "country_annual"): "annual-CC",
    } == source


def test_the_hourly_table_says_every_known_hour_once() -> None:
    rows = curves_of(world(1)).hourly.to_pandas()

    assert not rows.duplicated(["zone", "hour_start_utc"]).any()
    assert 8 * 24 == len(rows)
    assert {"forecast-AA"} == set(rows[rows["zone"] == "AA"]["source_id"])


def test_the_network_has_the_mean_of_the_world_or_of_what_is_known() -> None:
    direct = world(4, factor="direct")

    assert 470.0 == curves_of(world(4)).network_gco2e_per_kwh
    assert network_mean(direct) == pytest.approx(curves_of(direct).network_gco2e_per_kwh)
    assert math.isnan(with_grid(factor="direct").network_gco2e_per_kwh)


def test_a_constant_grid_is_expected_to_stay_what_it_is() -> None:
    curves = with_grid(*with_hours("EE", {-hour: 450.0 for hour in range(1, 2161)}, "measured"))
    row = curves.zones.index("EE")

    assert np.full(24, 450.0) == pytest.approx(curves.values[row])
    assert 450.0 == pytest.approx(curves.tail[row])
    assert {"climatology"} == set(kinds(curves, "EE"))


def test_hours_that_no_source_knows_leave_the_annual_mean_alone() -> None:
    nothing = [dict(row) | {"carbon_intensity_gco2e_per_kwh": None} for row in world(1).grid]
    curves, empty = with_grid(*nothing), with_grid()

    assert np.array_equal(empty.values, curves.values)
    assert np.array_equal(empty.kinds, curves.kinds)
    assert np.array_equal(empty.tail, curves.tail)


def test_a_history_without_an_annual_mean_is_enough_and_has_a_tail() -> None:
    """Direct factors: there is no annual mean, and what is known of other zones says nothing."""
    rows = [
        row | {"emission_factor_type": "direct"}
        for row in with_hours("EE", {-hour: 200.0 for hour in range(1, 49)}, "measured")
    ]
    curves = with_grid(*rows, factor="direct")
    row = curves.zones.index("EE")

    assert np.full(24, 200.0) == pytest.approx(curves.values[row])
    assert 200.0 == pytest.approx(curves.tail[row])
    assert "climatology" == KINDS[curves.tail_kinds[row]]
    assert np.isnan(np.delete(curves.values, row, axis=0)).all()
    assert "measured-EE" == curves.sources[row, KIND_CODE["climatology"]]
