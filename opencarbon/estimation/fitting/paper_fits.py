"""Fits in the form of OpenCarbonEval: mean and 0.6 standard deviations of log10 alpha over the runs of a device.

References
----------
"OpenCarbonEval: A Unified Carbon Emission Estimation Framework in Large-Scale AI Models" (2024),
https://arxiv.org/abs/2405.12843, section on dynamic throughput modelling and Table 1.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from opencarbon.estimation.fitting.fit_evidence import (
    FitDevice,
    FitRun,
    Pool,
    devices_with_peak,
    fit_row,
    fits_table,
    peers,
)
from opencarbon.physics.throughput import log10_alpha

PAPER_HALF_WIDTH: Final = 0.6
"""Half the interval of the paper in standard deviations of log10 alpha (section on device intervals)."""

_PAPER_LEAST_RUNS: Final = 2
_FORM_FACTORS: Final = ("SXM", "PCIE", "NVL", "DGX")


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
    known = devices_with_peak(devices)
    rows: list[dict[str, Any]] = []
    for row in fits.to_pylist():
        interval = published_log10_alpha.get(row["device"])
        if interval is not None:
            device, reference = known[row["device"]], row["reference_training_flop"]
            low, high = sorted(interval)
            row = fit_row(device, (low, (low + high) / 2.0, high), reference) | {
                "training_runs": 0,
                "fit_source": "paper_table_1",
                "fit_status": "assumed",
                "fit_source_id": source_id,
            }
        rows.append(row)
    return fits_table(rows)


def paper_rows(used: Sequence[FitRun], known: Mapping[str, FitDevice]) -> list[dict[str, Any]]:
    """Fits of every device in the form of the paper.

    Parameters
    ----------
    used : sequence of FitRun
    known : mapping of str to FitDevice

    Returns
    -------
    list of dict
        Rows of ``fact_device_fit``.
    """
    rows = []
    for device in known.values():
        group = device_group(device.device)
        own = tuple(run for run in used if device_group(run.device.device) == group)
        pool = (
            Pool(own, "device_runs")
            if len(own) >= _PAPER_LEAST_RUNS
            else peers(used, device, least=_PAPER_LEAST_RUNS)
        )
        alphas = log10_alpha(pool.scaled_flop(device), np.array([run.device_hours for run in pool.runs]))
        middle, half = float(np.mean(alphas)), PAPER_HALF_WIDTH * float(np.std(alphas))
        interval = (middle - half, middle, middle + half)
        rows.append(fit_row(device, interval, pool.reference_training_flop(device)) | pool.columns())
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
