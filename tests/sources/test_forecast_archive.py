"""Every forecast beside what was measured, as it was known at a moment."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from opencarbon.sources.store.compaction import compact
from opencarbon.sources.store.forecast_archive import ARCHIVE, forecast_archive
from tests.sources.fetches import HOUR, LATER, T0, stored

NOW = T0 + timedelta(days=2)
START = T0 - timedelta(days=1)


def archive(root: Path, at: Any = NOW, **asked: Any) -> pa.Table:
    table, events = forecast_archive(str(root), at, START, **asked)
    assert events == []
    assert table.schema.equals(ARCHIVE)
    return table


def rows(table: pa.Table) -> list[tuple[str, float, float, float, float | None]]:
    """Zone, issue and hour from T0, forecast, measured."""
    return [
        (
            row["zone"],
            (row["issued_at_utc"] - T0) / HOUR,
            (row["hour_start_utc"] - T0) / HOUR,
            row["forecast_gco2e_per_kwh"],
            row["measured_gco2e_per_kwh"],
        )
        for row in table.to_pylist()
    ]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for at, value in ((0, 100.0), (4, 104.0)):
        stored(
            *(tmp_path, T0 + at * HOUR, ("DE", 5, value), ("DE", 6, value + 1), ("FR", 5, 50.0)),
            kind="forecast",
            issued_at_utc=T0 + (at - 1) * HOUR,
        )
    stored(tmp_path, T0 + 6 * HOUR, ("DE", 5, 90.0), is_estimated=True)
    stored(tmp_path, T0 + 30 * HOUR, ("DE", 5, 95.0), is_estimated=False)
    return tmp_path


def test_every_issue_stands_beside_the_newest_measurement(root: Path) -> None:
    table = archive(root)
    assert rows(table) == [
        ("DE", 3, 5, 104.0, 95.0),
        ("DE", -1, 5, 100.0, 95.0),
        ("DE", 3, 6, 105.0, None),
        ("DE", -1, 6, 101.0, None),
        ("FR", 3, 5, 50.0, None),
        ("FR", -1, 5, 50.0, None),
    ]
    assert table["is_estimated"].to_pylist() == [False, False, None, None, None, None]


def test_it_is_what_was_known_at_the_moment(root: Path) -> None:
    assert rows(archive(root, T0 + 6 * HOUR, zones=["DE"])) == [
        ("DE", 3, 5, 104.0, 90.0),
        ("DE", -1, 5, 100.0, 90.0),
    ], "the running hour and those ahead are left out"
    assert rows(archive(root, T0 + 6 * HOUR - timedelta(seconds=1), zones=["DE"]))[0] == (
        "DE",
        3,
        5,
        104.0,
        None,
    )
    assert rows(archive(root, T0 + 3 * HOUR)) == []


def test_it_is_the_same_after_compaction(root: Path) -> None:
    before = archive(root)
    compact(str(root), now_utc=LATER, told=lambda done, total: None)
    assert len(list(root.rglob("forecast-earlier-*"))) == 1
    assert archive(root).equals(before)


def test_other_factors_and_bases_are_neither_forecast_nor_measurement(root: Path) -> None:
    assert rows(archive(root, emission_factor_type="direct")) == []
    assert rows(archive(root, accounting_basis="production")) == []
    stored(root, T0 + 31 * HOUR, ("DE", 5, 1.0), emission_factor_type="direct")
    stored(root, T0 + 31 * HOUR, ("DE", 5, 2.0), accounting_basis="production")
    assert rows(archive(root))[0] == ("DE", 3, 5, 104.0, 95.0)


def test_an_unknown_issue_counts_as_issued_when_fetched_and_an_unknown_value_is_no_forecast(
    tmp_path: Path,
) -> None:
    stored(tmp_path, T0, ("DE", 1, 10.0), ("DE", 2, None), kind="forecast")
    assert rows(archive(tmp_path)) == [("DE", 0, 1, 10.0, None)]


def test_an_issue_fetched_twice_stands_once_with_its_newest_value(tmp_path: Path) -> None:
    for at, value in ((0, 10.0), (1, 11.0)):
        stored(tmp_path, T0 + at * HOUR, ("DE", 3, value), kind="forecast", issued_at_utc=T0)
    assert rows(archive(tmp_path)) == [("DE", 0, 3, 11.0, None)]


def test_a_null_that_took_a_measurement_back_is_no_measurement(root: Path) -> None:
    stored(root, T0 + 40 * HOUR, ("DE", 5, None))
    assert rows(archive(root))[0] == ("DE", 3, 5, 104.0, None)


def test_a_damaged_file_is_named_once(root: Path) -> None:
    damaged = next(root.rglob("[!.]*.parquet"))
    damaged.write_bytes(b"half")
    _, events = forecast_archive(str(root), NOW, START)
    assert [event.subject for event in events] == [damaged.name]
