r"""How fast each device trains: fits of the throughput parameter to training runs.

Both profiles state a device's throughput in the form of OpenCarbonEval, :math:`f(t) = \ln(1 + \alpha t)`
TFLOP/s, and carry :math:`\log_{10}\alpha` with an interval.

``calibrated``
    Works on the log of utilisation, y = ln(mean throughput / dense peak): random effects of run, family,
    organisation, device and generation in closed form (:mod:`opencarbon.estimation.fitting.pooling` has model, prior and
    solver). Runs of the own fleet make it the fit of that fleet. Whether utilisation depends on the length of a run,
    and whether benchmarks of tuned code take part, is decided by the error on families left out, anew for the runs
    at hand. The central value is the predictive median, the interval a prediction interval of one new run. Hours
    are predicted from utilisation: alpha states it at reference_training_flop.
``paper``
    Mean and 0.6 standard deviations of log10 alpha over the runs of a device, its variants together. Hours are
    predicted from alpha.

A device without runs takes the utilisation of its generation, or of all devices, with a wider interval.

References
----------
"OpenCarbonEval: A Unified Carbon Emission Estimation Framework in Large-Scale AI Models" (2024),
https://arxiv.org/abs/2405.12843, sections on dynamic throughput modelling and Table 1.
"""

from typing import Literal

import pyarrow as pa

from opencarbon.errors import FitError
from opencarbon.estimation.fitting.calibrated_fits import calibrated_rows
from opencarbon.estimation.fitting.fit_evidence import devices_with_peak, fits_table, runs_that_count
from opencarbon.estimation.fitting.paper_fits import paper_rows
from opencarbon.estimation.fitting.pooling_priors import LEVEL

Profile = Literal["calibrated", "paper"]


def fit_devices(
    runs: pa.Table,
    devices: pa.Table,
    *,
    profile: Profile = "calibrated",
    level: float = LEVEL,
    benchmarks: pa.Table | None = None,
) -> pa.Table:
    """Fit the throughput of every device to the runs that may be used.

    Parameters
    ----------
    runs : pa.Table
        ``training_runs``; rows that are not ``used`` or whose device is not in `devices` take no part.
    devices : pa.Table
        Devices: device, generation, peak_dense_tflop_per_s [TFLOP/s].
    profile : {"calibrated", "paper"}
        Form of the fit.
    level : float, optional
        Share of new runs of new families that the interval of the calibrated profile is to hold.
    benchmarks : pa.Table, optional
        Throughput that tuned code was measured to reach: device, model, utilisation.

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
    known = devices_with_peak(devices)
    used = runs_that_count(runs, known)
    if not used:
        raise FitError(
            f"none of {runs.num_rows} training runs can be used for fits; "
            "the column reason of training_runs says why, the catalog's published runs can be added"
        )
    if profile == "paper":
        return fits_table(paper_rows(used, known))
    return fits_table(calibrated_rows(used, known, benchmarks, level))
