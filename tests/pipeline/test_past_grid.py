"""What was known at moments of the past: nothing that came later."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from opencarbon.estimation.grid.forecast_error import PRIOR
from opencarbon.pipeline.past_grid import Known, StoredGrid, grid_filled_later, grid_of_files
from opencarbon.settings import Settings, StoreSettings, load_settings
from opencarbon.sources.store.intensities import append
from opencarbon.tables.inputs import GRID_INTENSITY

START = datetime(2026, 3, 1, tzinfo=UTC)
ZONES = ("AA",)
HEADER = "zone,hour_start_utc,carbon_intensity_gco2e_per_kwh,intensity_kind,issued_at_utc"


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def stamp(hours: float) -> str:
    return f"{at(hours):%Y-%m-%dT%H:%M:%SZ}"


def known(what: Known | pa.Table) -> list[tuple[str, float, float]]:
    """Kind, hour from the start, and intensity of the rows."""
    table = what.grid if isinstance(what, Known) else what
    return sorted(
        (
            row["intensity_kind"],
            (row["hour_start_utc"] - START) / timedelta(hours=1),
            row["carbon_intensity_gco2e_per_kwh"],
        )
        for row in table.to_pylist()
    )


def test_hours_of_files_are_known_some_time_after_their_end_and_forecasts_from_their_issue(
    tmp_path: Path,
) -> None:
    rows = [
        *(f"AA,{stamp(hour)},{100 + hour},measured," for hour in (0, 1, 2)),
        f"AA,{stamp(4)},204,forecast,{stamp(1)}",
        f"AA,{stamp(4)},304,forecast,{stamp(2.5)}",
        f"AA,{stamp(5)},999,forecast,",
        f"AA,{stamp(6)},998,example,",
    ]
    path = tmp_path / "grid.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    grid = grid_of_files([str(path)], Settings(), timedelta(hours=1.5))
    assert known(grid.known_at(at(0.99), ZONES)) == []
    assert known(grid.known_at(at(1), ZONES)) == [("forecast", 4, 204)]
    assert known(grid.known_at(at(2.49), ZONES)) == [("forecast", 4, 204)]
    assert known(grid.known_at(at(2.5), ZONES)) == [
        ("forecast", 4, 204),
        ("forecast", 4, 304),
        ("measured", 0, 100),
    ]
    assert ("forecast", 4, 304) in known(grid.known_at(at(4.9), ZONES))
    assert known(grid.known_at(at(5), ZONES)) == [("measured", hour, 100 + hour) for hour in (0, 1, 2)]
    assert known(grid.known_at(at(24 * 365), ZONES)) == []
    assert known(grid.came_true(at(1), at(3))) == [("measured", 1, 101), ("measured", 2, 102)]


def test_files_that_do_not_say_their_factors_mean_the_same_as_beside_the_store(tmp_path: Path) -> None:
    path = tmp_path / "grid.csv"
    path.write_text(f"{HEADER}\nAA,{stamp(0)},100,measured,\n", encoding="utf-8")
    settings = load_settings(None, {"electricity_maps": {"emission_factor_type": "direct"}})
    rows = grid_of_files([str(path)], settings, timedelta(hours=1)).rows
    assert rows["emission_factor_type"].to_pylist() == ["lifecycle"]
    assert rows["accounting_basis"].to_pylist() == ["flow_traced"]


def test_the_store_knows_what_it_had_fetched_by_then(tmp_path: Path) -> None:
    def row(hour: float, value: float, fetched: float) -> dict[str, Any]:
        return dict.fromkeys(GRID_INTENSITY.columns) | {
            "zone": "AA",
            "hour_start_utc": at(hour),
            "carbon_intensity_gco2e_per_kwh": value,
            "intensity_kind": "measured",
            "emission_factor_type": "lifecycle",
            "fetched_at_utc": at(fetched),
            "source_id": "made",
        }

    for fetched, value in ((2, 100.0), (30, 130.0)):
        rows = pa.Table.from_pylist([row(0, value, fetched)], GRID_INTENSITY.schema())
        append(str(tmp_path), rows, fetched_at_utc=at(fetched))
    settings = Settings(store=StoreSettings(root=str(tmp_path)))
    grid = StoredGrid(settings, at(48))
    assert [known(grid.known_at(at(hour), ZONES)) for hour in (1.9, 2, 29.9, 30)] == [
        [],
        [("measured", 0, 100.0)],
        [("measured", 0, 100.0)],
        [("measured", 0, 130.0)],
    ]
    assert known(grid.came_true(at(0), at(1))) == [("measured", 0, 130.0)]
    assert known(grid.came_true(at(1), at(2))) == []


def test_forecasts_of_files_are_learnt_from_once_there_are_thirty_days_of_them(tmp_path: Path) -> None:
    rows = []
    for hour in range(40 * 24):
        truth = 300 + 40 * (hour % 7)
        rows.append(f"AA,{stamp(hour)},{truth},measured,")
        rows.append(f"AA,{stamp(hour)},{1.1 * truth},forecast,{stamp(hour - 5)}")
    path = tmp_path / "grid.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    grid = grid_of_files([str(path)], Settings(), timedelta(hours=1))
    early, late = (grid.known_at(at(days * 24), ZONES).forecast_error for days in (20, 39))
    assert early is PRIOR
    assert late.zones == ("AA",)
    assert late.zone_relative_sd[0, 0] == pytest.approx(0.1, abs=0.01)
    assert grid.known_at(at(39 * 24), ("BB",)).forecast_error is PRIOR


def test_a_store_that_was_filled_later_can_be_taken_as_known_soon_after_each_hour(tmp_path: Path) -> None:
    def row(hour: float, value: float, kind: str, fetched: float) -> dict[str, Any]:
        return dict.fromkeys(GRID_INTENSITY.columns) | {
            "zone": "AA",
            "hour_start_utc": at(hour),
            "carbon_intensity_gco2e_per_kwh": value,
            "intensity_kind": kind,
            "emission_factor_type": "lifecycle",
            "fetched_at_utc": at(fetched),
            "source_id": "made",
        }

    for fetched, rows in (
        (1, [row(4, 210.0, "forecast", 1)]),
        (3, [row(4, 230.0, "forecast", 3)]),
        (900, [row(0, 100.0, "measured", 900), row(2, 102.0, "measured", 900)]),
    ):
        table = pa.Table.from_pylist(rows, GRID_INTENSITY.schema())
        append(str(tmp_path), table, fetched_at_utc=at(fetched))
    settings = Settings(store=StoreSettings(root=str(tmp_path)))
    grid = grid_filled_later(settings, at(0), at(5), now_utc=at(1000), published_after=timedelta(hours=1))
    assert known(grid.known_at(at(1.5), ZONES)) == [("forecast", 4, 210)]
    assert known(grid.known_at(at(2), ZONES)) == [("forecast", 4, 210), ("measured", 0, 100)]
    assert known(grid.known_at(at(4), ZONES)) == [
        ("forecast", 4, 210),
        ("forecast", 4, 230),
        ("measured", 0, 100),
        ("measured", 2, 102),
    ]
    assert known(grid.came_true(at(0), at(5))) == [("measured", 0, 100), ("measured", 2, 102)]
