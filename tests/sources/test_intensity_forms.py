"""Files of intensities in other people's forms: exports, mapped columns, wide ones, finer rows, other units."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opencarbon.errors import SourceShapeError
from opencarbon.sources.intensity_files.forms import FileForm, export_of
from opencarbon.sources.intensity_files.reading import read_intensity_file

FETCHED = datetime(2026, 11, 22, 21, tzinfo=UTC)
DAY = datetime(2026, 11, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
LCA = (
    "Datetime (UTC),Country,Zone Name,Zone Id,Carbon Intensity gCO₂eq/kWh (direct),Carbon Intensity gCO₂eq/kWh (LCA),"
    "Low Carbon Percentage,Renewable Percentage,Data Source,Data Estimated,Data Estimation Method"
)
LIFE_CYCLE = (
    "Datetime (UTC),Country,Zone name,Zone id,Carbon intensity gCO₂eq/kWh (direct),"
    "Carbon intensity gCO₂eq/kWh (Life cycle),Carbon-free energy percentage (CFE%),Renewable energy percentage (RE%),"
    "Data source,Data estimated,Data estimation method"
)
WITHOUT_ESTIMATED = LIFE_CYCLE.partition(",Data estimated")[0]


def read(path: Path, *, granularity: Any = "hourly", unit: Any = "g/kWh", **form: Any) -> pa.Table:
    return read_intensity_file(
        path,
        fetched_at_utc=FETCHED,
        source_id="own-meter",
        form=FileForm(granularity=granularity, unit=unit, **form),
    )


def written(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "own.csv"
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


def exported(tmp_path: Path, header: str, *times: str) -> Path:
    values = (
        "163.46,213.79,81.2,73.7,entsoe.eu,false,",
        ",,81.2,73.7,estimation,true,ESTIMATED_MODE_BREAKDOWN",
    )
    count = header.count(",") + 1
    rows = (f"{time},Germany,Germany,DE,{values[number % 2]}" for number, time in enumerate(times))
    return written(tmp_path, header, *(",".join(row.split(",")[:count]) for row in rows))


def values(table: pa.Table, name: str = "carbon_intensity_gco2e_per_kwh") -> list[Any]:
    return table[name].to_pylist()


# --- exports of Electricity Maps -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [LCA, LIFE_CYCLE, LCA.upper(), LCA.replace("₂", "2"), LCA.replace("(LCA)", "(life cycle assessment)")],
)
def test_an_export_gives_rows_of_both_emission_factor_types(tmp_path: Path, header: str) -> None:
    table = read(exported(tmp_path, header, "2026-11-20 00:00:00", "2026-11-20 01:00:00"))
    assert values(table, "emission_factor_type") == ["lifecycle", "lifecycle", "direct", "direct"]
    assert values(table) == [213.79, None, 163.46, None]
    assert values(table, "hour_start_utc") == [DAY, DAY + HOUR] * 2
    assert values(table, "is_estimated") == [False, True] * 2
    assert set(values(table, "zone")) == {"DE"}
    assert set(values(table, "source_id")) == {"electricity-maps-export"}
    assert set(values(table, "intensity_kind")) == {"measured"}


def test_an_export_that_does_not_say_what_is_estimated_leaves_it_unknown(tmp_path: Path) -> None:
    table = read(exported(tmp_path, WITHOUT_ESTIMATED, "2026-11-20 00:00:00"))
    assert values(table, "is_estimated") == [None, None]


def test_an_export_of_five_minutes_becomes_hours(tmp_path: Path) -> None:
    times = [f"2026-11-20 01:{minute:02}:00" for minute in range(0, 60, 5)]
    table = read(exported(tmp_path, LCA, *times), granularity="5min")
    assert values(table) == pytest.approx([213.79, 163.46])
    assert values(table, "is_estimated") == [True, True]


@pytest.mark.parametrize(
    "times", [["2026-11-20 00:00:00", "2026-11-21 00:00:00"], ["2024-01-01 00:00:00", "2025-01-01 00:00:00"]]
)
def test_means_of_days_or_longer_cannot_stand_for_hours(tmp_path: Path, times: list[str]) -> None:
    with pytest.raises(SourceShapeError, match=r"own\.csv: every row begins at midnight.*give hourly data"):
        read(exported(tmp_path, LCA, *times))


def test_a_bad_row_of_an_export_is_named_by_its_own_heading(tmp_path: Path) -> None:
    path = exported(tmp_path, LCA, "2026-11-20 00:00:00", "20.11.2026")
    with pytest.raises(SourceShapeError, match=r"row 2, column Datetime \(UTC\): '20.11.2026' is no time"):
        read(path)


@pytest.mark.parametrize("missing", ["Datetime (UTC),", "Zone Id,"])
def test_a_header_without_time_or_zone_is_no_export(missing: str) -> None:
    assert export_of(LCA.split(",")) is not None
    assert export_of(LCA.replace(missing, "").split(",")) is None


# --- mapped columns --------------------------------------------------------------------------------------------------

MAPPING = {"Time": "hour_start_utc", "Area": "zone", "Intensity": "carbon_intensity_gco2e_per_kwh"}


def test_their_columns_are_read_by_ours(tmp_path: Path) -> None:
    table = read(
        written(tmp_path, "Intensity,Area,Time", "300,DE,2026-11-20T01:00:00+01:00"), columns=MAPPING
    )
    assert (values(table), values(table, "zone"), values(table, "hour_start_utc")) == ([300.0], ["DE"], [DAY])


def test_a_bad_value_is_named_by_their_column(tmp_path: Path) -> None:
    path = written(tmp_path, "Intensity,Area,Time", "300,DE,2026-11-20T01:00:00Z", "x,,2026-11-20T02:00:00Z")
    with pytest.raises(SourceShapeError) as caught:
        read(path, columns=MAPPING)
    assert "row 2, column Intensity: 'x' is no number" in str(caught.value)
    assert "row 2, column Area: None is missing" in str(caught.value)


def test_a_file_without_zones_is_of_the_zone_that_is_said(tmp_path: Path) -> None:
    path = written(tmp_path, "Intensity,Time", "300,2026-11-20T00:00:00Z")
    assert values(read(path, columns=MAPPING, zone="DE"), "zone") == ["DE"]
    with pytest.raises(SourceShapeError, match=r"lacks the columns zone; .*say --zone or --wide"):
        read(path, columns=MAPPING)


def test_a_zone_said_for_a_file_that_has_zones_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "Intensity,Area,Time", "300,DE,2026-11-20T00:00:00Z")
    with pytest.raises(SourceShapeError, match="has a column of zones, Area: leave out --zone FR"):
        read(path, columns=MAPPING, zone="FR")


@pytest.mark.parametrize("heading", ["Time (UTC)", "datetime_utc", "UTC"])
def test_times_of_a_column_that_says_utc_need_no_zone(tmp_path: Path, heading: str) -> None:
    path = written(tmp_path, f"Intensity,Area,{heading}", "300,DE,2026-11-20 05:00")
    table = read(path, columns=MAPPING | {heading: "hour_start_utc"})
    assert values(table, "hour_start_utc") == [DAY + 5 * HOUR]


@pytest.mark.parametrize("heading", ["Time", "cutchr", "hour_start_utc"])
def test_other_times_without_a_zone_are_refused_unless_they_are_said_to_be_utc(
    tmp_path: Path, heading: str
) -> None:
    path = written(tmp_path, f"Intensity,Area,{heading}", "300,DE,2026-11-20 05:00")
    columns = MAPPING | {heading: "hour_start_utc"}
    with pytest.raises(
        SourceShapeError, match=f"column {heading}: '2026-11-20 05:00' is no time with a time zone"
    ):
        read(path, columns=columns)
    assert values(read(path, columns=columns, naive_is_utc=True), "hour_start_utc") == [DAY + 5 * HOUR]


def test_parquet_is_mapped_like_csv(tmp_path: Path) -> None:
    path = tmp_path / "own.parquet"
    times = pa.array([DAY.replace(tzinfo=None)], pa.timestamp("ns"))
    pq.write_table(pa.table({"Area": ["DE"], "at UTC": times, "Intensity": [300]}), path)
    table = read(path, columns=MAPPING | {"at UTC": "hour_start_utc"})
    assert (values(table), values(table, "hour_start_utc")) == ([300.0], [DAY])


# --- units -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "given", "expected"),
    [("g/kWh", 300, 300.0), ("kg/MWh", 300, 300.0), ("kg/kWh", 0.3, 300.0), ("lbs/MWh", 1000, 453.59237)],
)
def test_units_become_grams_per_kilowatt_hour(
    tmp_path: Path, unit: str, given: float, expected: float
) -> None:
    path = written(tmp_path, "Intensity,Area,Time", f"{given},DE,2026-11-20T01:00:00Z")
    assert values(read(path, columns=MAPPING, unit=unit)) == pytest.approx([expected], rel=1e-12)


def test_a_value_beyond_bounds_is_named_in_its_unit(tmp_path: Path) -> None:
    path = written(tmp_path, "Intensity,Area,Time", "300,DE,2026-11-20T01:00:00Z")
    with pytest.raises(
        SourceShapeError, match="row 1, column Intensity: '300' is not between 0 and 2 kg/kWh"
    ):
        read(path, columns=MAPPING, unit="kg/kWh")


# --- finer rows ------------------------------------------------------------------------------------------------------


def quarters(tmp_path: Path, *lines: str) -> Path:
    return written(tmp_path, "Intensity,Area,Time", *lines)


def test_quarters_of_an_hour_become_its_mean(tmp_path: Path) -> None:
    lines = [
        f"{100 + minute},{zone},2026-11-20T05:{minute:02}:00Z"
        for zone in ("DE", "FR")
        for minute in (0, 15, 30, 45)
    ]
    table = read(quarters(tmp_path, *lines), columns=MAPPING, granularity="15min")
    assert (values(table), values(table, "zone")) == ([122.5, 122.5], ["DE", "FR"])
    assert values(table, "hour_start_utc") == [DAY + 5 * HOUR] * 2
    assert values(table, "is_estimated") == [None, None]


def test_an_hour_of_which_a_part_is_unknown_or_missing_is_an_estimate(tmp_path: Path) -> None:
    lines = ["100,DE,2026-11-20T05:00:00Z", ",DE,2026-11-20T05:30:00Z", "80,DE,2026-11-20T06:30:00Z"]
    lines += [f",DE,2026-11-20T07:{minute}:00Z" for minute in ("00", "30")]
    table = read(quarters(tmp_path, *lines), columns=MAPPING, granularity="30min")
    assert values(table) == [100.0, 80.0, None]
    assert values(table, "is_estimated") == [True, True, None]


def test_finer_rows_are_not_taken_for_hours_unless_it_is_said(tmp_path: Path) -> None:
    path = quarters(tmp_path, "1,DE,2026-11-20T05:00:00Z", "1,DE,2026-11-20T05:30:00Z")
    with pytest.raises(
        SourceShapeError, match=r"row 2, column Time: .*05:30:00Z' is not the start of an hour: say --gran"
    ):
        read(path, columns=MAPPING)
    path = quarters(tmp_path, "1,DE,2026-11-20T05:10:00Z")
    with pytest.raises(SourceShapeError, match="'2026-11-20T05:10:00Z' is not the start of 15 minutes"):
        read(path, columns=MAPPING, granularity="15min")


def test_a_part_of_an_hour_that_stands_twice_is_named(tmp_path: Path) -> None:
    path = quarters(tmp_path, *(2 * ["1,DE,2026-11-20T05:30:00Z"]))
    with pytest.raises(SourceShapeError, match=r"row 2, column Time: .* repeats an hour of its zone"):
        read(path, columns=MAPPING, granularity="30min")


# --- wide files ------------------------------------------------------------------------------------------------------


def test_a_wide_file_has_one_column_per_zone(tmp_path: Path) -> None:
    path = written(tmp_path, "datetime_utc,DE,NA", "2026-11-20T05:00:00Z,300,", "2026-11-20T06:00:00Z,310,20")
    table = read(path, is_wide=True)
    assert values(table, "zone") == ["DE", "DE", "NA", "NA"]
    assert values(table, "hour_start_utc") == [DAY + hour * HOUR for hour in (5, 6, 5, 6)]
    assert values(table) == [300.0, 310.0, None, 20.0]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["2026-11-20T05:00:00Z,1,2", "2026-11-20T06:00:00Z,1,low"], "row 2, column FR: 'low' is no number"),
        (["2026-11-20T05:00:00Z,1,-2"], "row 1, column FR: '-2' is not between 0 and 2000 g/kWh"),
        (2 * ["2026-11-20T05:00:00Z,1,2"], "row 2, column Time: .* repeats an hour of its zone"),
        (
            ["2026-11-20T05:00:00,1,2"],
            "row 1, column Time: '2026-11-20T05:00:00' is no time with a time zone",
        ),
        (["2026-11-20,1,2"], "row 1, column Time: '2026-11-20' is no time with a time zone"),
        ([",1,2"], "row 1, column Time: None is missing"),
    ],
)
def test_a_bad_value_of_a_wide_file_is_named_by_row_and_zone(
    tmp_path: Path, lines: list[str], words: str
) -> None:
    with pytest.raises(SourceShapeError, match=words):
        read(written(tmp_path, "Time,DE,FR", *lines), is_wide=True)


def test_a_wide_file_without_zones_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceShapeError, match="has no column of a zone beside its first column Time"):
        read(written(tmp_path, "Time", "2026-11-20T05:00:00Z"), is_wide=True)


def test_a_wide_file_of_half_hours_becomes_hours(tmp_path: Path) -> None:
    path = written(tmp_path, "Time,DE,FR", "2026-11-20T05:00:00Z,10,1", "2026-11-20T05:30:00Z,20,")
    table = read(path, is_wide=True, granularity="30min")
    assert (values(table), values(table, "is_estimated")) == ([15.0, 1.0], [None, True])
