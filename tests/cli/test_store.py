"""``opencarbon pull grid --file`` and ``opencarbon store``: what they print, and what they refuse."""

import json
from pathlib import Path

import pytest

from opencarbon.cli import main

HEADER = (
    "Datetime (UTC),Zone id,Carbon intensity gCO₂eq/kWh (direct),Carbon intensity gCO₂eq/kWh (Life cycle)"
)
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENCARBON_STORE__ROOT", str(tmp_path / "store"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "store"


@pytest.fixture
def export(tmp_path: Path) -> Path:
    path = tmp_path / "DE.csv"
    lines = [f"2022-0{month}-01 0{hour}:00:00,DE,200,30{hour}" for month in (1, 2) for hour in (1, 2)]
    path.write_text("\n".join([HEADER, *lines, ""]), encoding="utf-8")
    return path


def test_an_import_prints_what_each_file_brought(store: Path, export: Path, capsys: Capture) -> None:
    asked = ["pull", "grid", "--file", str(export), "--fetched-at", "2023-01-15T00:00:00Z"]
    assert main([*asked, "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"8 rows would be stored in {store} as 2 files, known from 2023-01-15 00:00 UTC on"
    )
    assert not store.exists()
    assert main(asked) == 0
    heading, _, row, last = capsys.readouterr().out.splitlines()
    assert heading.split() == ["file", "zones", "first", "hour", "last", "hour", "rows", "null", "new"]
    assert row.split() == [str(export), "1", "2022-01-01", "01:00", "2022-02-01", "02:00", "8", "0", "8"]
    assert last == f"8 rows stored in {store} as 2 files, known from 2023-01-15 00:00 UTC on"


def test_an_import_can_be_read_by_a_machine(store: Path, export: Path, capsys: Capture) -> None:
    assert (
        main(["pull", "grid", "--file", str(export), "--fetched-at", "2023-01-15T00:00:00Z", "--json"]) == 0
    )
    assert json.loads(capsys.readouterr().out) == {
        "fetched_at_utc": "2023-01-15T00:00:00+00:00",
        "is_stored": True,
        "files": [
            {
                "location": str(export),
                "zones": 1,
                "first_hour_utc": "2022-01-01T01:00:00+00:00",
                "last_hour_utc": "2022-02-01T02:00:00+00:00",
                "rows": 8,
                "null_rows": 0,
                "stored_rows": 8,
                "files": 2,
            }
        ],
        "events": [],
    }


def test_columns_of_the_settings_and_statements_of_the_command_are_used(
    store: Path, tmp_path: Path, capsys: Capture
) -> None:
    config = tmp_path / "own.toml"
    config.write_text('[store.columns]\n"kg" = "carbon_intensity_gco2e_per_kwh"\n"at" = "hour_start_utc"\n')
    own = tmp_path / "own.csv"
    own.write_text("at,kg\n2026-11-20 05:00,0.2\n2026-11-20 05:30,0.4\n", encoding="utf-8")
    said = ["--zone", "DE", "--unit", "kg/kWh", "--granularity", "30min", "--utc", "--factors", "direct"]
    asked = ["pull", "grid", "--file", str(own), "--config", str(config), *said, "--basis", "production"]
    assert main([*asked, "--json"]) == 0
    (file,) = json.loads(capsys.readouterr().out)["files"]
    assert (file["rows"], file["stored_rows"]) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--wide"], "only files can be read in another way: say --file"),
        (["--file", "x.csv", "--from", "2026-01-01"], "leave out --from, --to, --zones and --strict"),
        (["--file", "x.csv", "--zones", "DE"], "leave out --from, --to, --zones and --strict"),
        (
            ["--file", "x.csv", "--fetched-at", "2026-01-01T00:00:00"],
            "--fetched-at '2026-01-01T00:00:00' has no time zone",
        ),
        (["--file", "x.csv", "--fetched-at", "soon"], "--fetched-at 'soon' is no ISO 8601 time"),
    ],
)
def test_what_does_not_go_together_is_refused(
    store: Path, capsys: Capture, arguments: list[str], words: str
) -> None:
    assert main(["pull", "grid", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_the_store_is_described_merged_and_purged(store: Path, export: Path, capsys: Capture) -> None:
    main(["pull", "grid", "--file", str(export), "--fetched-at", "2023-01-15T00:00:00Z"])
    capsys.readouterr()
    assert main(["store", "path"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        str(store),
        "2 files (0 merged), 0.0 MB",
        "fetched 2023-01-15 00:00 to 2023-01-15 00:00 UTC",
        "hours 2022-01-01 to 2022-02-01 UTC",
    ]
    assert main(["store", "compact"]) == 0
    assert capsys.readouterr().out == "2 files before, 2 after; 8 rows merged\n"
    assert main(["store", "path", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["merged"], said["last_hour_utc"]) == (2, "2022-02-28T23:00:00+00:00")
    assert main(["store", "purge", "--before", "2023-01-16"]) == 0
    out = capsys.readouterr().out
    assert (
        "8 rows fetched before 2023-01-16 00:00 UTC, in 2 files, would be deleted; of 8 hours nothing is known"
        in out
    )
    assert out.endswith("nothing is deleted yet: add --yes\n")
    assert main(["store", "purge", "--before", "2023-01-16", "--yes"]) == 0
    assert "are deleted" in capsys.readouterr().out
    assert list(store.rglob("[!.]*.parquet")) == []


def test_a_purge_needs_a_moment(store: Path) -> None:
    assert main(["store", "purge"]) == 2


@pytest.mark.parametrize("text", ["long ago", "2026-13-01", "0001-01-01T00:00:00+01:00"])
def test_what_is_no_moment_is_refused_as_it_was_given(store: Path, capsys: Capture, text: str) -> None:
    assert main(["store", "purge", "--before", text]) == 2
    assert f"--before {text!r} is no ISO 8601 date or time" in " ".join(capsys.readouterr().err.split())
