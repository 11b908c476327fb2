"""Throughput by regression, as the paper's static baselines have it: support vectors and a decision tree.

OpenCarbonEval sets its dynamic throughput against support vector regression (SVR) and decision tree
regression (DTR) of the same runs (section 3.1), and prints neither features nor hyper-parameters. Here:

- Target: ln(mean throughput / dense peak), the logarithm of utilisation. Throughput itself is nearly the peak
  of the device over again: a tree spends its leaves on telling devices apart, and away from all runs
  support vectors fall back on a mean throughput, which is impossible on a K80 and slow on a B200. Their
  mean utilisation is possible everywhere. With one family left out at a time it errs less too: 31 % against
  40 % (SVR) and 30 % against 34 % (DTR), medians by family of 72 bundled runs.
- Features: ln training FLOP and ln dense peak. Both are known before a run; its year need not be, and the
  parameters of many runs are not.
- Every run counts once, however many there are of its family, as in the paper's own fit.

Hyper-parameters are stated here and were not searched. Neither method is monotone in its features: more FLOP
may be predicted to take less time.

References
----------
"OpenCarbonEval: A Unified Carbon Emission Estimation Framework in Large-Scale AI Models" (2024),
https://arxiv.org/abs/2405.12843, section 3.1 and Table 2.

Pedregosa et al. (2011), "Scikit-learn: Machine Learning in Python", https://jmlr.org/papers/v12/pedregosa11a.html.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from opencarbon.errors import ConfigError, FitError
from opencarbon.estimation.fitting.pooling_priors import WITHIN_FAMILY
from opencarbon.estimation.hours import HIGHEST_UTILISATION
from opencarbon.physics.throughput import FLOP_PER_TFLOP_HOUR

Kind = Literal["svr", "dtr"]

LEAST_RUNS: Final = 5
"""Fewest runs that a regression is fitted to: one leaf of the tree."""

SVR_OPTIONS: Final = {"kernel": "rbf", "C": 1.0, "gamma": "scale", "epsilon": WITHIN_FAMILY}
"""Radial kernel on standardised features, width and cost the defaults of scikit-learn. Deviations up to epsilon
cost nothing: runs of one family on one device differ by as much."""

DTR_OPTIONS: Final = {"max_depth": 3, "min_samples_leaf": LEAST_RUNS, "random_state": 0}
"""Eight leaves at most, for some 80 runs; with five runs in a leaf its mean is known to a fifth, as families on one
device deviate by 0.42 in ln utilisation. The state decides between splits that are equally good."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Regressor:
    """A fitted regression of ln utilisation.

    Parameters
    ----------
    kind : {"svr", "dtr"}
    training_runs : int
        Runs that it was fitted to.
    model : estimator of scikit-learn
        From ln training FLOP and ln dense peak to ln utilisation.
    """

    kind: Kind
    training_runs: int
    model: Any

    def device_hours(self, training_flop: ArrayLike, peak_dense_tflop_per_s: ArrayLike) -> Floats:
        """Device-hours that a run takes [h].

        Parameters
        ----------
        training_flop : array_like
            Training compute [FLOP], greater than 0.
        peak_dense_tflop_per_s : array_like
            Dense peak of the device [TFLOP/s], greater than 0.

        Returns
        -------
        ndarray of float64
            Device-hours [h], of the broadcast shape; NaN where an argument is. The throughput behind them is
            at most the peak times `HIGHEST_UTILISATION`.

        Raises
        ------
        ValueError
            If an argument is negative, 0 or infinite.
        """
        flop, peak = np.broadcast_arrays(
            np.asarray(training_flop, dtype=np.float64), np.asarray(peak_dense_tflop_per_s, dtype=np.float64)
        )
        if np.any((flop <= 0.0) | (peak <= 0.0) | np.isinf(flop) | np.isinf(peak)):
            raise ValueError("training_flop and peak_dense_tflop_per_s must be greater than 0, finite or NaN")
        utilisation = np.full(flop.shape, np.nan)
        known = ~np.isnan(flop * peak)
        if known.any():
            predicted = np.exp(self.model.predict(_features(flop[known], peak[known])))
            utilisation[known] = np.minimum(predicted, HIGHEST_UTILISATION)
        return np.asarray(flop / (utilisation * peak * FLOP_PER_TFLOP_HOUR))


