"""A year of curves planned again moment by moment, with forecasts that are wrong as published ones are.

A third of the zones has forecasts and measured hours, a third measured hours only, a third nothing but the mean of the
year before. Homes take turns; of every two jobs one may only wait, and one may also run in a few other zones, drawn anew
at every moment. Beside them the jobs of all homes that may only wait.

Errors of forecasts: relative, normal, from 5 % of the truth in the first hour to 14 % after 72 h, so that the mean
absolute error of all leads is 7.6 %. Published: 7.1 % up to 48 h in Great Britain (nickmp.com/posts/carbon-intensity-
forecast-tracking, 2017-2023), 9.59 % up to 96 h on thirteen grids (CarbonX, abstract). Errors of neighbouring hours of
one forecast are alike: their correlation over an hour, 0.9, and the growth with lead are assumed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from opencarbon.catalog import load_catalog
from opencarbon.estimation.backtest import DEVICE, StandardJob
from opencarbon.estimation.grid.climatology import DAYS_OF_HISTORY
from opencarbon.estimation.grid.forecast_learning import DAYS_OF_ARCHIVE, learn_forecast_error
from opencarbon.estimation.hindsight.measured_curves import MeasuredCurves
from opencarbon.pipeline.context import Context, build_context
from opencarbon.pipeline.replay import replay
from opencarbon.settings import Settings
from opencarbon.tables.contracts import PUBLISHED
from opencarbon.tables.inputs import DEVICE_FITS, GRID_INTENSITY

FIRST_ERROR, LAST_ERROR = 0.05, 0.14
CORRELATION = 0.9
FORECAST_HOURS = 72
HISTORY_HOURS = DAYS_OF_HISTORY * 24
JOB_HOURS = (6.0, 48.0)
OTHER_ZONES = 4

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Year:
    """Curves of shape (zones, hours), and the means of the year before, NaN where there is none [gCO2e/kWh]."""

    zones: tuple[str, ...]
    curves: Floats
    annual: Floats
    start_utc: datetime = datetime(2022, 1, 1, tzinfo=UTC)
    seed: int = 0

    @cached_property
    def third(self) -> Integers:
        """0 with forecasts, 1 with measured hours, 2 with the annual mean only; shape (zones,)."""
        return np.random.default_rng(self.seed).permutation(len(self.zones)) % 3

    @cached_property
    def measured(self) -> pa.Table:
        """Measured rows of the first two thirds, hour by hour."""
        at = np.flatnonzero(self.third < 2)
        return self._rows(at, np.arange(self.curves.shape[1]), self.curves[at], "measured", None)

    def known_at(self, hour: int) -> pa.Table:
        """``GRID_INTENSITY`` as it is known at the start of an hour."""
        past = max(hour - HISTORY_HOURS, 0)
        each = int(np.count_nonzero(self.third < 2))
        at, ahead = (
            np.flatnonzero(self.third == 0),
            np.arange(hour, min(hour + FORECAST_HOURS, self.curves.shape[1])),
        )
        said = self.curves[np.ix_(at, ahead)] * (1.0 + self.errors(hour)[:, : len(ahead)])
        forecasts = self._rows(at, ahead, np.maximum(said, 0.0), "forecast", hour)
        return pa.concat_tables([self.measured.slice(past * each, (hour - past) * each), forecasts])

    def archive_at(self, hour: int) -> pa.Table:
        """Forecasts issued at every midnight of the last days, with what was measured of them by then."""
        at = np.flatnonzero(self.third == 0)
        issues = [issue for issue in range(0, hour, 24) if issue >= hour - DAYS_OF_ARCHIVE * 24]
        zone, issued, ahead = np.meshgrid(at, issues, np.arange(FORECAST_HOURS), indexing="ij")
        errors = np.stack([self._kept_errors(issue) for issue in issues], axis=1) if issues else zone
        truth = self.curves[zone, np.minimum(issued + ahead, self.curves.shape[1] - 1)]
        known = issued + ahead < hour
        columns = {
            "zone": pa.array(np.array(self.zones, dtype=object)[zone[known]]),
            "issued_at_utc": self._moments(issued[known]),
            "hour_start_utc": self._moments((issued + ahead)[known]),
            "forecast_gco2e_per_kwh": pa.array(np.maximum(truth * (1.0 + errors), 0.0)[known]),
            "measured_gco2e_per_kwh": pa.array(truth[known]),
        }
        return pa.table(columns)

    @cached_property
    def _errors(self) -> dict[int, Floats]:
        return {}

    def _kept_errors(self, hour: int) -> Floats:
        if hour not in self._errors:
            self._errors[hour] = self.errors(hour)
        return self._errors[hour]

    def _moments(self, hours: Integers) -> "pa.Array[Any]":
        start = np.datetime64(self.start_utc.replace(tzinfo=None), "us").astype(np.int64)
        moments: pa.Array[Any] = pa.array(start + hours * 3_600_000_000, pa.timestamp("us", tz="UTC"))
        return moments

    def errors(self, hour: int) -> Floats:
        """Relative errors of the forecasts that are issued at an hour, shape (zones with forecasts, lead)."""
        rng = np.random.default_rng((self.seed, hour))
        noise = rng.normal(size=(int(np.count_nonzero(self.third == 0)), FORECAST_HOURS))
        for lead in range(1, FORECAST_HOURS):
            fresh = np.sqrt(1.0 - CORRELATION**2) * noise[:, lead]
            noise[:, lead] = CORRELATION * noise[:, lead - 1] + fresh
        return np.asarray(noise * np.linspace(FIRST_ERROR, LAST_ERROR, FORECAST_HOURS))

    def _rows(
        self, zones: Integers, hours: Integers, values: Floats, kind: str, issued: int | None
    ) -> pa.Table:
        moment = pa.timestamp("us", tz="UTC")
        start = np.datetime64(self.start_utc.replace(tzinfo=None), "us").astype(np.int64)
        count = values.size
        hour_us = start + np.repeat(hours, len(zones)) * 3_600_000_000
        fetched = (
            hour_us + 3_600_000_000 if issued is None else np.full(count, start + issued * 3_600_000_000)
        )
        given = {
            "zone": pa.array(np.array(self.zones, dtype=object)[np.tile(zones, len(hours))]),
            "hour_start_utc": pa.array(hour_us).cast(moment),
            "carbon_intensity_gco2e_per_kwh": pa.array(values.T.ravel()),
            "intensity_kind": pa.array([kind] * count),
            "emission_factor_type": pa.array(["lifecycle"] * count),
            "is_estimated": pa.array([False] * count),
            "issued_at_utc": pa.array(fetched, mask=np.full(count, issued is None)).cast(moment),
            "fetched_at_utc": pa.array(fetched).cast(moment),
            "source_id": pa.array([kind] * count),
            "accounting_basis": pa.array(["flow_traced"] * count),
        }
        return pa.table(given).select(GRID_INTENSITY.columns).cast(GRID_INTENSITY.schema())

    def contexts(self) -> Callable[[datetime], Context]:
        """What a night of a moment plans with: a region of PUE 1 in every zone."""
        catalog = load_catalog()
        regions = [
            {"region": f"grid:{zone}", "provider": "grid", "zone": zone, "country_code": "ZZ", "pue": 1.0}
            | {"pue_status": "measured", "pue_low": 1.0, "pue_high": 1.0, "source_id": "made"}
            for zone in self.zones
        ]
        zones = [
            {"zone": zone, "country_code": "ZZ", "annual_carbon_intensity_gco2e_per_kwh": mean}
            | {"annual_year": self.start_utc.year - 1, "is_whole_country": False, "source_id": "made"}
            for zone, mean in [*zip(self.zones, self._annual(), strict=True), ("WORLD", 475.0)]
        ]
        made = replace(
            catalog,
            regions=_table(regions, PUBLISHED["dim_region"].schema()),
            zones=_table(zones, PUBLISHED["dim_zone"].schema()),
        )
        settings = Settings()

        def context_at(moment: datetime) -> Context:
            hour = self._hour(moment)
            learnt = learn_forecast_error(self.archive_at(hour))
            return build_context(settings, moment, made, self.known_at(hour), _fits(), learnt)

        return context_at

    def _annual(self) -> list[float | None]:
        return [None if np.isnan(mean) else float(mean) for mean in self.annual]

    def _hour(self, moment: datetime) -> int:
        return (moment - self.start_utc) // timedelta(hours=1)

    def jobs_at(self, moment: datetime, homes: int) -> list[StandardJob]:
        """Jobs of some homes, that may only wait, and that may run in a few other zones too."""
        rng = np.random.default_rng((self.seed, 1, self._hour(moment)))
        return [
            StandardJob(names[0], reach, hours, pauses)
            for names in self._draws(rng, homes)
            for reach in (tuple(names), ())
            for hours in JOB_HOURS
            for pauses in (False, True)
        ]

    def waits_at(self, moment: datetime) -> list[StandardJob]:
        """Jobs of every zone with measured hours that may only wait, the same at every moment."""
        return [
            StandardJob(f"grid:{self.zones[at]}", (), hours, pauses)
            for at in np.flatnonzero(self.third < 2)
            for hours in JOB_HOURS
            for pauses in (False, True)
        ]

    def _draws(self, rng: np.random.Generator, homes: int) -> Iterator[Sequence[str]]:
        for home in rng.choice(len(self.zones), size=homes, replace=False):
            others = rng.choice(np.delete(np.arange(len(self.zones)), home), OTHER_ZONES, replace=False)
            yield [f"grid:{self.zones[at]}" for at in (home, *others)]


def replay_year(
    year: Year,
    hours: Sequence[int],
    jobs_at: Callable[[datetime], Sequence[StandardJob]],
    *,
    slack_hours: float,
) -> pa.Table:
    """``backtest_outcome`` of planning the jobs of these hours of the year."""
    return replay(
        [year.start_utc + timedelta(hours=hour) for hour in hours],
        jobs_at,
        year.contexts(),
        MeasuredCurves(year.start_utc, year.zones, year.curves),
        slack_hours=slack_hours,
    )


def _fits() -> pa.Table:
    """A fit of the device, which jobs with stated hours do not use."""
    row: dict[str, Any] = {
        "device": DEVICE,
        "fit_source": "device_runs",
        "fit_status": "estimated",
        "fit_source_id": "made",
    }
    numbers = dict.fromkeys(
        ("log10_alpha_low", "log10_alpha", "log10_alpha_high", "tflop_per_s", "utilisation"), 1.0
    )
    return _table(
        [row | numbers | {"reference_training_flop": 1e20, "training_runs": 1}], DEVICE_FITS.schema()
    )


def _table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema)
