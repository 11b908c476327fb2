"""Rows of an Electricity Maps answer, checked to be what was asked for and averaged over the hour."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple

import pyarrow as pa

from opencarbon.errors import SourcePlanError, SourceShapeError
from opencarbon.sources.electricity_maps.models import Asked, Body, Row, Said, shown
from opencarbon.tables.conform import conform
from opencarbon.tables.inputs import FLOW_TRACED, GRID_INTENSITY, PRODUCTION
from opencarbon.units import HOUR, whole_hour

SOURCE_ID: Final = "electricity-maps-api"
SANDBOX_SOURCE_ID: Final = "electricity-maps-sandbox"

_SLOTS_PER_HOUR: Final = {"hourly": 1, "15_minutes": 4, "5_minutes": 12}
_SANDBOX_METHOD: Final = "SANDBOX_MODE_DATA"


class _Slot(NamedTuple):
    start_utc: datetime
    intensity: float | None
    is_estimated: bool | None
    issued_at_utc: datetime | None


def intensity_table(
    body: Body,
    rows: Sequence[Row],
    kind: Literal["measured", "forecast"],
    *,
    asked: Asked,
    fetched_at_utc: datetime,
    within: tuple[datetime, datetime] | None = None,
    issued_at_utc: datetime | None = None,
) -> pa.Table:
    """Check the rows of an answer, and make them a table.

    Parameters
    ----------
    body : Body
    rows : sequence of Row
        Its rows.
    kind : {"measured", "forecast"}
    asked : Asked
    fetched_at_utc : datetime
        With a time zone.
    within : tuple of datetime, optional
        A half-open range: what starts outside it is dropped.
    issued_at_utc : datetime, optional
        When all rows were issued; else each says when it was updated.

    Returns
    -------
    pa.Table
        Rows of ``GRID_INTENSITY`` by hour. Finer data are averaged over the hour.

    Raises
    ------
    SourceShapeError
        If the answer is not for what was asked, or its times are no hours or even parts of hours.
    SourcePlanError
        If these are sandbox data that were not to be accepted.
    """
    if fetched_at_utc.tzinfo is None:
        raise ValueError(f"fetched_at_utc must carry a time zone, not {fetched_at_utc.isoformat()}")
    sandbox = _check_sandbox(body, rows, asked.allow_sandbox)
    _check_rows(body, rows, asked)
    hours = _hourly(rows, body)
    if within:
        hours = [hour for hour in hours if within[0] <= hour.start_utc < within[1]]
    columns: dict[str, list[object]] = {
        "zone": [asked.zone] * len(hours),
        "hour_start_utc": [hour.start_utc for hour in hours],
        "carbon_intensity_gco2e_per_kwh": [hour.intensity for hour in hours],
        "intensity_kind": [kind] * len(hours),
        "emission_factor_type": [asked.emission_factor_type] * len(hours),
        "is_estimated": [sandbox or hour.is_estimated for hour in hours],
        "issued_at_utc": [issued_at_utc or hour.issued_at_utc for hour in hours],
        "fetched_at_utc": [fetched_at_utc] * len(hours),
        "source_id": [SANDBOX_SOURCE_ID if sandbox else SOURCE_ID] * len(hours),
        "accounting_basis": [FLOW_TRACED if asked.flow_traced else PRODUCTION] * len(hours),
    }
    return conform(pa.table(columns, schema=GRID_INTENSITY.schema()), GRID_INTENSITY)


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise SourceShapeError(message)


def _check_sandbox(body: Body, rows: Sequence[Row], allow_sandbox: bool) -> bool:
    found = "sandbox" in (body.disclaimer or "").lower() or any(
        row.estimation_method == _SANDBOX_METHOD for row in rows
    )
    if found and not allow_sandbox:
        raise SourcePlanError(
            "these are the made-up data of a sandbox token; use a production token, "
            "or set electricity_maps.allow_sandbox to accept them"
        )
    return found


def _check_rows(body: Body, rows: Sequence[Row], asked: Asked) -> None:
    everything: tuple[Said, ...] = (body, *rows)
    for said in everything:
        at = said.datetime.isoformat() if isinstance(said, Row) else "the answer"
        _check(
            said.zone in (None, asked.zone), f"zone: asked for {asked.zone}, {at} is for {shown(said.zone)}"
        )
        factor_type = said.emission_factor_type
        _check(
            factor_type in (None, asked.emission_factor_type),
            f"emissionFactorType: asked for {asked.emission_factor_type}, {at} is {shown(factor_type)}",
        )
        _check(
            said.flow_traced in (None, asked.flow_traced),
            f"flowTraced: {at} is {'' if said.flow_traced else 'not '}flow-traced, and the other was asked for",
        )


def _hourly(rows: Sequence[Row], body: Body) -> list[_Slot]:
    """Slots of an hour each; finer ones are averaged, and an hour that lacks some of them counts as estimated."""
    per_hour = _SLOTS_PER_HOUR.get(body.temporal_granularity, 0)
    granularity = shown(body.temporal_granularity)
    _check(per_hour > 0, f"temporalGranularity: {granularity} is not hourly or finer")
    by_hour: dict[datetime, dict[timedelta, Row]] = {}
    for row in rows:
        moment = row.datetime.astimezone(UTC)
        hour = whole_hour(moment)
        within = by_hour.setdefault(hour, {})
        starts_slot = (moment - hour) % (HOUR / per_hour) == timedelta()
        _check(
            starts_slot, f"datetime: {moment.isoformat()} is not the start of a slot, which are {granularity}"
        )
        _check(moment - hour not in within, f"datetime: {moment.isoformat()} stands twice")
        within[moment - hour] = row
    return [_mean(hour, list(within.values()), per_hour) for hour, within in sorted(by_hour.items())]


def _mean(hour: datetime, slots: Sequence[Row], per_hour: int) -> _Slot:
    known = [slot.carbon_intensity for slot in slots if slot.carbon_intensity is not None]
    said = [slot.is_estimated for slot in slots if slot.is_estimated is not None]
    is_partial = 0 < len(known) < per_hour
    return _Slot(
        hour,
        sum(known) / len(known) if known else None,
        any(said) or is_partial if said or is_partial else None,
        max((slot.updated_at for slot in slots if slot.updated_at is not None), default=None),
    )
