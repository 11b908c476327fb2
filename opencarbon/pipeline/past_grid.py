"""What was known of the grid at moments of the past: from the store as it was then, or by when hours ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.estimation.grid.climatology import DAYS_OF_HISTORY
from opencarbon.estimation.grid.forecast_error import ForecastError
from opencarbon.estimation.grid.forecast_learning import DAYS_OF_ARCHIVE, learn_forecast_error
from opencarbon.pipeline.forecast_errors import errors_of_forecasts
from opencarbon.pipeline.grid import known_grid
from opencarbon.pipeline.night import Night
from opencarbon.settings import Settings
from opencarbon.sources.intensity_files.forms import FileForm
from opencarbon.sources.intensity_files.reading import read_intensity_file
from opencarbon.sources.places import Place
from opencarbon.sources.store.intensities import read_as_of
from opencarbon.sources.store.reading import Query, rows_of
from opencarbon.tables.columns import TIMESTAMP
from opencarbon.tables.inputs import GRID_INTENSITY, with_accounting_basis
from opencarbon.units import whole_hour

_HOUR_US: Final = 3_600_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_VALUE: Final = "carbon_intensity_gco2e_per_kwh"
_IS_MEASURED: Final = pc.field("intensity_kind") == pa.scalar("measured")
_LOOK_BACK_DAYS: Final = max(DAYS_OF_HISTORY, DAYS_OF_ARCHIVE)


class Known(NamedTuple):
    """What a night of some moment knows.

    Attributes
    ----------
    grid : pa.Table
        ``GRID_INTENSITY``.
    forecast_error : ForecastError
    """

    grid: pa.Table
    forecast_error: ForecastError


class PastGrid(Protocol):
    """Carbon intensities as they became known."""

    def known_at(self, moment: datetime, zones: tuple[str, ...]) -> Known:
        """What a night of that moment knows."""

    def came_true(self, start_utc: datetime, end_utc: datetime) -> pa.Table:
        """``GRID_INTENSITY``: measured hours of a range as they are known today."""


@dataclass(frozen=True, slots=True)
class StoredGrid:
    """The store: a row is known from its fetch on, as nights read it.

    Parameters
    ----------
    settings : Settings
        Intensity files that they name are left out: when these were known is not known.
    now_utc : datetime
    """

    settings: Settings
    now_utc: datetime

    def known_at(self, moment: datetime, zones: tuple[str, ...]) -> Known:
        """What the store knew at a moment.

        Parameters
        ----------
        moment : datetime
        zones : tuple of str
            Zones whose forecasts are learnt from.

        Returns
        -------
        Known
        """
        store = self.settings.store.model_copy(update={"files": ()})
        settings = self.settings.model_copy(update={"store": store})
        night = Night(settings, (), moment, self.now_utc, "", Place.of(Path()), offline=True)
        grid, _ = known_grid(night, GRID_INTENSITY.schema().empty_table())
        return Known(grid, errors_of_forecasts(night, zones)[0])

    def came_true(self, start_utc: datetime, end_utc: datetime) -> pa.Table:
        """Measured hours of a range as the store knows them today.

        Parameters
        ----------
        start_utc, end_utc : datetime

        Returns
        -------
        pa.Table
        """
        return read_as_of(
            self.settings.store.root,
            self.now_utc,
            since_utc=start_utc,
            until_utc=end_utc,
            kinds=("measured",),
        )[0]


@dataclass(frozen=True, slots=True)
class FiledGrid:
    """Rows that carry when they became known.

    Parameters
    ----------
    rows : pa.Table
        ``GRID_INTENSITY``, fetched when they became known, in the order of their hours.
    settings : Settings
    """

    rows: pa.Table
    settings: Settings

    def known_at(self, moment: datetime, zones: tuple[str, ...]) -> Known:
        """What was known by a moment, of the hours that a night looks back on and of later ones.

        Parameters
        ----------
        moment : datetime
        zones : tuple of str
            Zones whose forecasts are learnt from.

        Returns
        -------
        Known
        """
        since = moment - timedelta(days=_LOOK_BACK_DAYS)
        since_us = (since - _EPOCH) // timedelta(microseconds=1)
        hours_us = self.rows["hour_start_utc"].cast(pa.int64()).to_numpy()
        rows = self.rows.slice(int(np.searchsorted(hours_us, since_us)))
        rows = rows.filter(pc.less_equal(rows["fetched_at_utc"], pa.scalar(moment, TIMESTAMP)))
        running = whole_hour(moment)
        past = pc.less(rows["hour_start_utc"], pa.scalar(running, TIMESTAMP))
        old = pc.and_(past, pc.equal(rows["intensity_kind"], pa.scalar("forecast")))
        return Known(rows.filter(pc.invert(old)), learn_forecast_error(self._archive(rows, moment, zones)))

    def _archive(self, rows: pa.Table, moment: datetime, zones: tuple[str, ...]) -> pa.Table:
        """Every forecast of past hours beside what was measured."""
        options = self.settings.electricity_maps
        since = pa.scalar(moment - timedelta(days=DAYS_OF_ARCHIVE), TIMESTAMP)
        wanted = pc.and_(
            pc.less(rows["hour_start_utc"], pa.scalar(moment, TIMESTAMP)),
            pc.greater_equal(rows["hour_start_utc"], since),
        )
        for name, values in (
            ("zone", zones),
            ("emission_factor_type", (options.emission_factor_type,)),
            ("accounting_basis", (options.accounting_basis,)),
        ):
            wanted = pc.and_(wanted, pc.is_in(rows[name], value_set=pa.array(values, pa.string())))
        rows = rows.filter(wanted)
        said = rows.filter(pc.equal(rows["intensity_kind"], pa.scalar("forecast")))
        issued = pc.coalesce(said["issued_at_utc"], said["fetched_at_utc"])
        said = said.set_column(said.schema.get_field_index("issued_at_utc"), "issued_at_utc", issued)
        came = rows.filter(pc.equal(rows["intensity_kind"], pa.scalar("measured")))
        keys = ["zone", "hour_start_utc"]
        came = came.group_by(keys, use_threads=False).aggregate([(_VALUE, "last")])
        keys += ["issued_at_utc"]
        joined = said.select([*keys, _VALUE]).join(came, keys[:2])
        joined = joined.rename_columns([*keys, "forecast_gco2e_per_kwh", "measured_gco2e_per_kwh"])
        return joined.sort_by([(name, "ascending") for name in keys])

    def came_true(self, start_utc: datetime, end_utc: datetime) -> pa.Table:
        """Measured hours of a range.

        Parameters
        ----------
        start_utc, end_utc : datetime

        Returns
        -------
        pa.Table
        """
        hours = self.rows["hour_start_utc"]
        inside = pc.and_(
            pc.greater_equal(hours, pa.scalar(start_utc, TIMESTAMP)),
            pc.less(hours, pa.scalar(end_utc, TIMESTAMP)),
        )
        return self.rows.filter(pc.and_(inside, pc.equal(self.rows["intensity_kind"], pa.scalar("measured"))))


def grid_of_files(paths: Sequence[str], settings: Settings, published_after: timedelta) -> FiledGrid:
    """Read files of carbon intensities, and say when each row became known.

    Parameters
    ----------
    paths : sequence of str
    settings : Settings
    published_after : timedelta
        From the end of an hour to its measurement being known.

    Returns
    -------
    FiledGrid
        Without rows of other kinds than measured and forecast, and without forecasts that do not say their issue:
        when they were known is not known.

    Raises
    ------
    SourceError
        If a file cannot be read.
    """
    tables = [
        read_intensity_file(
            path,
            fetched_at_utc=datetime.now(UTC),
            source_id="intensity-file",
            form=FileForm(columns=settings.store.columns),
        )
        for path in paths
    ]
    rows = pa.concat_tables([GRID_INTENSITY.schema().empty_table(), *tables])
    return _dated(
        rows.filter(_IS_MEASURED | pc.field("issued_at_utc").is_valid()),
        "issued_at_utc",
        settings,
        published_after,
    )


def grid_filled_later(
    settings: Settings,
    start_utc: datetime,
    end_utc: datetime,
    *,
    now_utc: datetime,
    published_after: timedelta,
) -> FiledGrid:
    """Take the hours of the store as if they had been fetched soon after they ended.

    Parameters
    ----------
    settings : Settings
    start_utc, end_utc : datetime
        Range that is looked at; what nights look back on before it is read too.
    now_utc : datetime
        Measured hours are those that the store knows at this moment.
    published_after : timedelta
        From the end of an hour to its measurement being known.

    Returns
    -------
    FiledGrid
        Forecasts are known from their fetch on.

    Raises
    ------
    SourceError
        If the store cannot be read.
    """
    since = start_utc - timedelta(days=_LOOK_BACK_DAYS)
    root = settings.store.root
    measured, _ = read_as_of(root, now_utc, since_utc=since, until_utc=end_utc, kinds=("measured",))
    forecasts, _ = rows_of(root, Query(now_utc, since, end_utc, None, ("forecast",), every=True))
    rows = pa.concat_tables([measured, forecasts.select(measured.column_names).cast(measured.schema)])
    return _dated(rows, "fetched_at_utc", settings, published_after)


def _dated(rows: pa.Table, of_forecasts: str, settings: Settings, published_after: timedelta) -> FiledGrid:
    """Rows with the moment they became known in the place of their fetch, without those of other kinds."""
    after = _HOUR_US + published_after // timedelta(microseconds=1)
    measured = pc.add(rows["hour_start_utc"].cast(pa.int64()), pa.scalar(after, pa.int64())).cast(TIMESTAMP)
    is_forecast = pc.equal(rows["intensity_kind"], pa.scalar("forecast"))
    known = pc.if_else(is_forecast, rows[of_forecasts], measured)
    at = rows.schema.get_field_index("fetched_at_utc")
    dated = rows.set_column(at, GRID_INTENSITY.schema().field("fetched_at_utc"), known)
    kept = dated.filter(_IS_MEASURED | (pc.field("intensity_kind") == pa.scalar("forecast")))
    return FiledGrid(with_accounting_basis(kept).sort_by("hour_start_utc").combine_chunks(), settings)
