"""What the Electricity Maps API is asked, and the form of the bodies that it answers with.

API: https://app.electricitymaps.com/docs/reference
"""

from typing import Annotated, Final, Literal, NamedTuple, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from opencarbon.errors import SourceShapeError
from opencarbon.tables.columns import all_columns

EmissionFactorType = Literal["lifecycle", "direct"]

_HIGHEST: Final = all_columns()["carbon_intensity_gco2e_per_kwh"].maximum
_PROBLEMS_SHOWN: Final = 3
_CHARACTERS_SHOWN: Final = 60

_Intensity = Annotated[float, Field(ge=0, le=_HIGHEST, allow_inf_nan=False)]


class Asked(NamedTuple):
    """What a request is about, and what its answer must be about.

    Attributes
    ----------
    zone : str
        Zone, such as ``DE`` or ``US-CAL-CISO``.
    emission_factor_type : {"lifecycle", "direct"}
    flow_traced : bool
        The intensity of what the zone consumes; else of what it generates.
    allow_sandbox : bool
        Accept the made-up data that a sandbox token gets; they are marked ``is_estimated`` and by their source.
    """

    zone: str
    emission_factor_type: EmissionFactorType
    flow_traced: bool = True
    allow_sandbox: bool = False


class Model(BaseModel):
    """Strict: text is no number and a number is no time. Fields that the API adds later are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, alias_generator=to_camel)


class Said(Model):
    """What is said of an intensity, by its row or by the body as a whole."""

    zone: str | None = None
    emission_factor_type: str | None = None
    flow_traced: bool | None = None


class Row(Said):
    """An interval; forecasts, and some bodies of version 3, say nothing but the first two fields."""

    carbon_intensity: _Intensity | None
    datetime: AwareDatetime
    updated_at: AwareDatetime | None = None
    is_estimated: bool | None = None
    estimation_method: str | None = None


class Body(Said):
    """What every body may say."""

    temporal_granularity: str = "hourly"
    disclaimer: str | None = Field(default=None, alias="_disclaimer")


class Latest(Row, Body):
    """``latest``, and ``past`` in one of its forms: a bare row."""

    zone: str


class History(Body):
    """``history``."""

    zone: str
    history: list[Row]


class Past(Body):
    """``past`` in its other form, whose zone may stand in its rows alone."""

    data: list[Row]


class PastRange(Past):
    """``past-range``."""

    zone: str


class Forecast(Body):
    """``forecast``."""

    zone: str
    forecast: list[Row]
    updated_at: AwareDatetime


AnyBody = TypeVar("AnyBody", bound=Body)


def read_body(model: type[AnyBody], body: bytes, zone: str) -> AnyBody:
    """Read a body.

    Parameters
    ----------
    model : type
        Its form.
    body : bytes
    zone : str
        The zone asked for.

    Returns
    -------
    Body

    Raises
    ------
    SourceShapeError
        If it has another form, or is for another zone.
    """
    try:
        read = model.model_validate_json(body)
    except ValidationError as problem:
        words = words_of(problem)
    else:
        if read.zone in (None, zone):
            return read
        words = f"zone: asked for {zone}, answered for {shown(read.zone)}"
    raise SourceShapeError(words)


def words_of(problem: ValidationError) -> str:
    """The first fields that have another form, with what was found there, on one line."""
    problems = [
        f"{'.'.join(map(str, error['loc'])) or 'body'}: {error['msg']}, found {shown(error['input'])}"
        for error in problem.errors(include_url=False, include_context=False)
    ]
    more = f" and {len(problems) - _PROBLEMS_SHOWN} more" if len(problems) > _PROBLEMS_SHOWN else ""
    return "; ".join(problems[:_PROBLEMS_SHOWN]) + more


def shown(value: object) -> str:
    """A value as a message shows it: cut where it is long."""
    text = repr(value)
    return text if len(text) <= _CHARACTERS_SHOWN else f"{text[:_CHARACTERS_SHOWN]}..."
