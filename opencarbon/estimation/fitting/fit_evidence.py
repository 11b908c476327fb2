"""What fits are made of: devices with their peak, the runs that count, and the row that a fit becomes."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from opencarbon.errors import FitError
from opencarbon.estimation.fitting.history_runs import OWN_HISTORY
from opencarbon.estimation.fitting.pooling_evidence import Place
from opencarbon.physics.throughput import FLOP_PER_TFLOP_HOUR, log10_alpha, mean_tflop_per_s
from opencarbon.tables.contracts import PUBLISHED

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FitDevice:
    """A device that gets a fit.

    Parameters
    ----------
    device, generation : str
    peak_tflop_per_s : float
        Dense peak [TFLOP/s].
    """

    device: str
    generation: str
    peak_tflop_per_s: float

    def place(self) -> Place:
        """The device among its peers."""
        return Place(self.device, self.generation)


@dataclass(frozen=True, slots=True)
class FitRun:
    """A run that takes part in the fits.

    Parameters
    ----------
    device : FitDevice
    organisation, family : str
    devices : float
        Devices at work; NaN where not known.
    device_hours, training_flop : float
        [h], [FLOP]
    flop_basis, hours_scope : str or None
    source_id : str
    """

    device: FitDevice
    organisation: str
    family: str
    devices: float
    device_hours: float
    training_flop: float
    flop_basis: str | None
    hours_scope: str | None
    source_id: str

    def ideal_device_hours(self) -> float:
        """Device-hours at the dense peak [h]."""
        return self.training_flop / (self.device.peak_tflop_per_s * FLOP_PER_TFLOP_HOUR)

    def ln_utilisation(self) -> float:
        """ln(mean throughput / dense peak)."""
        return math.log(self.ideal_device_hours() / self.device_hours)

    @property
    def is_own(self) -> bool:
        """Whether it is of the own fleet."""
        return self.source_id == OWN_HISTORY


@dataclass(frozen=True, slots=True)
class Pool:
    """Runs behind a fit, and where the fit then comes from."""

    runs: tuple[FitRun, ...]
    fit_source: str

    def scaled_flop(self, device: FitDevice) -> Floats:
        """FLOP that the device does in the hours of each run at its utilisation."""
        return np.array(
            [run.training_flop * (device.peak_tflop_per_s / run.device.peak_tflop_per_s) for run in self.runs]
        )

    def reference_training_flop(self, device: FitDevice) -> float:
        """Geometric mean of the FLOP [FLOP]."""
        return math.exp(math.fsum(np.log(self.scaled_flop(device)).tolist()) / len(self.runs))

    def columns(self) -> dict[str, Any]:
        """What a row of fits says of the runs behind it."""
        counts = Counter(run.source_id for run in self.runs)
        of_the_device = self.fit_source in ("device_runs", "own_runs")
        return {
            "training_runs": len(self.runs),
            "training_families": len({run.family for run in self.runs}),
            "fit_source": self.fit_source,
            "fit_status": "estimated" if of_the_device else "assumed",
            # Source of most of the runs; among equals the first by name.
            "fit_source_id": min(counts, key=lambda source: (-counts[source], source)),
        }


def devices_with_peak(devices: pa.Table) -> dict[str, FitDevice]:
    """Devices by name.

    Parameters
    ----------
    devices : pa.Table
        device, generation, peak_dense_tflop_per_s [TFLOP/s].

    Returns
    -------
    dict of str to FitDevice
        In the order of the names.

    Raises
    ------
    FitError
        Where a device has no dense peak.
    """
    known = {}
    for row in devices.select(["device", "generation", "peak_dense_tflop_per_s"]).to_pylist():
        name, peak = row["device"], row["peak_dense_tflop_per_s"]
        if not peak or peak <= 0.0:
            raise FitError(
                f"device {name!r} has no dense peak; add peak_dense_tflop_per_s to its catalog entry"
            )
        known[name] = FitDevice(name, row["generation"] or name, peak)
    return dict(sorted(known.items()))


def runs_that_count(runs: pa.Table, known: Mapping[str, FitDevice]) -> list[FitRun]:
    """Runs that are used and whose device is known, in the order of their names.

    Parameters
    ----------
    runs : pa.Table
        ``training_runs``.
    known : mapping of str to FitDevice

    Returns
    -------
    list of FitRun
        A run without a family is a family of its own, one without an organisation an organisation of its own.
    """
    found = []
    for row in sorted(runs.to_pylist(), key=lambda row: str(row["run"])):
        if row["used"] and row["device"] in known:
            family = row["family"] or row["model"] or row["run"]
            found.append(
                FitRun(
                    device=known[row["device"]],
                    organisation=row.get("organisation") or f"that of {family}",
                    family=family,
                    devices=row["devices"] or math.nan,
                    device_hours=row["device_hours"],
                    training_flop=row["training_flop"],
                    flop_basis=row["flop_basis"],
                    hours_scope=row["hours_scope"],
                    source_id=row["source_id"],
                )
            )
    return found


def peers(used: Sequence[FitRun], device: FitDevice, *, least: int = 1) -> Pool:
    """Runs of the generation of a device, or all.

    Parameters
    ----------
    used : sequence of FitRun
    device : FitDevice
    least : int, optional
        Fewest runs of the generation that stand for it.

    Returns
    -------
    Pool
    """
    same = tuple(run for run in used if run.device.generation == device.generation)
    return Pool(same, "pooled_generation") if len(same) >= least else Pool(tuple(used), "pooled_all")


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
    return np.asarray(log10_alpha(flop, flop / (throughput * FLOP_PER_TFLOP_HOUR)))


def fit_row(device: FitDevice, alphas: Sequence[float], reference: float) -> dict[str, Any]:
    """The columns of a fit that follow from its parameter.

    Parameters
    ----------
    device : FitDevice
    alphas : sequence of float
        log10 alpha, low, central and high [log10(1/s)].
    reference : float
        Training compute at which throughput is stated [FLOP].

    Returns
    -------
    dict
    """
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


def fits_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as ``fact_device_fit`` without run_id; what a row lacks is null.

    Parameters
    ----------
    rows : sequence of mapping

    Returns
    -------
    pa.Table
    """
    schema = pa.schema([field for field in PUBLISHED["fact_device_fit"].schema() if field.name != "run_id"])
    return pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
