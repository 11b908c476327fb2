"""Intensity files beside the store: what of them a night may know."""

from datetime import UTC, datetime
from pathlib import Path

from opencarbon.pipeline.grid import known_grid
from opencarbon.tables.inputs import GRID_INTENSITY
from tests.pipeline.nights import a_night, settings_for

AS_OF = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
NOTHING = GRID_INTENSITY.schema().empty_table()


def test_a_measured_hour_that_had_not_begun_is_left_out_and_told(tmp_path: Path, queue: Path) -> None:
    path = tmp_path / "own.csv"
    lines = [
        f"DE,2026-11-22T{hour}:00:00Z,{hour},{kind}"
        for hour, kind in ((11, "measured"), (12, "measured"), (13, "measured"), (14, "example"))
    ]
    header = "zone,hour_start_utc,carbon_intensity_gco2e_per_kwh,intensity_kind"
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    with a_night(settings_for(tmp_path, store={"files": [str(path)]}), queue, as_of_utc=AS_OF) as night:
        rows, (event,) = known_grid(night, NOTHING)
    assert rows["carbon_intensity_gco2e_per_kwh"].to_pylist() == [11.0, 12.0, 14.0]
    assert (event.severity, event.source, event.code) == ("warning", "intensity_files", "hindsight")
    assert event.detail.startswith(f"{path}: 1 measured hours begin after the as-of time and are left out")
