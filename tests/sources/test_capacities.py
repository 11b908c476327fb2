"""Files of free devices: what is read, and every violation in one error."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opencarbon.errors import ConfigError
from opencarbon.sources.capacities import read_capacities

REGIONS = ("aws:eu-north-1", "aws:us-east-1", "gcp:europe-west4")
UNITS = {
    "h100": ("NVIDIA H100", 1.0),
    "nvidiah100": ("NVIDIA H100", 1.0),
    "tpuv4core": ("Google TPU v4", 0.5),
}
HEAD = "region,device,devices,from_utc,to_utc\n"


def read(*paths: Path) -> pa.Table:
    return read_capacities([str(path) for path in paths], regions=REGIONS, device_units=UNITS)


def written(folder: Path, rows: str, head: str = HEAD) -> Path:
    path = folder / "free.csv"
    path.write_text(head + rows, encoding="utf-8")
    return path


def refused(folder: Path, rows: str, head: str = HEAD) -> str:
    with pytest.raises(ConfigError) as refusal:
        read(written(folder, rows, head))
    return str(refusal.value)


def test_names_are_those_of_the_catalog_and_parts_count_as_parts(tmp_path: Path) -> None:
    rows = "AWS:eu-north-1,h100,16,2026-11-16T01:00:00+01:00,\ngcp:europe-west4,TPU v4 core,7,,2026-11-17T00:00Z\n"
    found = read(written(tmp_path, rows)).to_pylist()

    midnight = datetime(2026, 11, 16, tzinfo=UTC)
    first = {
        "region": "aws:eu-north-1",
        "device": "NVIDIA H100",
        "devices": 16.0,
        "from_utc": midnight,
        "to_utc": None,
    }
    second = {"region": "gcp:europe-west4", "device": "Google TPU v4", "devices": 3.5, "from_utc": None}
    assert [first, second | {"to_utc": datetime(2026, 11, 17, tzinfo=UTC)}] == found


def test_parquet_says_the_same_without_the_columns_of_a_span(tmp_path: Path) -> None:
    path = tmp_path / "free.parquet"
    pq.write_table(pa.table({"region": ["aws:us-east-1"], "device": ["NVIDIA H100"], "devices": [3]}), path)

    assert [("aws:us-east-1", 3.0, None, None)] == [
        (row["region"], row["devices"], row["from_utc"], row["to_utc"]) for row in read(path).to_pylist()
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            "aws:eu-nort-1,h100,1,,",
            "region 'aws:eu-nort-1' is not in the catalog, did you mean 'aws:eu-north-1'",
        ),
        ("aws:eu-north-1,h10,1,,", "device 'h10' is not in the catalog, did you mean 'NVIDIA H100'"),
        ("aws:eu-north-1,h100,-1,,", "devices '-1' is below 0"),
        ("aws:eu-north-1,h100,many,,", "devices 'many' is not a number"),
        ("aws:eu-north-1,h100,,,", "devices is missing"),
        (",h100,1,,", "region is missing"),
        (
            "aws:eu-north-1,h100,1,2026-11-16T00:00:00,",
            "from_utc '2026-11-16T00:00:00' is not a time with its offset",
        ),
        (
            "aws:eu-north-1,h100,1,,2026-11-16T00:30:00Z",
            "to_utc '2026-11-16T00:30:00Z' is not the start of an hour",
        ),
        (
            "aws:eu-north-1,h100,1,2026-11-16T00:00Z,2026-11-16T00:00Z",
            "to_utc '2026-11-16T00:00Z' is not after from_utc",
        ),
    ],
)
def test_a_row_that_breaks_a_rule_is_named_with_its_remedy(tmp_path: Path, row: str, said: str) -> None:
    text = refused(tmp_path, f"aws:us-east-1,h100,1,,\n{row}\n")

    assert f"free.csv, row 1: {said}" in text
    assert ";" in text.partition(said)[2]
    assert "row 0" not in text


def test_every_violation_of_every_file_is_in_one_error(tmp_path: Path) -> None:
    missing = tmp_path / "none.csv"
    with pytest.raises(ConfigError) as refusal:
        read(written(tmp_path, "aws:eu-north-1,h100,-1,,\nnowhere,h100,x,,\n"), missing)

    for said in ("row 0: devices '-1'", "row 1: region 'nowhere'", "row 1: devices 'x'", "none.csv"):
        assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("first", "second", "overlaps"),
    [
        ("2026-11-16T00:00Z,2026-11-16T05:00Z", "2026-11-16T05:00Z,2026-11-16T09:00Z", False),
        ("2026-11-16T00:00Z,2026-11-16T05:00Z", "2026-11-16T04:00Z,2026-11-16T09:00Z", True),
        (",", "2026-11-16T04:00Z,", True),
        (",2026-11-16T04:00Z", "2026-11-16T04:00Z,", False),
    ],
)
def test_two_spans_of_a_device_say_two_things_of_an_hour(
    tmp_path: Path, first: str, second: str, overlaps: bool
) -> None:
    rows = f"aws:us-east-1,h100,1,{first}\naws:us-east-1,NVIDIA H100,2,{second}\naws:eu-north-1,h100,1,,\n"
    if overlaps:
        assert "row 1: NVIDIA H100 in aws:us-east-1 overlaps the span of" in refused(tmp_path, rows)
    else:
        assert 3 == read(written(tmp_path, rows)).num_rows


def test_a_column_that_is_missing_is_named(tmp_path: Path) -> None:
    assert "has no column devices" in refused(tmp_path, "aws:us-east-1,h100\n", "region,device\n")
