"""From manifests to partitions of planned jobs in the work folder."""

import difflib
import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.catalog import Catalog, squeeze
from opencarbon.errors import ConfigError, ManifestError
from opencarbon.estimation.planning.candidates import AllowedRegions
from opencarbon.pipeline.night import JobsRead, Night, Progress, silent
from opencarbon.pipeline.work import write_part
from opencarbon.settings import Settings
from opencarbon.sources.manifests import (
    ManifestFile,
    Rules,
    check_columns,
    found_manifests,
    partitions,
    read_partitions,
    scan_job_ids,
)
from opencarbon.tables.columns import TYPES
from opencarbon.tables.events import Event

PLANNED: Final = "planned_jobs"
REJECTED: Final = "rejected_rows"
_HASH_BLOCK_BYTES: Final = 1 << 22
_WISHES: Final = ("allowed_regions", "device", "current_region")


def manifest_rules(catalog: Catalog, settings: Settings) -> Rules:
    """What manifests are read against.

    Parameters
    ----------
    catalog : Catalog
    settings : Settings

    Returns
    -------
    Rules

    Raises
    ------
    ConfigError
        Where ``plan.default_region`` is not in the catalog.
    """
    refuse_unknown_region("plan.default_region", settings.plan.default_region, catalog)
    names = catalog.region_names()
    return Rules(
        device_units=catalog.device_units,
        squeeze=squeeze,
        device_names=catalog.device_names(),
        regions=frozenset(names),
        providers=frozenset(_distinct(catalog.regions, "provider")),
        countries=frozenset(_distinct(catalog.regions, "country_code")),
        columns=settings.manifest.columns,
        naive_timestamps=settings.manifest.naive_timestamps,
        carry={name: TYPES[kind] for name, kind in settings.manifest.carry.items()},
    )


def refuse_unknown_region(what: str, region: str | None, catalog: Catalog) -> None:
    """Refuse a region that the catalog does not know; none is no region.

    Parameters
    ----------
    what : str
        What names it, for the message.
    region : str or None
    catalog : Catalog

    Raises
    ------
    ConfigError
        With the near miss.
    """
    names = catalog.region_names()
    if region is not None and region not in names:
        near = difflib.get_close_matches(region, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "name a region of the catalog, provider:region"
        raise ConfigError(f"{what} {region!r} is not in the catalog; {hint}")


def read_jobs(night: Night, catalog: Catalog, progress: Progress = silent) -> JobsRead:
    """Read all manifests, keep the rows that hold every rule, and say which break one.

    Parameters
    ----------
    night : Night
    catalog : Catalog
    progress : callable, optional

    Returns
    -------
    JobsRead

    Raises
    ------
    ManifestError
        A manifest cannot be read, no row can be used, or more rows than ``publish.max_rejected_pct`` were rejected.
    """
    rules = manifest_rules(catalog, night.settings)
    with found_manifests(night.manifests) as files:
        return _read(night, files, rules, catalog, progress)


def _read(
    night: Night, files: Sequence[ManifestFile], rules: Rules, catalog: Catalog, progress: Progress
) -> JobsRead:
    events = list(check_columns(files, rules))
    parts = partitions(files, night.settings.run.rows_per_partition)
    duplicates = scan_job_ids(files, rules)
    total = sum(part.rows for part in parts)
    rejected_rows = done = 0
    broken: Counter[str] = Counter()
    first: dict[str, Any] | None = None
    wishes: set[tuple[str | None, str, str | None]] = set()
    for number, (part, (planned, rejected)) in enumerate(
        zip(parts, read_partitions(parts, rules, duplicates), strict=True)
    ):
        write_part(night.work, PLANNED, number, planned)
        write_part(night.work, REJECTED, number, rejected)
        if rejected.num_rows:
            first = first or rejected.slice(0, 1).to_pylist()[0]
            broken.update(map(str, rejected["rule_code"].to_pylist()))
        rejected_rows += part.rows - planned.num_rows
        wishes |= _wishes(planned)
        done += part.rows
        progress("read manifests", done, total)
    _refuse_too_many(total, rejected_rows, broken, first or {}, night.settings.publish.max_rejected_pct)
    if rejected_rows:
        detail = f"{rejected_rows} of {total} rows break a rule and were left out: see rejected_job"
        events.append(Event("error", "manifests", None, "rejected_rows", detail))
    digest = hashlib.sha256("".join(_file_sha256(file) for file in files).encode()).hexdigest()
    zones = _zones(wishes, catalog, night.settings.plan.default_region)
    return JobsRead(
        *(len(parts), total, rejected_rows, digest, zones, tuple(events)),
        job_id_hash_bytes=duplicates.hash_bytes,
    )


def _file_sha256(file: ManifestFile) -> str:
    sha = hashlib.sha256(file.name.encode())
    with file.source.filesystem.open_input_stream(file.source.path) as stream:
        while block := stream.read(_HASH_BLOCK_BYTES):
            sha.update(block)
    return sha.hexdigest()


def _wishes(planned: pa.Table) -> set[tuple[str | None, str, str | None]]:
    distinct = planned.select(list(_WISHES)).group_by(list(_WISHES)).aggregate([])
    return {tuple(row[name] for name in _WISHES) for row in distinct.to_pylist()}


def _zones(
    wishes: set[tuple[str | None, str, str | None]], catalog: Catalog, default_region: str | None
) -> tuple[str, ...]:
    """Zones, and zones by the other reading, of every region that some job may run in, or has its baseline in.

    Those of baselines come first: every saving stands on them, and the requests of a night may not hold for all.
    """
    table = pa.table(
        {name: pa.array([wish[at] for wish in wishes], pa.string()) for at, name in enumerate(_WISHES)}
    )
    regions = catalog.regions
    allowed = AllowedRegions(
        names=regions["region"].to_pandas().to_numpy(dtype=object),
        providers=regions["provider"].to_pandas().to_numpy(dtype=object),
        countries=regions["country_code"].to_pandas().to_numpy(dtype=object),
        offers=catalog.offers,
    )
    homes = pa.array(
        {wish[_WISHES.index("current_region")] or default_region for wish in wishes}, pa.string()
    )
    is_home = pc.is_in(regions["region"], value_set=homes).to_numpy(zero_copy_only=False)
    wanted = allowed.mask(table).any(axis=0) | is_home
    at_home, all_zones = (
        {*_distinct(places, "zone"), *_distinct(places, "alternative_zone")}
        for places in (regions.filter(pa.array(is_home)), regions.filter(pa.array(wanted)))
    )
    return tuple(sorted(all_zones, key=lambda zone: (zone not in at_home, zone)))


def _distinct(table: pa.Table, column: str) -> list[str]:
    return [str(value) for value in pc.unique(table[column]).to_pylist() if value is not None]


def _refuse_too_many(
    total: int, rejected: int, broken: Counter[str], first: dict[str, Any], most_pct: float
) -> None:
    if total == 0:
        raise ManifestError("the manifests hold no row; nothing was published")
    if rejected < total and 100.0 * rejected <= most_pct * total:
        return
    counts = ", ".join(f"{count} x {code}" for code, count in broken.most_common())
    limit = (
        "no row can be used" if rejected == total else f"more than publish.max_rejected_pct = {most_pct:g} %"
    )
    raise ManifestError(
        f"{rejected} of {total} rows break a rule, {limit}; nothing was published. Rules broken: {counts}. "
        f"First: {first['manifest']}, row {first['row']}, column {first['column']}: {first['reason']}; {first['remedy']}. "
        "List all of them with `opencarbon check MANIFEST`."
    )
