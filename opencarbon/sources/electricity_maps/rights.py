"""What the plan of a token covers, probed once a day by one request and kept in the store.

::

    <root>/rights/v<format>/<digest of the base URL>/<probed>-<digest>.json

A probe is known by the URL it went to and never by the token: another token for the same URL may find itself with the
rights of the one before for up to a day, and is then refused, or not asked for all that it covers.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import pyarrow.fs as pafs
from pydantic import TypeAdapter, ValidationError

from opencarbon.errors import SourceError, SourceShapeError
from opencarbon.sources.electricity_maps.models import Model, words_of
from opencarbon.sources.electricity_maps.requests import fetch_zones
from opencarbon.sources.http import Client
from opencarbon.sources.locations import public_name
from opencarbon.sources.store.files import (
    FORMAT,
    MOMENT_IN_NAMES,
    content_of,
    digest_of,
    find,
    listed,
    name_of,
    put,
)
from opencarbon.tables.events import Event

LASTS: Final = timedelta(days=1)
"""How long a probe is good for."""

_SIGNAL: Final = "carbon-intensity"
_EVERYTHING: Final = "*"
_FILE: Final = re.compile(r"(\d{8}T\d{12}Z)-([0-9a-f]{16})\.json")
_STORE: Final = "store of rights"


class ZoneRights(NamedTuple):
    """What the plan covers of a zone.

    Parameters
    ----------
    access : tuple of str or None
        Endpoints, such as ``carbon-intensity/latest``, or ``*`` for all of them; None where it is not said.
    is_commercially_available : bool or None
    """

    access: tuple[str, ...] | None
    is_commercially_available: bool | None

    def covers(self, endpoint: str) -> bool | None:
        """Whether an endpoint of the carbon intensity may be asked for.

        Parameters
        ----------
        endpoint : str
            Such as ``forecast``.

        Returns
        -------
        bool or None
            What ``access`` says; where it says nothing, False for a zone that is not commercially available and
            None for any other.
        """
        if self.access is not None:
            return _EVERYTHING in self.access or f"{_SIGNAL}/{endpoint}" in self.access
        return False if self.is_commercially_available is False else None


class Rights:
    """What the plan of a token covers, as far as it is known.

    Parameters
    ----------
    zones : mapping of str to ZoneRights
    """

    def __init__(self, zones: Mapping[str, ZoneRights]) -> None:
        self.zones = dict(zones)

    def covers(self, zone: str, endpoint: str) -> bool | None:
        """Whether an endpoint of a zone may be asked for; see :meth:`ZoneRights.covers`.

        Parameters
        ----------
        zone, endpoint : str

        Returns
        -------
        bool or None
            None where it is not known, as for a zone that the probe does not list.
        """
        found = self.zones.get(zone)
        return None if found is None else found.covers(endpoint)


UNKNOWN: Final = Rights({})
"""Nothing is known: everything may be asked for."""


class _Zone(Model):
    access: list[str] | None = None
    is_commercially_available: bool | None = None


class _Probe(Model):
    zones: dict[str, _Zone]


_ZONES: Final = TypeAdapter(dict[str, _Zone])


def parse_zones(body: bytes) -> Rights:
    """Read the answer of ``zones``.

    Parameters
    ----------
    body : bytes

    Returns
    -------
    Rights

    Raises
    ------
    SourceShapeError
        If it is not what the documentation promises.
    """
    try:
        read = _ZONES.validate_json(body)
    except ValidationError as problem:
        words = words_of(problem)
    else:
        return _rights(read)
    raise SourceShapeError(words)


def known_rights(root: str, base_url: str, now_utc: datetime) -> Rights:
    """Rights of the plan that the store knows of the last day.

    Parameters
    ----------
    root : str
        Folder of the store: a path or a URI that pyarrow knows.
    base_url : str
        Of the service.
    now_utc : datetime
        The moment it is, with a time zone.

    Returns
    -------
    Rights
        :data:`UNKNOWN` where none were probed.

    Raises
    ------
    ConfigError
        If the store has a format that this version does not know.
    SourceUnavailableError
        If the store cannot be read.
    """
    return _stored(root, base_url, now_utc) or UNKNOWN


def rights_in_force(
    client: Client, root: str, base_url: str, now_utc: datetime
) -> tuple[Rights, list[Event]]:
    """Rights of the plan: those that the store knows of the last day, or those of a probe, which is then stored.

    Parameters
    ----------
    client : Client
    root : str
        Folder of the store: a path or a URI that pyarrow knows.
    base_url : str
        Of the service.
    now_utc : datetime
        The moment it is, with a time zone: rights are those of the moment of asking.

    Returns
    -------
    rights : Rights
        :data:`UNKNOWN` where the probe failed.
    events : list of Event
        What failed. Nothing that is planned stands on poorer data for it.

    Raises
    ------
    ConfigError
        If the store has a format that this version does not know.
    """
    events = []
    try:
        known = _stored(root, base_url, now_utc)
    except SourceError as problem:
        known = None
        events.append(
            _event("intensity_store", problem.code, f"{problem}; the rights of the plan are probed")
        )
    if known is not None:
        return known, events
    try:
        body = fetch_zones(client)
        if body is None:
            raise SourceError("the service does not know this endpoint")
        rights = parse_zones(body)
    except SourceError as problem:
        detail = f"zones: {problem}; what the plan covers is not known, so that everything is asked for"
        return UNKNOWN, [*events, _event("electricity_maps", problem.code, detail)]
    if all(zone.access is None for zone in rights.zones.values()):
        return rights, events  # an answer to a token that the service does not know is like that too
    try:
        _keep(root, base_url, now_utc, rights)
    except SourceError as problem:
        detail = f"{problem}; the next night probes the rights of the plan again"
        events.append(_event("intensity_store", problem.code, detail))
    return rights, events


def _folder(base_url: str) -> str:
    return f"rights/v{FORMAT}/{digest_of(public_name(base_url).encode())}"


def _keep(root: str, base_url: str, probed_at_utc: datetime, rights: Rights) -> None:
    zones = {
        zone: {"access": found.access, "isCommerciallyAvailable": found.is_commercially_available}
        for zone, found in sorted(rights.zones.items())
    }
    content = json.dumps({"service": public_name(base_url), "zones": zones}, separators=(",", ":")).encode()
    name = f"{probed_at_utc.astimezone(UTC).strftime(MOMENT_IN_NAMES)}-{digest_of(content)}.json"
    put(root, f"{_folder(base_url)}/{name}", content, store=_STORE)


def _stored(root: str, base_url: str, now_utc: datetime) -> Rights | None:
    """The newest probe of the last day that is whole; None where there is none."""
    newest = now_utc.astimezone(UTC).strftime(MOMENT_IN_NAMES)
    oldest = (now_utc.astimezone(UTC) - LASTS).strftime(MOMENT_IN_NAMES)

    def look(system: pafs.FileSystem, folder: str) -> Iterator[str]:
        for name in sorted((info.base_name for info in listed(system, folder)), reverse=True):
            match = _FILE.fullmatch(name)
            if match and oldest < match[1] <= newest:
                yield f"{folder}/{name}"

    system, paths = find(root, _folder(base_url), look, store=_STORE)
    return next((found for path in paths if (found := _read(system, path)) is not None), None)


def _read(system: pafs.FileSystem, path: str) -> Rights | None:
    match = _FILE.fullmatch(name_of(path))
    try:
        content = content_of(system, path)
        if match is None or digest_of(content) != match[2]:
            return None
        return _rights(_Probe.model_validate_json(content).zones)
    except (OSError, ValidationError):
        return None


def _rights(zones: Mapping[str, _Zone]) -> Rights:
    return Rights(
        {
            zone: ZoneRights(
                None if said.access is None else tuple(said.access), said.is_commercially_available
            )
            for zone, said in zones.items()
        }
    )


def _event(source: str, code: str, detail: str) -> Event:
    return Event("info", source, None, code, detail)
