"""Bodies that the Electricity Maps API answers with, checked and turned into rows. Pure: bytes in, tables out.

What comes back must be what was asked for: the zone, the emission factor type, flow-traced consumption. A null stays
null. API: https://app.electricitymaps.com/docs/reference
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal, NamedTuple, TypeVar

import pyarrow as pa
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from opencarbon.errors import SourcePlanError, SourceShapeError
from opencarbon.tables.columns import all_columns
from opencarbon.tables.conform import conform
from opencarbon.tables.inputs import GRID_INTENSITY

EmissionFactorType = Literal["lifecycle", "direct"]

SOURCE_ID: Final = "electricity-maps-api"
SANDBOX_SOURCE_ID: Final = "electricity-maps-sandbox"

_SLOTS_PER_HOUR: Final = {"hourly": 1, "15_minutes": 4, "5_minutes": 12}
_HOUR: Final = timedelta(hours=1)
_HIGHEST: Final = all_columns()["carbon_intensity_gco2e_per_kwh"].maximum
_SANDBOX_METHOD: Final = "SANDBOX_MODE_DATA"
_PROBLEMS_SHOWN: Final = 3
_CHARACTERS_SHOWN: Final = 60

_Intensity = Annotated[float, Field(ge=0, le=_HIGHEST, allow_inf_nan=False)]


class _Model(BaseModel):
    """Strict: text is no number and a number is no time. Fields that the API adds later are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, alias_generator=to_camel)


class _ForecastRow(_Model):
    carbon_intensity: _Intensity | None
    datetime: AwareDatetime


class _Row(_ForecastRow):
    # all of these are absent from some bodies of version 3, which the old hosts still serve
    zone: str | None = None
    updated_at: AwareDatetime | None = None
    emission_factor_type: str | None = None
    flow_traced: bool | None = None
    is_estimated: bool | None = None
    estimation_method: str | None = None


class _Body(_Model):
    zone: str
    temporal_granularity: str = "hourly"
    disclaimer: str | None = Field(default=None, alias="_disclaimer")


class _History(_Body):
    history: list[_Row]


class _Past(_Body):
    data: list[_Row]


class _Forecast(_Body):
    forecast: list[_ForecastRow]
    updated_at: AwareDatetime


class _Latest(_Row, _Body):
    zone: str


_AnyBody = TypeVar("_AnyBody", bound=_Body)


class _Slot(NamedTuple):
    start_utc: datetime
    intensity: float | None
    is_estimated: bool | None
    issued_at_utc: datetime | None


def parse_latest(
    body: bytes,
    *,
    zone: str,
    emission_factor_type: EmissionFactorType,
    fetched_at_utc: datetime,
    allow_sandbox: bool = False,
) -> pa.Table:
    """Read the answer of ``carbon-intensity/latest``; see :func:`parse_history`.

    Parameters
    ----------
    body : bytes
    zone : str
    emission_factor_type : {"lifecycle", "direct"}
    fetched_at_utc : datetime
    allow_sandbox : bool, optional

    Returns
    -------
    pa.Table
        One row of ``GRID_INTENSITY``, ``measured``.
    """
    latest = _read(_Latest, body, zone)
    return _measured(
        *(latest, [latest]),
        zone=zone,
        emission_factor_type=emission_factor_type,
        fetched_at_utc=fetched_at_utc,
        allow_sandbox=allow_sandbox,
    )


def parse_history(
    body: bytes,
    *,
    zone: str,
    emission_factor_type: EmissionFactorType,
    fetched_at_utc: datetime,
    allow_sandbox: bool = False,
) -> pa.Table:
    """Read the answer of ``carbon-intensity/history``.

    Parameters
    ----------
    body : bytes
        As fetched.
    zone : str
        The zone asked for.
    emission_factor_type : {"lifecycle", "direct"}
        The type asked for.
    fetched_at_utc : datetime
        When it was fetched, with a time zone.
    allow_sandbox : bool, optional
        Accept the made-up data that a sandbox token gets; they are marked ``is_estimated`` and by their source.

    Returns
    -------
    pa.Table
        Rows of ``GRID_INTENSITY``, ``measured``, by hour. A null intensity stays null. Finer data are averaged over
        the hour, which counts as estimated unless all of it is there.

    Raises
    ------
    SourceShapeError
        If the body is not what the documentation promises, or answers for another zone or emission factor type.
    SourcePlanError
        If these are sandbox data and ``allow_sandbox`` is not set.
    """
    history = _read(_History, body, zone)
    return _measured(
        *(history, history.history),
        zone=zone,
        emission_factor_type=emission_factor_type,
        fetched_at_utc=fetched_at_utc,
        allow_sandbox=allow_sandbox,
    )


