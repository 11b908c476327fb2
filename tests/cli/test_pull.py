"""``opencarbon pull grid``: which hours are asked for, and what is refused before anything is."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from opencarbon.cli import main
from opencarbon.cli.pull import span_of
from opencarbon.errors import ConfigError
from opencarbon.pipeline.past_hours import zones_in_force
from opencarbon.settings import load_settings
from opencarbon.sources.electricity_maps.past import Span

NOW = datetime(2026, 11, 26, 0, 40, tzinfo=UTC)
RUNNING = datetime(2026, 11, 26, 0, tzinfo=UTC)


def day(month: int, number: int, hour: int = 0) -> datetime:
    return datetime(2026, month, number, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, Span(day(11, 16), RUNNING)),
        ("2026-10-01", "2026-11-01", Span(day(10, 1), day(11, 1))),
        ("2026-10-01", None, Span(day(10, 1), RUNNING)),
        (None, "2026-11-01", Span(day(10, 22), day(11, 1))),
        ("2026-10-01T05:30:00+05:30", "2026-10-01T04:00:00Z", Span(day(10, 1), day(10, 1, 4))),
        ("2026-10-01T00:00:01Z", "2026-10-01T02:30:00Z", Span(day(10, 1, 1), day(10, 1, 3))),
        ("2026-10-01", "2030-01-01", Span(day(10, 1), RUNNING)),
    ],
)
def test_hours_that_begin_in_the_range_and_have_ended_are_asked_for(
    start: str | None, end: str | None, expected: Span
) -> None:
    assert span_of(start, end, now_utc=NOW) == expected


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("yesterday", None, "--from 'yesterday' is no ISO 8601 date or time"),
        (None, "2026-13-01", "--to '2026-13-01' is no ISO 8601 date or time"),
        ("2026-10-01T06:00:00", None, "write 2026-10-01T06:00:00Z for UTC"),
        ("2026-10-02", "2026-10-01", "give --from before --to"),
        ("2026-10-02", "2026-10-02", "give --from before --to"),
        ("2026-11-26", None, "and before now"),
        ("2016-12-31", "2017-02-01", "--from 2016-12-31 is before 2017"),
    ],
)
def test_a_range_without_hours_or_that_is_no_time_is_refused(
    start: str | None, end: str | None, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        span_of(start, end, now_utc=NOW)
    assert words in str(caught.value)


def test_the_zones_are_those_of_all_regions_the_users_among_them(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("region,zone,country_code\nonprem:oslo,NO-NO9,NO\n", encoding="utf-8")
    shipped = zones_in_force(load_settings())
    assert {"DE", "SE-SE3", "US-CAL-CISO"} <= set(shipped)
    assert {"SE", "US-CAR-SC"} <= set(shipped)  # no region's first reading: nights ask for them all the same
    added = zones_in_force(load_settings(None, {"regions": [str(tmp_path / "r.csv")]}))
    assert added == sorted({*shipped, "NO-NO9"})


def test_without_a_token_it_is_exit_status_2_and_says_where_the_token_goes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["pull", "grid"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "error: no token is set: put it into OPENCARBON_ELECTRICITY_MAPS__TOKEN\n"