def fit_regressor(kind: Kind, runs: pa.Table, devices: pa.Table) -> Regressor:
    """Fit a regression to the runs that the device fits use.

    Parameters
    ----------
    kind : {"svr", "dtr"}
        Support vectors, or a decision tree.
    runs : pa.Table
        ``training_runs``; rows that are not ``used``, and those whose device is not in `devices` or has no
        dense peak there, take no part.
    devices : pa.Table
        Devices: device, peak_dense_tflop_per_s [TFLOP/s].

    Returns
    -------
    Regressor
        The same for any order of the rows.

    Raises
    ------
    ConfigError
        Where scikit-learn is not installed.
    FitError
        Where fewer than `LEAST_RUNS` runs can be used.
    """
    flop, hours, peak = _used(runs, devices)
    if flop.size < LEAST_RUNS:
        raise FitError(
            f"{flop.size} of {runs.num_rows} training runs can be used, and the regression {kind} needs at least "
            f"{LEAST_RUNS}; the column reason of training_runs says why the others cannot, the catalog's "
            "published runs can be added"
        )
    return fit_regression(kind, flop, hours, peak)


def fit_regression(
    kind: Kind, training_flop: Floats, device_hours: Floats, peak_dense_tflop_per_s: Floats
) -> Regressor:
    """Fit a regression to runs given as arrays.

    Parameters
    ----------
    kind : {"svr", "dtr"}
    training_flop, device_hours, peak_dense_tflop_per_s : ndarray of shape (runs,)
        [FLOP], [h], [TFLOP/s], all greater than 0; in one order, whatever the order of their source.

    Returns
    -------
    Regressor

    Raises
    ------
    ConfigError
        Where scikit-learn is not installed.
    """
    model = _model(kind)
    utilisation = training_flop / (device_hours * peak_dense_tflop_per_s * FLOP_PER_TFLOP_HOUR)
    model.fit(_features(training_flop, peak_dense_tflop_per_s), np.log(utilisation))
    return Regressor(kind, training_flop.size, model)


def _model(kind: Kind) -> Any:  # noqa: ANN401  # scikit-learn states no types
    try:
        from sklearn import pipeline, preprocessing, svm, tree
    except ImportError:
        raise ConfigError(
            f"the method {kind} needs scikit-learn, which is not installed: pip install 'opencarbon[baselines]'"
        ) from None
    if kind == "dtr":
        return tree.DecisionTreeRegressor(**DTR_OPTIONS)
    return pipeline.make_pipeline(preprocessing.StandardScaler(), svm.SVR(**SVR_OPTIONS))


def _used(runs: pa.Table, devices: pa.Table) -> tuple[Floats, Floats, Floats]:
    """Training FLOP, device-hours and dense peak [TFLOP/s] of the runs that may be used, in the order of their names."""
    peaks = dict(
        zip(devices["device"].to_pylist(), devices["peak_dense_tflop_per_s"].to_pylist(), strict=True)
    )
    rows = [row for row in runs.sort_by("run").to_pylist() if row["used"] and peaks.get(row["device"])]
    table = np.array(
        [(row["training_flop"], row["device_hours"], peaks[row["device"]]) for row in rows], dtype=np.float64
    )
    flop, hours, peak = table.reshape(-1, 3).T
    return flop, hours, peak


def _features(training_flop: Floats, peak_dense_tflop_per_s: Floats) -> Floats:
    return np.log(np.column_stack([training_flop, peak_dense_tflop_per_s]))