def parse_past_range(
    body: bytes,
    *,
    zone: str,
    start_utc: datetime,
    end_utc: datetime,
    emission_factor_type: EmissionFactorType,
    fetched_at_utc: datetime,
    allow_sandbox: bool = False,
) -> pa.Table:
    """Read the answer of ``carbon-intensity/past-range``; see :func:`parse_history`.

    Parameters
    ----------
    body : bytes
    zone : str
    start_utc, end_utc : datetime
        The range asked for, half-open. Whether the service counts the end in is not documented, so that what lies
        outside is dropped: ranges that touch share no hour.
    emission_factor_type : {"lifecycle", "direct"}
    fetched_at_utc : datetime
    allow_sandbox : bool, optional

    Returns
    -------
    pa.Table
        Rows of ``GRID_INTENSITY``, ``measured``, by hour.
    """
    past = _read(_Past, body, zone)
    return _measured(
        *(past, past.data),
        zone=zone,
        emission_factor_type=emission_factor_type,
        fetched_at_utc=fetched_at_utc,
        allow_sandbox=allow_sandbox,
        within=(start_utc, end_utc),
    )


def parse_forecast(
    body: bytes,
    *,
    zone: str,
    emission_factor_type: EmissionFactorType,
    fetched_at_utc: datetime,
    allow_sandbox: bool = False,
) -> pa.Table:
    """Read the answer of ``carbon-intensity/forecast``; see :func:`parse_history`.

    Parameters
    ----------
    body : bytes
    zone : str
    emission_factor_type : {"lifecycle", "direct"}
        Rows of a forecast do not repeat it: it is what the request said.
    fetched_at_utc : datetime
    allow_sandbox : bool, optional

    Returns
    -------
    pa.Table
        Rows of ``GRID_INTENSITY``, ``forecast``, from the running hour on, ``issued_at_utc`` being ``updatedAt``.
    """
    forecast = _read(_Forecast, body, zone)
    sandbox = _check_sandbox(forecast, (), allow_sandbox)
    given = [
        _Slot(row.datetime, row.carbon_intensity, None, forecast.updated_at) for row in forecast.forecast
    ]
    return _table(
        _hourly(given, forecast),
        "forecast",
        zone=zone,
        emission_factor_type=emission_factor_type,
        fetched_at_utc=fetched_at_utc,
        sandbox=sandbox,
    )


def _measured(
    body: _Body,
    rows: Sequence[_Row],
    *,
    zone: str,
    emission_factor_type: EmissionFactorType,
    fetched_at_utc: datetime,
    allow_sandbox: bool,
    within: tuple[datetime, datetime] | None = None,
) -> pa.Table:
    """Check the rows of an answer, and make them a table; of the hours those of a half-open range where one is given."""
    sandbox = _check_sandbox(body, rows, allow_sandbox)
    _check_rows(rows, zone, emission_factor_type)
    hours = _hourly(_slots(rows), body)
    if within:
        hours = [hour for hour in hours if within[0] <= hour.start_utc < within[1]]
    return _table(
        hours,
        "measured",
        zone=zone,
        emission_factor_type=emission_factor_type,
        fetched_at_utc=fetched_at_utc,
        sandbox=sandbox,
    )


def _read(model: type[_AnyBody], body: bytes, zone: str) -> _AnyBody:
    problems: list[str] = []
    try:
        read = model.model_validate_json(body)
    except ValidationError as problem:
        problems = [
            f"{'.'.join(map(str, error['loc'])) or 'body'}: {error['msg']}, found {_shown(error['input'])}"
            for error in problem.errors(include_url=False, include_context=False)
        ]
    else:
        _check(read.zone == zone, f"zone: asked for {zone}, answered for {_shown(read.zone)}")
        return read
    more = f" and {len(problems) - _PROBLEMS_SHOWN} more" if len(problems) > _PROBLEMS_SHOWN else ""
    raise SourceShapeError("; ".join(problems[:_PROBLEMS_SHOWN]) + more)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _CHARACTERS_SHOWN else f"{text[:_CHARACTERS_SHOWN]}..."


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise SourceShapeError(message)


