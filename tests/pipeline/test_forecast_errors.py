"""A night learns from the forecasts that its store kept, as of its own moment."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from opencarbon.estimation.grid.forecast_error import PRIOR, ForecastError
from opencarbon.pipeline.forecast_errors import errors_of_forecasts
from opencarbon.pipeline.night import night_of
from opencarbon.settings import load_settings
from opencarbon.sources.store.intensities import append
from opencarbon.tables.events import Event
from opencarbon.tables.inputs import GRID_INTENSITY

FIRST = datetime(2026, 1, 5, 2, tzinfo=UTC)
DAYS = 34


def kept(store: Path) -> None:
    """Put a forecast of a day and the hours of the day before into a store, night after night."""
    rng = np.random.default_rng(5)
    truth = 200.0 * (1 + rng.normal(0, 0.2, 24 * (DAYS + 2)))
    for day in range(DAYS):
        now = FIRST + timedelta(days=day)
        rows = []
        for hour in range(-24 if day else 0, 24):
            value = float(max(truth[24 * day + hour], 10.0))
            is_past = hour < 0
            rows.append(
                {
                    "zone": "DE",
                    "hour_start_utc": now + timedelta(hours=hour),
                    "carbon_intensity_gco2e_per_kwh": value if is_past else 1.1 * value,
                    "intensity_kind": "measured" if is_past else "forecast",
                    "emission_factor_type": "lifecycle",
                    "issued_at_utc": None if is_past else now,
                    "fetched_at_utc": now,
                    "source_id": "electricity-maps",
                }
            )
        append(str(store), pa.Table.from_pylist(rows, schema=GRID_INTENSITY.schema()), fetched_at_utc=now)


def learn(folder: Path, day: int, *zones: str) -> tuple[ForecastError, list[Event]]:
    """What a night of a day learns."""
    arguments = {"store": {"root": str(folder / "store")}, "publish": {"root": str(folder / "out")}}
    as_of = FIRST + timedelta(days=day)
    with night_of(load_settings(arguments=arguments), ["queue"], as_of_utc=as_of, now_utc=as_of) as night:
        return errors_of_forecasts(night, zones)


def test_errors_are_learnt_from_thirty_days_on_and_only_from_what_was_known_then(tmp_path: Path) -> None:
    kept(tmp_path / "store")
    learnt, events = learn(tmp_path, DAYS - 1, "DE", "FR")
    before, _ = learn(tmp_path, 20, "DE", "FR")

    assert ("DE",) == learnt.zones
    assert 0.1 == pytest.approx(learnt.zone_relative_sd[0, 0], rel=0.1)
    assert before is PRIOR
    assert [] == events


def test_other_zones_teach_nothing(tmp_path: Path) -> None:
    kept(tmp_path / "store")

    assert learn(tmp_path, DAYS - 1, "FR") == (PRIOR, [])
