"""A user's own file of intensities: what is read, and how a bad row is named."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opencarbon.errors import SourceError, SourceShapeError
from opencarbon.sources.intensity_files.forms import FileForm
from opencarbon.sources.intensity_files.reading import read_intensity_file
from opencarbon.tables.inputs import GRID_INTENSITY
from tests.grid_server import FileServer

FETCHED = datetime(2026, 11, 22, 21, tzinfo=UTC)
HOURS = [datetime(2026, 11, 22, hour, tzinfo=UTC) for hour in range(3)]
HEADER = "zone,hour_start_utc,carbon_intensity_gco2e_per_kwh"


def read(location: str | Path, **changed: Any) -> pa.Table:
    known: dict[str, Any] = {"fetched_at_utc": FETCHED, "source_id": "own-meter"}
    return read_intensity_file(location, **(known | changed))


def csv(tmp_path: Path, *lines: str, header: str = HEADER) -> Path:
    path = tmp_path / "own.csv"
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return path


def parquet(tmp_path: Path, **columns: Any) -> Path:
    known: dict[str, Any] = {
        "zone": ["DE", "DE", "NA"],
        "hour_start_utc": pa.array(HOURS, pa.timestamp("us", tz="UTC")),
        "carbon_intensity_gco2e_per_kwh": [300.0, None, 20.0],
    }
    path = tmp_path / "own.parquet"
    pq.write_table(pa.table(known | columns), path)
    return path


def test_a_csv_becomes_rows_of_the_vocabulary_and_na_is_a_zone(tmp_path: Path) -> None:
    path = csv(
        tmp_path, "DE,2026-11-22T00:00:00Z,300", "DE,2026-11-22 02:00:00+01:00,", "NA,2026-11-22T02:00Z,2e1"
    )
    table = read(path)
    assert table.schema.equals(GRID_INTENSITY.schema(), check_metadata=True)
    assert table["zone"].to_pylist() == ["DE", "DE", "NA"]
    assert table["hour_start_utc"].to_pylist() == HOURS
    assert table["carbon_intensity_gco2e_per_kwh"].to_pylist() == [300.0, None, 20.0]
    assert set(table["intensity_kind"].to_pylist()) == {"measured"}
    assert set(table["emission_factor_type"].to_pylist()) == {"lifecycle"}
    assert set(table["is_estimated"].to_pylist()) == {None}
    assert set(table["fetched_at_utc"].to_pylist()) == {FETCHED}
    assert set(table["source_id"].to_pylist()) == {"own-meter"}


def test_csv_and_parquet_of_the_same_rows_give_the_same_table(tmp_path: Path) -> None:
    rows = ("DE,2026-11-22T00:00:00Z,300", "DE,2026-11-22T01:00:00Z,", "NA,2026-11-22T02:00:00Z,20")
    assert read(csv(tmp_path, *rows)).equals(read(parquet(tmp_path)))


def test_optional_columns_are_read_and_others_ignored(tmp_path: Path) -> None:
    header = f"{HEADER},intensity_kind,emission_factor_type,is_estimated,issued_at_utc,note"
    line = "DE,2026-11-22T00:00:00Z,1,forecast,direct,True,2026-11-21T21:34:56.789Z,mine"
    (row,) = read(csv(tmp_path, line, header=header)).to_pylist()
    assert (row["intensity_kind"], row["emission_factor_type"]) == ("forecast", "direct")
    assert (row["is_estimated"], "note" in row) == (True, False)
    assert row["issued_at_utc"] == datetime(2026, 11, 21, 21, 34, 56, 789000, tzinfo=UTC)


def test_kind_and_factor_type_can_be_said_for_the_whole_file(tmp_path: Path) -> None:
    table = read(parquet(tmp_path), intensity_kind="example", emission_factor_type="direct")
    assert set(table["intensity_kind"].to_pylist()) == {"example"}
    assert set(table["emission_factor_type"].to_pylist()) == {"direct"}


@pytest.mark.parametrize(
    "columns",
    [
        {"zone": pa.array(["DE", "DE", "NA"]).dictionary_encode()},
        {"zone": pa.array(["DE", "DE", "NA"], pa.large_string())},
        {"zone": pa.array(["DE", "DE", "NA"], pa.string_view())},
        {"hour_start_utc": pa.array(HOURS, pa.timestamp("ns", tz="UTC"))},
        {"hour_start_utc": pa.array(HOURS, pa.timestamp("ms", tz="Asia/Kolkata"))},
        {"carbon_intensity_gco2e_per_kwh": pa.array([300, None, 20], pa.int32())},
        {"carbon_intensity_gco2e_per_kwh": pa.array([300, None, 20], pa.float32())},
        {"carbon_intensity_gco2e_per_kwh": pa.array([300, None, 20], pa.decimal128(6, 2))},
        {"is_estimated": pa.nulls(3)},
    ],
)
def test_any_spelling_of_a_type_is_accepted(tmp_path: Path, columns: dict[str, Any]) -> None:
    assert read(parquet(tmp_path, **columns)).equals(read(parquet(tmp_path)))


def test_a_file_without_rows_is_an_empty_table(tmp_path: Path) -> None:
    assert read(csv(tmp_path)).num_rows == 0


def test_a_file_is_read_by_url() -> None:
    content = f"{HEADER}\nDE,2026-11-22T00:00:00Z,300\n".encode()
    with FileServer({"/own.csv": content}) as server:
        assert read(f"{server.url}/own.csv?signature=1")["zone"].to_pylist() == ["DE"]


BAD_LINES: list[tuple[str, str]] = [
    (",2026-11-22T00:00:00Z,1", "row 2, column zone: None is missing"),
    ("FR,,1", "row 2, column hour_start_utc: None is missing"),
    (
        "FR,2026-11-22T00:00:00,1",
        "row 2, column hour_start_utc: '2026-11-22T00:00:00' is no time with a time zone",
    ),
    ("FR,22.11.2026 00:00,1", "row 2, column hour_start_utc: '22.11.2026 00:00' is no time"),
    (
        "FR,2026-11-22T00:30:00Z,1",
        "row 2, column hour_start_utc: '2026-11-22T00:30:00Z' is not the start of an hour",
    ),
    (
        "FR,2026-11-22T00:00:00Z,-1",
        "row 2, column carbon_intensity_gco2e_per_kwh: '-1' is not between 0 and 2000",
    ),
    ("FR,2026-11-22T00:00:00Z,2001", "'2001' is not between 0 and 2000"),
    ("FR,2026-11-22T00:00:00Z,nan", "'nan' is not between 0 and 2000"),
    ("FR,2026-11-22T00:00:00Z,inf", "'inf' is not between 0 and 2000"),
    ("FR,2026-11-22T00:00:00Z,low", "row 2, column carbon_intensity_gco2e_per_kwh: 'low' is no number"),
    ("FR,0001-01-01T00:00:00+01:00,1", "'0001-01-01T00:00:00\\+01:00' is no time with a time zone"),
    (
        "DE,2026-11-22T00:00:00Z,9",
        "row 2, column hour_start_utc: 2026-11-22 00:00 UTC repeats an hour of its zone",
    ),
]


@pytest.mark.parametrize(("line", "words"), BAD_LINES)
def test_a_bad_row_is_named_with_column_and_value(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(SourceShapeError, match=rf"own\.csv: .*{words}"):
        read(csv(tmp_path, "DE,2026-11-22T00:00:00Z,1", line))


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("intensity_kind", "guessed", "'guessed' is none of measured, forecast"),
        ("intensity_kind", "", "None is missing"),
        ("emission_factor_type", "marginal", "'marginal' is none of lifecycle, direct"),
        ("is_estimated", "perhaps", "'perhaps' is neither true nor false"),
        ("issued_at_utc", "2026-11-21", "'2026-11-21' is no time with a time zone"),
    ],
)
def test_a_bad_optional_value_is_named(tmp_path: Path, column: str, value: str, words: str) -> None:
    path = csv(tmp_path, f"DE,2026-11-22T00:00:00Z,1,{value}", header=f"{HEADER},{column}")
    with pytest.raises(SourceShapeError, match=f"row 1, column {column}: {words}"):
        read(path)


def test_every_broken_rule_is_told_with_its_first_row_and_the_number_of_others(tmp_path: Path) -> None:
    lines = [
        f"DE,2026-11-22T{hour:02}:00:00Z,{'x' if hour > 2 else 9999 if hour == 1 else 1}" for hour in range(9)
    ]
    with pytest.raises(SourceShapeError) as caught:
        read(csv(tmp_path, *lines, ",2026-11-22T00:00:00Z,1"))
    assert "row 10, column zone: None is missing" in str(caught.value)
    assert "row 4, column carbon_intensity_gco2e_per_kwh: 'x' is no number (and 5 more rows)" in str(
        caught.value
    )


def test_the_same_hour_of_another_issue_is_no_repetition(tmp_path: Path) -> None:
    lines = [f"DE,2026-11-22T12:00:00Z,{hour},2026-11-22T0{hour}:00:00Z" for hour in range(3)]
    assert read(csv(tmp_path, *lines, header=f"{HEADER},issued_at_utc")).num_rows == 3


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"zone": [1, 2, 3]}, "column zone: found int64, expected string"),
        ({"hour_start_utc": [1, 2, 3]}, "column hour_start_utc: found int64, expected timestamp"),
        (
            {"hour_start_utc": pa.array([1, 2, 3], pa.timestamp("us"))},
            r"column hour_start_utc: found timestamp\[us\], expected timestamp\[us, tz=UTC\]",
        ),
        ({"carbon_intensity_gco2e_per_kwh": [True, False, None]}, "found bool, expected double"),
        (
            {"carbon_intensity_gco2e_per_kwh": [float("nan"), 1.0, 2.0]},
            "row 1, .*: nan is not between 0 and 2000",
        ),
        ({"is_estimated": [0, 1, 0]}, "column is_estimated: found int64, expected bool"),
    ],
)
def test_a_column_of_the_wrong_type_is_named(tmp_path: Path, columns: dict[str, Any], words: str) -> None:
    with pytest.raises(SourceShapeError, match=words):
        read(parquet(tmp_path, **columns))


def test_missing_columns_are_named_with_those_found(tmp_path: Path) -> None:
    path = csv(tmp_path, header="zone,Datetime (UTC),intensity")
    words = r"lacks the columns hour_start_utc, carbon_intensity_gco2e_per_kwh; it has zone, Datetime \(UTC\), intensity"
    with pytest.raises(SourceShapeError, match=words):
        read(path)


@pytest.mark.parametrize(
    ("header", "columns"),
    [(f"{HEADER},zone", {}), (f"{HEADER},Area", {"Area": "zone"})],
    ids=["same", "mapped"],
)
def test_a_column_that_stands_twice_is_refused(tmp_path: Path, header: str, columns: dict[str, str]) -> None:
    path = csv(tmp_path, "DE,2026-11-22T00:00:00Z,1,FR", header=header)
    with pytest.raises(SourceShapeError, match=r"own\.csv has 2 columns zone: keep one of them"):
        read(path, form=FileForm(columns=columns))


@pytest.mark.parametrize(("separator", "words"), [(";", "semicolons"), ("\t", "tabs")])
def test_another_separator_than_commas_is_named(tmp_path: Path, separator: str, words: str) -> None:
    path = csv(
        tmp_path, f"DE{separator}2026-11-22T00:00:00Z{separator}1,5", header=HEADER.replace(",", separator)
    )
    with pytest.raises(SourceShapeError, match=rf"has its columns apart by {words}: write it with commas"):
        read(path)


@pytest.mark.parametrize("name", ["own.csv", "own.parquet"])
@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b"a,b\n1\n"])
def test_a_file_that_is_something_else_is_a_shape_error(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceShapeError, match=r"own\."):
        read(tmp_path / name)


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no such file"):
        read(tmp_path / "none.parquet")


def test_a_naive_time_of_the_fetch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fetched_at_utc must carry a time zone"):
        read(parquet(tmp_path), fetched_at_utc=datetime(2026, 11, 22))
