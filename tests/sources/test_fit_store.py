"""The store of device fits: append-only, whole or not at all, read as of a moment."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opencarbon.errors import ConfigError, ContractError, SourceUnavailableError
from opencarbon.sources.store.fits import StoredFits, keep_fits, newest_fits
from opencarbon.sources.store.intensities import read_as_of
from opencarbon.tables.conform import of_any_minor_version
from opencarbon.tables.inputs import DEVICE_FITS

AS_OF = datetime(2026, 11, 20, 22, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
FIRST_COLUMNS = (
    *(
        "device",
        "log10_alpha",
        "log10_alpha_low",
        "log10_alpha_high",
        "reference_training_flop",
        "tflop_per_s",
    ),
    *("utilisation", "training_runs", "fit_source", "fit_status", "fit_source_id"),
)
"""Of the first version of the contract."""


def fits(tflop_per_s: float = 100.0) -> pa.Table:
    row: dict[str, Any] = {
        "device": "NVIDIA A100 SXM4 80GB",
        "log10_alpha": 50.0,
        "log10_alpha_low": 40.0,
        "log10_alpha_high": 60.0,
        "reference_training_flop": 1e23,
        "tflop_per_s": tflop_per_s,
        "utilisation": tflop_per_s / 312.0,
        "training_runs": 10,
        "fit_source": "device_runs",
        "fit_status": "estimated",
        "refit_state": "first",
    }
    return pa.Table.from_pylist([row], schema=DEVICE_FITS.schema())


def keep(root: Path, moment_utc: datetime, tflop_per_s: float = 100.0, **options: Any) -> Path:
    stored = StoredFits(fits(tflop_per_s), moment_utc, 9, 7, **options)
    return root / keep_fits(str(root), stored, profile="calibrated")


def newest(root: Path, as_of_utc: datetime = AS_OF) -> float | None:
    found, events = newest_fits(str(root), profile="calibrated", as_of_utc=as_of_utc)
    assert [] == events
    return None if found is None else found.fits["tflop_per_s"].to_pylist()[0]


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    keep(tmp_path, AS_OF - DAY, 101.0)

    found, events = newest_fits(str(tmp_path), profile="calibrated", as_of_utc=AS_OF)

    assert found is not None
    assert fits(101.0).equals(found.fits)
    assert (AS_OF - DAY, 9, 7) == (found.moment_utc, found.models, found.legible_models)
    assert ("night", []) == (found.kind, events)


def test_a_store_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert newest(tmp_path / "none") is None
    assert not (tmp_path / "none").exists()


def test_the_newest_night_before_the_moment_wins_and_its_own_does_not_count(tmp_path: Path) -> None:
    for days, value in ((-2, 98.0), (-1, 99.0), (0, 100.0), (1, 101.0)):
        keep(tmp_path, AS_OF + days * DAY, value)

    assert 99.0 == newest(tmp_path)
    assert 100.0 == newest(tmp_path, AS_OF + MINUTE)
    assert 101.0 == newest(tmp_path, AS_OF + 9 * DAY)
    assert newest(tmp_path, AS_OF - 2 * DAY) is None


def test_an_acceptance_counts_from_the_start_of_its_hour(tmp_path: Path) -> None:
    keep(tmp_path, AS_OF - DAY, 99.0)
    keep(tmp_path, AS_OF, 100.0)
    keep(tmp_path, AS_OF + 20 * MINUTE, 200.0, kind="accepted")

    assert 99.0 == newest(tmp_path, AS_OF - HOUR)
    assert 200.0 == newest(tmp_path, AS_OF)
    assert 200.0 == newest(tmp_path, AS_OF + HOUR)


def test_the_later_of_two_acceptances_of_an_hour_wins(tmp_path: Path) -> None:
    for minutes, value in ((30, 300.0), (20, 200.0)):
        keep(tmp_path, AS_OF + minutes * MINUTE, value, kind="accepted")

    assert 300.0 == newest(tmp_path)


def test_two_nights_of_one_moment_give_the_same_whatever_the_order_they_came_in(tmp_path: Path) -> None:
    found = []
    for name, values in (("one", (1.0, 2.0)), ("other", (2.0, 1.0))):
        for value in values:
            keep(tmp_path / name, AS_OF - DAY, value)
        found.append(newest(tmp_path / name))

    assert found[0] == found[1]


def test_the_same_fits_again_are_the_same_file(tmp_path: Path) -> None:
    path = keep(tmp_path, AS_OF)
    written = path.stat().st_mtime_ns

    assert path == keep(tmp_path, AS_OF)
    assert written == path.stat().st_mtime_ns
    assert [path.name] == [other.name for other in path.parent.glob("*.parquet")]


def test_profiles_are_kept_apart(tmp_path: Path) -> None:
    keep_fits(str(tmp_path), StoredFits(fits(1.0), AS_OF - DAY, 9, 7), profile="paper")

    assert newest(tmp_path) is None


@pytest.mark.parametrize("damage", [b"", b"PAR1", None])
def test_a_damaged_file_is_passed_over_and_named(tmp_path: Path, damage: bytes | None) -> None:
    keep(tmp_path, AS_OF - 2 * DAY, 98.0)
    path = keep(tmp_path, AS_OF - DAY, 99.0)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]) if damage is None else damage)

    found, events = newest_fits(str(tmp_path), profile="calibrated", as_of_utc=AS_OF)

    assert found is not None
    assert [98.0] == found.fits["tflop_per_s"].to_pylist()
    assert [("warning", path.name)] == [(event.severity, event.subject) for event in events]
    assert "does not match the digest" in events[0].detail
    assert "Restore the file, or delete it" in events[0].detail


def test_half_a_file_of_a_writer_that_died_is_no_file(tmp_path: Path) -> None:
    path = keep(tmp_path, AS_OF - DAY, 99.0)
    (path.parent / ".staging" / f"{path.name}.dead").write_bytes(b"PAR1")
    (path.parent / "notes.txt").write_text("mine", encoding="utf-8")

    assert 99.0 == newest(tmp_path)


def test_fits_of_an_older_version_lack_columns_that_are_then_null() -> None:
    old = fits().select(FIRST_COLUMNS)

    widened = of_any_minor_version(old, DEVICE_FITS)

    assert list(DEVICE_FITS.columns) == widened.column_names
    assert [None] == widened["refit_state"].to_pylist()
    assert old.equals(widened.select(FIRST_COLUMNS).cast(old.schema))


def test_a_column_that_must_hold_values_is_not_made_up() -> None:
    with pytest.raises(ContractError, match="'tflop_per_s' is missing"):
        of_any_minor_version(fits().drop_columns(["tflop_per_s"]), DEVICE_FITS)


def test_a_table_that_is_no_fits_is_not_stored(tmp_path: Path) -> None:
    with pytest.raises(ContractError):
        keep_fits(
            str(tmp_path), StoredFits(fits().drop_columns(["device"]), AS_OF, 9, 7), profile="calibrated"
        )
    assert [] == list(tmp_path.iterdir())


def test_a_moment_without_a_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="time zone"):
        keep(tmp_path, AS_OF.replace(tzinfo=None))


def test_a_store_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text('{"format": 3}', encoding="utf-8")

    for use in (newest, lambda root: keep(root, AS_OF)):
        with pytest.raises(ConfigError, match="format 3 and this version of opencarbon knows format 2"):
            use(tmp_path)


def test_a_store_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(SourceUnavailableError, match="cannot be written"):
        keep(tmp_path / "file", AS_OF)


def test_fits_and_intensities_share_a_store(tmp_path: Path) -> None:
    keep(tmp_path, AS_OF - DAY)

    rows, events = read_as_of(str(tmp_path), AS_OF)

    assert (0, []) == (rows.num_rows, events)


def test_a_kept_file_is_a_parquet_file_that_anyone_reads(tmp_path: Path) -> None:
    path = keep(tmp_path, AS_OF)

    assert fits().equals(pq.read_table(path).replace_schema_metadata(None).cast(DEVICE_FITS.schema()))
