"""A job of a run explained: the chain from its work to its emissions, and what is advised instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from opencarbon.pipeline.explain.hours import ZoneHours, zone_hours
from opencarbon.pipeline.explain.rows import Row, row_beside, row_of, rows_where, sources_of
from opencarbon.publishing.parquet import read_table
from opencarbon.sources.places import Place

_RUNS_NAMED: Final = 5
_TFLOP: Final = 1e12
_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Step:
    """A figure on the way from work to emissions.

    Parameters
    ----------
    name : str
        Its column, unit included.
    value : float or None
    low, high : float or None
        Its interval, where it has one.
    how : str
        What it was made from, in the names of the steps before it.
    source : mapping or None
        Row of ``dim_source``.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    how: str
    source: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class JobExplanation:
    """What a run says of a job.

    Parameters
    ----------
    job : mapping
        Its rows of ``dim_job``, ``fact_job_estimate`` and ``rec_job``; empty where it was rejected.
    steps : sequence of Step
        From its work to its emissions at the baseline.
    places : sequence of mapping
        Rows of ``fact_job_region``.
    segments : sequence of mapping
        Rows of ``fact_job_segment``.
    fit_runs : sequence of mapping
        Rows of ``training_runs`` behind the throughput of its device, the nearest in FLOP first.
    hours, advised_hours : ZoneHours or None
        Of the zone where it is planned, and of the one that is advised.
    rejected : sequence of mapping
        Rows of ``rejected_job``.
    """

    job: Mapping[str, Any]
    steps: Sequence[Step]
    places: Sequence[Mapping[str, Any]]
    segments: Sequence[Mapping[str, Any]]
    fit_runs: Sequence[Mapping[str, Any]]
    hours: ZoneHours | None
    advised_hours: ZoneHours | None
    rejected: Sequence[Mapping[str, Any]]


def explain_job(run: Place, job_id: str) -> JobExplanation:
    """Explain a job of a run.

    Parameters
    ----------
    run : Place
        Directory of the run.
    job_id : str
        A job that is planned or was rejected there.

    Returns
    -------
    JobExplanation
        Its steps multiply to the published figures: hours x power -> energy, x PUE -> energy of the data centre,
        x intensity -> operational emissions; embodied ones are a share of the making of the devices.
    """
    job = row_beside(run, ["dim_job", "fact_job_estimate", "rec_job"], job_id)
    rejected = rows_where(run, "rejected_job", "job_id", job_id)
    if job is None:
        return JobExplanation({}, (), (), (), (), None, None, rejected)
    places = sorted(rows_where(run, "fact_job_region", "job_id", job_id), key=lambda row: row["rank"])
    region = row_of(run, "dim_region", "region", job["baseline_region"])
    advised = row_of(run, "dim_region", "region", job["advised_region"])
    device = row_of(run, "dim_device", "device", job["device"]) or {}
    fit = row_of(run, "fact_device_fit", "device", job["device"])
    sources = sources_of(run)
    return JobExplanation(
        job=job,
        steps=tuple(_steps(job, region or {}, device, fit or {}, sources)),
        places=places,
        segments=rows_where(run, "fact_job_segment", "job_id", job_id),
        fit_runs=_fit_runs(run, job) if job["fit_source_id"] else (),
        hours=zone_hours(run, (region or {}).get("zone")),
        advised_hours=zone_hours(run, (advised or {}).get("zone")),
        rejected=rejected,
    )


def _steps(
    job: Row, region: Row, device: Row, fit: Row, sources: Mapping[str, Mapping[str, Any]]
) -> Iterator[Step]:
    def step(name: str, how: str, source_id: str | None = None) -> Step:
        low, high = (job.get(_end(name, end)) for end in ("low", "high"))
        return Step(name, job[name], low, high, how, sources.get(source_id or ""))

    flop, hours = job["training_flop"], job["device_hours"]
    given = f"work of the manifest ({(job['work_source'] or '').replace('_', ' ')})"
    if flop is not None and hours and job["fit_source_id"]:
        yield Step("training_flop", flop, None, None, given, None)
        pace = flop / hours / _SECONDS / _TFLOP
        peak = device.get("peak_dense_tflop_per_s")
        share = f"{100 * pace / peak:.0f} % of its peak of {peak:g}; " if peak else ""
        fitted = f"{share}fit: {_words(job['fit_source'])}, {fit.get('training_runs')} runs of {fit.get('training_families')} families"
        yield Step("tflop_per_s_per_device", pace, None, None, fitted, sources.get(job["fit_source_id"]))
        yield step("device_hours", "training_flop / tflop_per_s_per_device / 3600 / 1e12")
    else:
        yield step("device_hours", given, job["fit_source_id"])
    yield Step(
        "device_count", job["device_count"], None, None, f"devices of the manifest: {job['device']}", None
    )
    yield step("wall_hours", "device_hours / device_count")
    yield step("power_w", f"mean of one device, {_words(job['power_source'])}", job["power_source_id"])
    yield step("energy_kwh", "device_hours x power_w / 1000")
    yield step(
        "pue",
        f"{job['baseline_region'] or 'no region'}, {region.get('pue_status', '')}".rstrip(", "),
        region.get("source_id"),
    )
    yield step("facility_energy_kwh", "energy_kwh x pue")
    kind = _words(job["intensity_kind"])
    where = f"zone {region['zone']}, " if region.get("zone") else ""
    yield step("carbon_intensity_gco2e_per_kwh", f"{where}{kind}", job["intensity_source_id"])
    yield step("operational_kgco2e", "facility_energy_kwh x carbon_intensity_gco2e_per_kwh / 1000")
    central = device.get("embodied_central_kgco2e")
    made = (
        f"{central:g} kgCO2e for making a device ({device.get('embodied_boundary')}), by the hours used of its life"
        if central
        else ""
    )
    yield step("embodied_kgco2e", made, device.get("embodied_source_id"))
    yield step("total_kgco2e", "operational_kgco2e + embodied_kgco2e")
    yield step("sci_kgco2e_per_run", "total_kgco2e / repeats")


def _end(name: str, end: str) -> str:
    """Column of an end of the interval of a column: before the unit."""
    for unit in ("_gco2e_per_kwh", "_kgco2e", "_kwh", "_w"):
        if name.endswith(unit):
            return f"{name.removesuffix(unit)}_{end}{unit}"
    return f"{name}_{end}"


def _fit_runs(run: Place, job: Row) -> list[Row]:
    """Runs on the device of a job that its fit used, those of like computation first."""
    flop = job["training_flop"] or 0.0
    runs = [
        row
        for row in read_table(run, "training_runs").to_pylist()
        if row["used"] and row["device"] == job["device"]
    ]
    return sorted(runs, key=lambda row: abs((row["training_flop"] or 0.0) - flop))[:_RUNS_NAMED]


def _words(name: str | None) -> str:
    return (name or "not known").replace("_", " ")
