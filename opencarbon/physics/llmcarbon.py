r"""LLMCarbon: throughput, device count and batch from the parameters of a language model, and carbon by die area.

Quadratics :math:`y = a x^2 + b x + c`, fitted to the ten rows of Megatron-LM on A100 80GB [2]_, stand for
every device [1]_, [3]_:

- a model that fits into one node takes the tensor-parallel curve, a larger one the pipeline-parallel curve;
- a device that has not 80 GB takes the same curve, brought down to a V100 whatever it is.

Each quadratic is had as published, or clamped: never taken outside the rows it was fitted to. The
tensor-parallel one is negative from 50e9 parameters, the pipeline-parallel one from 2.5e12; where a published
curve is not above 0 it says nothing, and the result is NaN.

A mixture of experts counts as the dense model it was made from: pass that model's parameters here, and as
``active_parameters`` to `opencarbon.physics.compute.training_flop`. Energy is that of
`opencarbon.physics.power` (system power, PUE). Operational carbon is that of `opencarbon.physics.carbon`, and
embodied carbon too, with area x carbon per area, `LIFETIME_H` and `FLEET_UTILISATION`.

The paper lowers the efficiency of a run whose device count is not the optimal one (equation 7). The
coefficients of that correction are not published, so it is left out.

References
----------
.. [1] Faiz et al. (2023), "LLMCarbon: Modeling the end-to-end Carbon Footprint of Large Language Models",
   https://arxiv.org/abs/2309.14393.
.. [2] Narayanan et al. (2021), "Efficient Large-Scale Language Model Training on GPU Clusters Using
   Megatron-LM", https://arxiv.org/abs/2104.04473, Table 1.
.. [3] The authors' code, https://github.com/SotaroKaneda/MLCarbon, commit b54d8fe: model.py,
   data/hardware.csv; commit faf15b7: data/transistors.json.
.. [4] "OpenCarbonEval: A Unified Carbon Emission Estimation Framework in Large-Scale AI Models" (2024),
   https://arxiv.org/abs/2405.12843, Tables 2 and 3.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from opencarbon.physics._arrays import FloatArray, as_float64, checked, numpy_scalar_if_0d
from opencarbon.physics.throughput import FLOP_PER_TFLOP_HOUR
from opencarbon.units import HOURS_PER_DAY, HOURS_PER_YEAR


class Quadratic(NamedTuple):
    """A curve ``square x^2 + linear x + constant``, and the range of x that it is clamped to."""

    square: float
    linear: float
    constant: float
    lowest: float
    highest: float

    def at(self, x: FloatArray, *, clamped: bool) -> FloatArray:
        """Value of the curve; NaN where it is not above 0."""
        inside = np.clip(x, self.lowest, self.highest) if clamped else x
        value = (self.square * inside + self.linear) * inside + self.constant
        return as_float64(np.where(value > 0.0, value, np.nan))


# Coefficients: [3], README and model.py. Ranges: the rows of [2] whose least-squares fit they are.
TENSOR_TFLOP_PER_S: Final = Quadratic(-8.82079068e-20, 1.68591116e-09, 133.954735, 1.7e9, 18.4e9)
"""Throughput of an A100 80GB with tensor parallelism alone, over parameters [TFLOP/s]."""
PIPELINE_TFLOP_PER_S: Final = Quadratic(-5.60233749e-23, 8.45435587e-11, 134.546129, 18.4e9, 1008e9)
"""Throughput of an A100 80GB with tensor and pipeline parallelism, over parameters [TFLOP/s]."""
DEVICE_COUNT: Final = Quadratic(-2.12910565e-21, 4.39684339e-09, 799.173057, 0.0, 1008e9)
"""Optimal number of A100 80GB, over parameters. The rows begin at 76.1e9; the published curve is kept below."""
BATCH_SIZE: Final = Quadratic(-0.429439186, 52.1376002, 1437.37095, 1.0, 64.0)
"""Batch size in samples, over the pipeline-parallel size."""

PARAMETERS_PER_GB: Final = 0.03e9
"""Parameters that a device holds per GB of memory [3]_, model.py."""
DEVICES_PER_NODE: Final = 8
"""Devices of a node, the size that the authors recommend [3]_, mlcarbon_tui.py."""

_FITTED_MEMORY_GB: Final = 80.0
_V100_SHARE: Final = (1.0 - 7.76 / 33.46) / 312.0 * 125.0  # of an A100's throughput [3], model.py
_COUNT_WITHOUT_80_GB: Final = 2.5  # [3], model.py
_COUNT_WITH_40_GB: Final = 2.0  # on top of it [3], model.py
_BATCH_STEP: Final = 8.0

LIFETIME_H: Final = 5.0 * HOURS_PER_YEAR
"""Service life of hardware, five years of 365 days [3]_, embodied.py [h]."""
FLEET_UTILISATION: Final = 1.0
"""Share of its life that hardware is at work: all of it, as no idle hours are counted [3]_, embodied.py."""


class Chip(NamedTuple):
    """Silicon of a device."""

    die_cm2: float
    kgco2e_per_cm2: float

    @property
    def embodied_kgco2e(self) -> float:
        """Embodied carbon of the die [kgCO2e]."""
        return self.die_cm2 * self.kgco2e_per_cm2


CHIPS: Final[Mapping[str, Chip]] = {
    "Google TPU v3": Chip(7.0, 1.0),
    "Google TPU v4": Chip(4.0, 1.6),
    "NVIDIA V100": Chip(8.15, 1.2),
    "NVIDIA A100": Chip(8.26, 1.6),
    "NVIDIA H100": Chip(8.14, 1.8),
}
"""Devices that LLMCarbon can do, by the beginning of their names.