def _check_sandbox(body: _Body, rows: Sequence[_Row], allow_sandbox: bool) -> bool:
    found = "sandbox" in (body.disclaimer or "").lower() or any(
        row.estimation_method == _SANDBOX_METHOD for row in rows
    )
    if found and not allow_sandbox:
        raise SourcePlanError(
            "these are the made-up data of a sandbox token; use a production token, "
            "or set electricity_maps.allow_sandbox to accept them"
        )
    return found


def _check_rows(rows: Sequence[_Row], zone: str, emission_factor_type: str) -> None:
    for row in rows:
        at = row.datetime.isoformat()
        _check(row.zone in (None, zone), f"zone: asked for {zone}, {at} is for {_shown(row.zone)}")
        _check(
            row.emission_factor_type in (None, emission_factor_type),
            f"emissionFactorType: asked for {emission_factor_type}, {at} is {_shown(row.emission_factor_type)}",
        )
        _check(row.flow_traced is not False, f"flowTraced: {at} is not flow-traced")


def _slots(rows: Sequence[_Row]) -> list[_Slot]:
    return [_Slot(row.datetime, row.carbon_intensity, row.is_estimated, row.updated_at) for row in rows]


def _hourly(given: Sequence[_Slot], body: _Body) -> list[_Slot]:
    """Slots of an hour each; finer ones are averaged, and an hour that lacks some of them counts as estimated."""
    per_hour = _SLOTS_PER_HOUR.get(body.temporal_granularity, 0)
    granularity = _shown(body.temporal_granularity)
    _check(per_hour > 0, f"temporalGranularity: {granularity} is not hourly or finer")
    by_hour: dict[datetime, dict[timedelta, _Slot]] = {}
    for slot in given:
        moment = slot.start_utc.astimezone(UTC)
        hour = moment.replace(minute=0, second=0, microsecond=0)
        within = by_hour.setdefault(hour, {})
        starts_slot = (moment - hour) % (_HOUR / per_hour) == timedelta()
        _check(
            starts_slot, f"datetime: {moment.isoformat()} is not the start of a slot, which are {granularity}"
        )
        _check(moment - hour not in within, f"datetime: {moment.isoformat()} stands twice")
        within[moment - hour] = slot
    return [_mean(hour, list(within.values()), per_hour) for hour, within in sorted(by_hour.items())]


def _mean(hour: datetime, slots: Sequence[_Slot], per_hour: int) -> _Slot:
    known = [slot.intensity for slot in slots if slot.intensity is not None]
    said = [slot.is_estimated for slot in slots if slot.is_estimated is not None]
    is_partial = 0 < len(known) < per_hour
    return _Slot(
        hour,
        sum(known) / len(known) if known else None,
        any(said) or is_partial if said or is_partial else None,
        max((slot.issued_at_utc for slot in slots if slot.issued_at_utc is not None), default=None),
    )


def _table(
    hours: Sequence[_Slot],
    kind: Literal["measured", "forecast"],
    *,
    zone: str,
    emission_factor_type: str,
    fetched_at_utc: datetime,
    sandbox: bool,
) -> pa.Table:
    if fetched_at_utc.tzinfo is None:
        raise ValueError(f"fetched_at_utc must carry a time zone, not {fetched_at_utc.isoformat()}")
    columns: dict[str, list[object]] = {
        "zone": [zone] * len(hours),
        "hour_start_utc": [hour.start_utc for hour in hours],
        "carbon_intensity_gco2e_per_kwh": [hour.intensity for hour in hours],
        "intensity_kind": [kind] * len(hours),
        "emission_factor_type": [emission_factor_type] * len(hours),
        "is_estimated": [sandbox or hour.is_estimated for hour in hours],
        "issued_at_utc": [hour.issued_at_utc for hour in hours],
        "fetched_at_utc": [fetched_at_utc] * len(hours),
        "source_id": [SANDBOX_SOURCE_ID if sandbox else SOURCE_ID] * len(hours),
    }
    return conform(pa.table(columns, schema=GRID_INTENSITY.schema()), GRID_INTENSITY)
