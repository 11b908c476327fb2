"""The accounting basis in the store and in a user's files."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from opencarbon.errors import SourceShapeError
from opencarbon.sources.intensity_files.reading import read_intensity_file
from opencarbon.sources.store.files import digest_of, parquet_bytes, put
from opencarbon.sources.store.intensities import append, read_as_of
from opencarbon.tables.inputs import GRID_INTENSITY
from tests.sources.fetches import snapshot_digest

HOUR = datetime(2026, 11, 20, 21, tzinfo=UTC)
EARLY, LATE = HOUR.replace(hour=22), HOUR.replace(hour=23)


def fetch(value: float, basis: str | None, at: datetime = EARLY) -> pa.Table:
    row: dict[str, Any] = {
        "zone": "DE",
        "hour_start_utc": HOUR,
        "carbon_intensity_gco2e_per_kwh": value,
        "intensity_kind": "measured",
        "emission_factor_type": "lifecycle",
        "fetched_at_utc": at,
        "source_id": "electricity-maps-api",
        "accounting_basis": basis,
    }
    return pa.Table.from_pylist([row], schema=GRID_INTENSITY.schema())


def known(root: Path) -> dict[str, float]:
    table, events = read_as_of(str(root), LATE)
    assert events == []
    return {row["accounting_basis"]: row["carbon_intensity_gco2e_per_kwh"] for row in table.to_pylist()}


def test_a_newer_fetch_on_one_basis_does_not_replace_an_older_one_on_the_other(tmp_path: Path) -> None:
    append(str(tmp_path), fetch(300.0, "flow_traced"), fetched_at_utc=EARLY)
    append(str(tmp_path), fetch(400.0, "production", LATE), fetched_at_utc=LATE)
    assert known(tmp_path) == {"flow_traced": 300.0, "production": 400.0}


def test_rows_that_do_not_say_their_basis_are_stored_as_flow_traced(tmp_path: Path) -> None:
    append(str(tmp_path), fetch(300.0, None), fetched_at_utc=EARLY)
    append(str(tmp_path), fetch(310.0, "flow_traced", LATE), fetched_at_utc=LATE)
    assert known(tmp_path) == {"flow_traced": 310.0}
    assert snapshot_digest(fetch(300.0, None)) == snapshot_digest(fetch(300.0, "flow_traced"))
    assert snapshot_digest(fetch(300.0, None)) != snapshot_digest(fetch(300.0, "production"))


def test_a_file_that_was_stored_before_the_column_is_read_as_flow_traced(tmp_path: Path) -> None:
    content = parquet_bytes(fetch(300.0, None).drop_columns(["accounting_basis"]))
    path = f"intensity/v1/2026-11/20261120T220000000000Z-{digest_of(content)}.parquet"
    put(str(tmp_path), path, content, store="intensity store")
    assert known(tmp_path) == {"flow_traced": 300.0}


def write(folder: Path, *bases: str) -> Path:
    path = folder / "grid.csv"
    lines = [f"DE,2026-11-20T{21 + at}:00:00Z,300,{basis}" for at, basis in enumerate(bases)]
    path.write_text(
        "zone,hour_start_utc,carbon_intensity_gco2e_per_kwh,accounting_basis\n" + "\n".join(lines), "utf-8"
    )
    return path


def test_a_user_s_file_may_say_its_basis(tmp_path: Path) -> None:
    path = write(tmp_path, "production", "")
    table = read_intensity_file(path, fetched_at_utc=LATE, source_id="intensity-file")
    assert table["accounting_basis"].to_pylist() == ["production", None]


def test_a_basis_that_is_not_known_is_refused_with_row_and_value(tmp_path: Path) -> None:
    path = write(tmp_path, "production", "marginal")
    with pytest.raises(SourceShapeError, match=r"row 2, column accounting_basis: 'marginal' is none of"):
        read_intensity_file(path, fetched_at_utc=LATE, source_id="intensity-file")