Area and carbon per area are those of [3]_, data/hardware.csv. It has no A100: 826 mm2 in 7 nm after [4]_,
Table 3, and 1.6 kgCO2e/cm2 for 7 nm after [3]_, data/transistors.json; a year of it is the 1.5 g per hour of [4]_.
"""


def chip_of(device: str) -> Chip | None:
    """Chip of a device, and by that whether LLMCarbon can estimate a job on it.

    Parameters
    ----------
    device : str
        Name of the device, such as ``NVIDIA A100 SXM4 80GB``.

    Returns
    -------
    Chip or None
        None where LLMCarbon has neither area nor carbon per area: it cannot do the device.
    """
    return next((chip for name, chip in CHIPS.items() if f"{device} ".startswith(f"{name} ")), None)


class Layout(NamedTuple):
    """How LLMCarbon spreads a model over devices."""

    tensor_parallel: FloatArray
    pipeline_parallel: FloatArray
    device_count: FloatArray
    batch_size: FloatArray


def parallel_layout(parameters: ArrayLike, memory_gb: ArrayLike, *, clamped: bool = False) -> Layout:
    """Parallel sizes, optimal device count and batch size of a model [1]_, [3]_.

    Parameters
    ----------
    parameters : array_like
        Parameters of the model; of a mixture of experts, those of its dense base. Greater than 0.
    memory_gb : array_like
        Memory of one device [GB], greater than 0.
    clamped : bool, optional
        Take the quadratics within their range only.

    Returns
    -------
    Layout
        Tensor- and pipeline-parallel sizes, device count and batch size [samples], each of the broadcast
        shape. NaN where an argument is; the count, and with it the batch, also where the curve gives devices
        for less than half a copy of the model.

    Raises
    ------
    ValueError
        If an argument is outside its range.
    """
    total, memory = np.broadcast_arrays(
        checked("parameters", parameters, above_zero=True), checked("memory_gb", memory_gb, above_zero=True)
    )
    held = total / (PARAMETERS_PER_GB * memory)  # devices that hold the parameters once
    tensor = np.minimum(np.ceil(held), DEVICES_PER_NODE)
    pipeline = np.ceil(held / DEVICES_PER_NODE)

    copies = np.round(DEVICE_COUNT.at(total, clamped=clamped) / (tensor * pipeline))
    count = np.where(copies > 0.0, copies * (tensor * pipeline), np.nan)
    count = np.where(memory == _FITTED_MEMORY_GB, count, np.round(count * _COUNT_WITHOUT_80_GB))
    count = np.where(memory == _FITTED_MEMORY_GB / 2.0, count * _COUNT_WITH_40_GB, count)

    curve = np.round(BATCH_SIZE.at(pipeline, clamped=clamped) / _BATCH_STEP) * _BATCH_STEP
    # Without pipelines it is 512 in the code or, if more, the count: 800 and up, so the count.
    batch = np.where(pipeline == 1.0, count, np.maximum(curve, count))
    return Layout(*(numpy_scalar_if_0d(as_float64(part)) for part in (tensor, pipeline, count, batch)))


def tflop_per_s(parameters: ArrayLike, memory_gb: ArrayLike, *, clamped: bool = False) -> FloatArray:
    """Throughput of one device in training [TFLOP/s] [1]_, [3]_.

    Parameters
    ----------
    parameters : array_like
        Parameters of the model; of a mixture of experts, those of its dense base. Greater than 0.
    memory_gb : array_like
        Memory of one device [GB], greater than 0: with 80 it is an A100, with anything else a V100.
    clamped : bool, optional
        Take the quadratics within the rows they were fitted to only.

    Returns
    -------
    ndarray of float64
        Throughput [TFLOP/s], of the broadcast shape; a numpy scalar for scalars; NaN where an argument is,
        and where the published curve is not above 0.

    Raises
    ------
    ValueError
        If an argument is outside its range.
    """
    pipeline = parallel_layout(parameters, memory_gb).pipeline_parallel
    total, memory = as_float64(parameters), as_float64(memory_gb)
    a100 = np.where(
        pipeline == 1.0,
        TENSOR_TFLOP_PER_S.at(total, clamped=clamped),
        PIPELINE_TFLOP_PER_S.at(total, clamped=clamped),
    )
    throughput = np.where(memory == _FITTED_MEMORY_GB, a100, a100 * _V100_SHARE)
    return numpy_scalar_if_0d(as_float64(np.where(np.isnan(pipeline), np.nan, throughput)))


def device_hours_at(training_flop: ArrayLike, tflop_per_s: ArrayLike) -> FloatArray:
    """Device-hours of a run at a constant throughput [h].

    Parameters
    ----------
    training_flop : array_like
        Training compute [FLOP].
    tflop_per_s : array_like
        Throughput of one device [TFLOP/s], greater than 0: from `tflop_per_s`, or peak times a known
        hardware efficiency.

    Returns
    -------
    ndarray of float64
        Device-hours [h], of the broadcast shape; a numpy scalar for scalars; NaN where an argument is.

    Raises
    ------
    ValueError
        If an argument is negative or infinite, or the throughput 0.
    """
    throughput = checked("tflop_per_s", tflop_per_s, above_zero=True)
    return numpy_scalar_if_0d(
        as_float64(checked("training_flop", training_flop) / (throughput * FLOP_PER_TFLOP_HOUR))
    )


def a100_pipeline_device_hours(training_flop: ArrayLike, parameters: ArrayLike) -> FloatArray:
    """Device-hours behind the LLMCarbon column of OpenCarbonEval's Tables 2 and 3 [h] [4]_.

    That column takes the pipeline-parallel throughput of an A100 80GB as published, whatever the device and
    however small the model. With the TDP of the device, a PUE of 1.1 (1.2 for BLOOM and StarCoder), and the
    stated intensity it gives the printed figures to 0.15 %, or to their last digit.

    Parameters
    ----------
    training_flop : array_like
        Training compute [FLOP].
    parameters : array_like
        Parameters of the model, greater than 0.

    Returns
    -------
    ndarray of float64
        Device-hours [h], of the broadcast shape; a numpy scalar for scalars; NaN where an argument is, and
        from 2.5e12 parameters.

    Raises
    ------
    ValueError
        If an argument is outside its range.
    """
    total = checked("parameters", parameters, above_zero=True)
    return device_hours_at(training_flop, PIPELINE_TFLOP_PER_S.at(total, clamped=False))


def training_days(device_hours: ArrayLike, device_count: ArrayLike) -> FloatArray:
    """Days that a run takes on its devices [d].

    Parameters
    ----------
    device_hours : array_like
        Device-hours [h].
    device_count : array_like
        Devices that run at once, greater than 0.

    Returns
    -------
    ndarray of float64
        Days [d], of the broadcast shape; a numpy scalar for scalars; NaN where an argument is.

    Raises
    ------
    ValueError
        If an argument is negative or infinite, or the count 0.
    """
    count = checked("device_count", device_count, above_zero=True)
    return numpy_scalar_if_0d(as_float64(checked("device_hours", device_hours) / count / HOURS_PER_DAY))
