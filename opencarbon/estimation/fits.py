r"""How fast each device trains: fits of the throughput parameter to published training runs.

Both profiles state a device's throughput in the form of OpenCarbonEval, :math:`f(t) = \ln(1 + \alpha t)`
TFLOP/s, and carry :math:`\log_{10}\alpha` with an interval.

``calibrated``
    Works on the log of utilisation, y = ln(mean throughput / dense peak). Runs of a family share a cluster
    and a code base, so their mean is one observation. Devices are shrunk towards their generation and
    generations towards all (random effects, best linear unbiased prediction, in closed form). The central
    value is the predictive median and the interval is to hold 80 % of new runs of a new family.
``paper``
    Mean and 0.6 standard deviations of log10 alpha over the runs of a device, its variants together.

A device without runs takes the utilisation of its generation, or of all devices, with a wider interval.

References
----------
"OpenCarbonEval: A Unified Carbon Emission Estimation Framework in Large-Scale AI Models" (2024),
https://arxiv.org/abs/2405.12843, sections on dynamic throughput modelling and Table 1.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from opencarbon.errors import FitError
from opencarbon.estimation import pooling
from opencarbon.physics.throughput import log10_alpha, mean_tflop_per_s
from opencarbon.tables.contracts import PUBLISHED
from opencarbon.units import FLOP_PER_TFLOP, SECONDS_PER_HOUR

Profile = Literal["calibrated", "paper"]

HIGHEST_UTILISATION: Final = 0.95
"""Bound of every utilisation: no training run sustains the dense peak of its device."""

PAPER_HALF_WIDTH: Final = 0.6
"""Half the interval of the paper in standard deviations of log10 alpha (section on device intervals)."""

_PAPER_LEAST_RUNS: Final = 2
_FORM_FACTORS: Final = ("SXM", "PCIE", "NVL", "DGX")

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Device:
    device: str
    generation: str
    peak_tflop_per_s: float

    def place(self) -> pooling.Place:
        return pooling.Place(self.device, self.generation)


@dataclass(frozen=True, slots=True)
class _Run:
    device: _Device
    family: str
    device_hours: float
    training_flop: float
    source_id: str

    def ln_utilisation(self) -> float:
        seconds = self.device_hours * SECONDS_PER_HOUR
        return math.log(self.training_flop / FLOP_PER_TFLOP / seconds / self.device.peak_tflop_per_s)


@dataclass(frozen=True, slots=True)
class _Pool:
    """Runs behind a fit, and where the fit then comes from."""

    runs: tuple[_Run, ...]
    fit_source: str

    def scaled_flop(self, device: _Device) -> Floats:
        """FLOP that the device does in the hours of each run at its utilisation."""
        return np.array(
            [run.training_flop * (device.peak_tflop_per_s / run.device.peak_tflop_per_s) for run in self.runs]
        )

    def reference_training_flop(self, device: _Device) -> float:
        return math.exp(math.fsum(np.log(self.scaled_flop(device)).tolist()) / len(self.runs))

    def columns(self) -> dict[str, Any]:
        counts = Counter(run.source_id for run in self.runs)
        return {
            "training_runs": len(self.runs),
            "fit_source": self.fit_source,
            "fit_status": "estimated" if self.fit_source == "device_runs" else "assumed",
            # Source of most of the runs; among equals the first by name.
            "fit_source_id": min(counts, key=lambda source: (-counts[source], source)),
        }


def fit_devices(runs: pa.Table, devices: pa.Table, *, profile: Profile = "calibrated") -> pa.Table:
    """Fit the throughput of every device to the runs that may be used.

    Parameters
    ----------
    runs : pa.Table
        ``training_runs``; rows that are not ``used`` or whose device is not in `devices` take no part.
    devices : pa.Table
        Devices: device, generation, peak_dense_tflop_per_s [TFLOP/s].
    profile : {"calibrated", "paper"}
        Form of the fit.

    Returns
    -------
    pa.Table
        The columns of ``fact_device_fit`` without run_id, a row for every device, sorted by device.
        log10_alpha with _low (slow) and _high (fast) [log10(1/s)] give tflop_per_s [TFLOP/s] and
        utilisation at reference_training_flop [FLOP], the geometric mean of the runs behind the fit.
        ``training_runs`` counts these, and fit_source_id names the source of most of them. The result does
        not depend on the order of the rows.

    Raises
    ------
    FitError
        Where no run can be used, or a device has no dense peak.
    """
    known = _devices(devices)
    used = _used_runs(runs, known)
    if not used:
        raise FitError(
            f"none of {runs.num_rows} training runs can be used for fits; "
            "the column reason of training_runs says why, the catalog's published runs can be added"
        )
    return _table(_paper_rows(used, known) if profile == "paper" else _calibrated_rows(used, known))


def published_paper_fits(
    fits: pa.Table,
    devices: pa.Table,
    *,
    published_log10_alpha: Mapping[str, tuple[float, float]],
    source_id: str,
) -> pa.Table:
    """Put the intervals that the paper publishes in place of fits.

    Parameters
    ----------
    fits : pa.Table
        Fits of every device, as from :func:`fit_devices`; they stay for devices without a published
        interval and give the training FLOP at which throughput is stated.
    devices : pa.Table
        Devices: device, generation, peak_dense_tflop_per_s [TFLOP/s].
    published_log10_alpha : mapping of str to (float, float)
        Device -> log10 alpha, low and high [log10(1/s)], as Table 1 of the paper prints them.
    source_id : str
        Source of the published intervals.

    Returns
    -------
    pa.Table
        As `fits`. Rows from the paper have ``fit_source = paper_table_1``, ``fit_status = assumed``, the
        middle of the interval as log10_alpha and no training runs, since the paper does not name them.
    """
    known = _devices(devices)
    rows: list[dict[str, Any]] = []
    for row in fits.to_pylist():
        interval = published_log10_alpha.get(row["device"])
        if interval is not None:
            device, reference = known[row["device"]], row["reference_training_flop"]
            low, high = sorted(interval)
            row = _row(device, (low, (low + high) / 2.0, high), reference) | {
                "training_runs": 0,
                "fit_source": "paper_table_1",
                "fit_status": "assumed",
                "fit_source_id": source_id,
            }
        rows.append(row)
    return _table(rows)


def log10_alpha_at_utilisation(
    training_flop: ArrayLike, utilisation: ArrayLike, peak_dense_tflop_per_s: ArrayLike
) -> Floats:
    """Throughput parameter of a run whose mean utilisation is known.

    Parameters
    ----------
    training_flop : array_like
        Training compute [FLOP], greater than 0. NaN gives NaN.
    utilisation : array_like
        Mean throughput over dense peak, greater than 0.
    peak_dense_tflop_per_s : array_like
        Dense peak of the device [TFLOP/s].

    Returns
    -------
    ndarray of float64
        log10 alpha [log10(1/s)], of the broadcast shape.

    Raises
    ------
    ValueError
        Where an argument is zero, negative or infinite.
    """
    flop = np.asarray(training_flop, dtype=np.float64)
    throughput = np.asarray(utilisation, dtype=np.float64) * np.asarray(
        peak_dense_tflop_per_s, dtype=np.float64
    )
    if np.any(throughput <= 0.0):
        raise ValueError("utilisation and peak_dense_tflop_per_s must be greater than 0")
    return np.asarray(log10_alpha(flop, flop / (throughput * FLOP_PER_TFLOP * SECONDS_PER_HOUR)))


def _devices(devices: pa.Table) -> dict[str, _Device]:
    known = {}
    for row in devices.select(["device", "generation", "peak_dense_tflop_per_s"]).to_pylist():
        name, peak = row["device"], row["peak_dense_tflop_per_s"]
        if not peak or peak <= 0.0:
            raise FitError(
                f"device {name!r} has no dense peak; add peak_dense_tflop_per_s to its catalog entry"
            )
        known[name] = _Device(name, row["generation"] or name, peak)
    return dict(sorted(known.items()))


def _used_runs(runs: pa.Table, known: Mapping[str, _Device]) -> list[_Run]:
    rows = sorted(runs.to_pylist(), key=lambda row: str(row["run"]))
    return [
        _Run(
            device=known[row["device"]],
            family=row["family"] or row["model"] or row["run"],
            device_hours=row["device_hours"],
            training_flop=row["training_flop"],
            source_id=row["source_id"],
        )
        for row in rows
        if row["used"] and row["device"] in known
    ]


# calibrated


def _calibrated_rows(used: Sequence[_Run], known: Mapping[str, _Device]) -> list[dict[str, Any]]:
    targets = tuple(known.values())
    evidence = [pooling.Run(run.device.place(), run.family, run.ln_utilisation()) for run in used]
    places = [device.place() for device in targets]
    centre, half = pooling.predicted_ln_utilisation(evidence, places)
    ends = np.exp(np.stack([centre - half, centre, centre + half]))
    rows = []
    for device, utilisation in zip(targets, np.minimum(ends, HIGHEST_UTILISATION).T, strict=True):
        pool = _pool(used, device)
        reference = pool.reference_training_flop(device)
        alphas = log10_alpha_at_utilisation(reference, utilisation, device.peak_tflop_per_s)
        rows.append(_row(device, alphas.tolist(), reference) | pool.columns())
    return rows


def _pool(used: Sequence[_Run], device: _Device) -> _Pool:
    own = tuple(run for run in used if run.device.device == device.device)
    if own:
        return _Pool(own, "device_runs")
    return _peers(used, device, least=1)


def _peers(used: Sequence[_Run], device: _Device, *, least: int) -> _Pool:
    peers = tuple(run for run in used if run.device.generation == device.generation)
    return _Pool(peers, "pooled_generation") if len(peers) >= least else _Pool(tuple(used), "pooled_all")


# paper


def _paper_rows(used: Sequence[_Run], known: Mapping[str, _Device]) -> list[dict[str, Any]]:
    rows = []
    for device in known.values():
        group = device_group(device.device)
        own = tuple(run for run in used if device_group(run.device.device) == group)
        pool = (
            _Pool(own, "device_runs")
            if len(own) >= _PAPER_LEAST_RUNS
            else _peers(used, device, least=_PAPER_LEAST_RUNS)
        )
        alphas = log10_alpha(pool.scaled_flop(device), np.array([run.device_hours for run in pool.runs]))
        middle, half = float(np.mean(alphas)), PAPER_HALF_WIDTH * float(np.std(alphas))
        interval = (middle - half, middle, middle + half)
        rows.append(_row(device, interval, pool.reference_training_flop(device)) | pool.columns())
    return rows


def device_group(device: str) -> str:
    """Group that the paper pools a device in: its name without form factor and memory.

    Parameters
    ----------
    device : str
        Canonical name, such as ``NVIDIA A100 SXM4 80GB``.

    Returns
    -------
    str
        Such as ``NVIDIA A100``.
    """
    words = device.split()
    cut = (
        i
        for i, word in enumerate(words)
        if word.upper().startswith(_FORM_FACTORS) or word.upper().endswith("GB")
    )
    return " ".join(words[: next(cut, len(words))])


# rows


def _row(device: _Device, alphas: Sequence[float], reference: float) -> dict[str, Any]:
    low, middle, high = alphas
    throughput = float(mean_tflop_per_s(reference, middle))
    return {
        "device": device.device,
        "log10_alpha": middle,
        "log10_alpha_low": low,
        "log10_alpha_high": high,
        "reference_training_flop": reference,
        "tflop_per_s": throughput,
        "utilisation": min(throughput / device.peak_tflop_per_s, 1.0),
    }


def _table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    schema = pa.schema([field for field in PUBLISHED["fact_device_fit"].schema() if field.name != "run_id"])
    return pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
