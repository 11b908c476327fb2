"""Files of intensities into the store: what is stored, from when it is known, and what stays as it was."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pytest

from opencarbon.errors import SourceShapeError
from opencarbon.pipeline.imports import GridImport, import_grid
from opencarbon.sources.intensity_files.forms import FileForm
from opencarbon.sources.store.forecast_archive import forecast_archive
from opencarbon.sources.store.intensities import read_as_of
from tests.sources.fetches import HOUR, LATER, T0, known, stored

NOW = datetime(2026, 11, 26, 2, tzinfo=UTC)
WIDE = FileForm(is_wide=True)


def wide(folder: Path, **zones: list[float | None]) -> Path:
    """A wide file of hours from T0 on."""
    path = folder / f"wide-{len(list(folder.glob('wide-*')))}.csv"
    hours = [f"{T0 + lead * HOUR:%Y-%m-%dT%H:%M:%SZ}" for lead in range(len(next(iter(zones.values()))))]
    pacsv.write_csv(pa.table({"datetime_utc": hours, **zones}), path)
    return path


def bring(root: Path, *files: Path, at: datetime = NOW, form: FileForm = WIDE, **changed: Any) -> GridImport:
    options: dict[str, Any] = {
        "fetched_at_utc": at,
        "emission_factor_type": "lifecycle",
        "accounting_basis": "flow_traced",
        "is_for_real": True,
    }
    return import_grid(str(root), [str(file) for file in files], form, **(options | changed))


def test_hours_are_known_from_the_moment_they_were_got_and_not_before(tmp_path: Path) -> None:
    (file,) = bring(tmp_path / "store", wide(tmp_path, DE=[1.0, None], FR=[3.0, 4.0])).files
    assert (file.zones, file.rows, file.null_rows, file.stored_rows, file.files) == (2, 4, 1, 3, 1)
    assert (file.first_hour_utc, file.last_hour_utc) == (T0, T0 + HOUR)
    assert known(tmp_path / "store", NOW) == {("DE", 0): 1.0, ("FR", 0): 3.0, ("FR", 1): 4.0}
    assert known(tmp_path / "store", NOW - timedelta(seconds=1)) == {}
    rows, _ = read_as_of(str(tmp_path / "store"), NOW)
    assert set(rows["source_id"].to_pylist()) == {"intensity-file"}
    assert set(rows["accounting_basis"].to_pylist()) == {"flow_traced"}


def test_every_month_of_hours_is_a_file(tmp_path: Path) -> None:
    hours = wide(tmp_path, DE=[float(hour % 24) for hour in range(24 * 62)])
    (file,) = bring(tmp_path / "store", hours, at=LATER).files
    assert (file.stored_rows, file.files) == (24 * 62, 3)
    names = sorted(path.name for path in tmp_path.rglob("*.parquet"))
    assert [name[23:46] for name in names] == [
        "20261101T00-20261130T23",
        "20261201T00-20261231T23",
        "20270101T00-20270101T23",
    ]
    assert len(known(tmp_path / "store", LATER)) == 24 * 62


def test_the_same_file_again_stores_nothing_and_news_alone_are_stored(tmp_path: Path) -> None:
    first = wide(tmp_path, DE=[1.0, 2.0, 3.0], FR=[4.0, 5.0, 6.0])
    bring(tmp_path / "store", first)
    files = sorted(tmp_path.rglob("*.parquet"))
    assert bring(tmp_path / "store", first, at=NOW + HOUR).files[0].stored_rows == 0
    assert bring(tmp_path / "store", first, first).files[1].stored_rows == 0
    assert sorted(tmp_path.rglob("*.parquet")) == files
    later = bring(tmp_path / "store", wide(tmp_path, DE=[1.0, 9.0, None], NA=[7.0, 7.0, None]), at=NOW + HOUR)
    assert later.files[0].stored_rows == 3
    assert known(tmp_path / "store", NOW + HOUR) == {
        **{("DE", hour): value for hour, value in enumerate((1.0, 9.0, 3.0))},
        **{("FR", hour): value for hour, value in enumerate((4.0, 5.0, 6.0))},
        **{("NA", hour): 7.0 for hour in range(2)},
    }


def test_a_value_that_comes_back_is_stored_again(tmp_path: Path) -> None:
    for hours, value in enumerate((1.0, 2.0, 1.0)):
        bring(tmp_path / "store", wide(tmp_path, DE=[value]), at=NOW + hours * HOUR)
    assert [known(tmp_path / "store", NOW + hours * HOUR)["DE", 0] for hours in range(3)] == [1.0, 2.0, 1.0]


def test_what_was_got_earlier_does_not_replace_what_was_fetched_since(tmp_path: Path) -> None:
    stored(tmp_path / "store", NOW, ("DE", 0, 5.0))
    assert bring(tmp_path / "store", wide(tmp_path, DE=[1.0]), at=NOW - HOUR).files[0].stored_rows == 1
    assert known(tmp_path / "store", NOW) == {("DE", 0): 5.0}
    assert known(tmp_path / "store", NOW - HOUR) == {("DE", 0): 1.0}


def test_factors_and_basis_of_files_that_do_not_say_are_as_said_and_kept_apart(tmp_path: Path) -> None:
    file = wide(tmp_path, DE=[1.0])
    bring(tmp_path / "store", file)
    bring(tmp_path / "store", file, accounting_basis="production")
    bring(tmp_path / "store", file, emission_factor_type="direct")
    rows, _ = read_as_of(str(tmp_path / "store"), NOW)
    assert rows.select(["emission_factor_type", "accounting_basis"]).to_pylist() == [
        {"emission_factor_type": "direct", "accounting_basis": "flow_traced"},
        {"emission_factor_type": "lifecycle", "accounting_basis": "flow_traced"},
        {"emission_factor_type": "lifecycle", "accounting_basis": "production"},
    ]


def test_every_issue_of_a_forecast_is_kept_once(tmp_path: Path) -> None:
    path = tmp_path / "forecasts.csv"
    header = "zone,hour_start_utc,carbon_intensity_gco2e_per_kwh,intensity_kind,issued_at_utc"
    lines = [f"DE,2026-11-26T05:00:00Z,{value},forecast,2026-11-26T0{value}:00:00Z" for value in (0, 1)]
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    assert bring(tmp_path / "store", path, form=FileForm()).files[0].stored_rows == 2
    assert bring(tmp_path / "store", path, form=FileForm(), at=NOW + HOUR).files[0].stored_rows == 0
    archive, _ = forecast_archive(str(tmp_path / "store"), NOW + timedelta(days=1), NOW)
    assert archive["forecast_gco2e_per_kwh"].to_pylist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("kind", "early", "words"),
    [
        (
            "measured",
            timedelta(),
            "the measured hour 2026-11-26 03:00 UTC had not begun when the file was got",
        ),
        ("forecast", timedelta(days=7), "the forecast hour 2026-11-26 03:00 UTC is more than 7 days after"),
    ],
)
@pytest.mark.parametrize("is_for_real", [True, False])
def test_hours_that_nobody_knew_when_the_file_was_got_are_refused(
    tmp_path: Path, kind: str, early: timedelta, words: str, is_for_real: bool
) -> None:
    path = tmp_path / "ahead.csv"
    header = "zone,hour_start_utc,carbon_intensity_gco2e_per_kwh,intensity_kind,issued_at_utc"
    path.write_text(f"{header}\nDE,2026-11-26T03:00:00Z,1,{kind},2026-11-19T00:00:00Z\n", encoding="utf-8")
    known_by = NOW + HOUR - early
    assert bring(tmp_path / "store", path, form=FileForm(), at=known_by).files[0].stored_rows == 1
    second = timedelta(seconds=1)
    with pytest.raises(SourceShapeError, match=rf"ahead\.csv: {words}"):
        bring(tmp_path / "no", path, form=FileForm(), at=known_by - second, is_for_real=is_for_real)
    assert not (tmp_path / "no").exists()


def test_an_hour_before_1970_is_a_slip(tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_text("time,DE\n0001-01-01T00:00:00Z,1\n", encoding="utf-8")
    with pytest.raises(
        SourceShapeError, match=r"old\.csv: the hour 0001-01-01T00:00:00\+00:00 is before 1970"
    ):
        bring(tmp_path / "store", path)


def test_a_trial_says_the_same_and_stores_nothing(tmp_path: Path) -> None:
    file = wide(tmp_path, DE=[1.0, 2.0])
    trial = bring(tmp_path / "store", file, is_for_real=False)
    assert not (tmp_path / "store").exists()
    assert bring(tmp_path / "store", file) == trial


def test_files_before_a_bad_one_are_stored(tmp_path: Path) -> None:
    with pytest.raises(SourceShapeError, match="'2001' is not between"):
        bring(tmp_path / "store", wide(tmp_path, DE=[1.0]), wide(tmp_path, DE=[2001.0]))
    assert known(tmp_path / "store", NOW) == {("DE", 0): 1.0}


def test_a_damaged_file_of_the_store_is_named_and_its_hours_are_stored_again(tmp_path: Path) -> None:
    file = wide(tmp_path, DE=[1.0])
    bring(tmp_path / "store", file)
    damaged = next(tmp_path.rglob("*.parquet"))
    damaged.write_bytes(b"half")
    brought = bring(tmp_path / "store", file, at=NOW + HOUR)
    assert [event.subject for event in brought.events] == [damaged.name]
    assert brought.files[0].stored_rows == 1
