"""The one list of methods."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from opencarbon.catalog.catalog import PAPER_SOURCE
from opencarbon.catalog.methods import load_hours_power_methods
from opencarbon.errors import ConfigError
from opencarbon.estimation.baselines import throughput
from opencarbon.estimation.baselines.hours_power import hours_power_method
from opencarbon.estimation.baselines.method import Method
from opencarbon.estimation.baselines.profiles import calibrated, opencarboneval
from opencarbon.tables.conform import conform
from opencarbon.tables.reproduction import DIM_METHOD

_WORK: Final = "Training FLOP, or what they follow from; the device."
_OURS: Final = "opencarbon-calibrated"
_AT_TDP: Final = "device-hours x TDP / 1000 = kWh; kWh x gCO2e/kWh."

_PREDICTING: Final = (
    Method(
        name="calibrated",
        title="opencarbon, calibrated",
        needs=_WORK,
        formula="FLOP / (dense peak x utilisation), pooled over published runs and own ones, less for short runs on many "
        "devices; x (TDP x measured fraction + host share) x PUE of the region x gCO2e/kWh; embodied by lifetime and use.",
        limits="Interval of 80 % for a new run of a new family; power is measured for few devices.",
        source_id=_OURS,
        figures=calibrated,
        predicts_hours=True,
    ),
    Method(
        name="opencarboneval",
        title="OpenCarbonEval, as published",
        needs=_WORK,
        formula="FLOP = integral of ln(1 + alpha t) over device-time at both ends of Table 1's interval, mean of the two; "
        "x TDP x gCO2e/kWh; embodied: device-hours x die carbon over one year.",
        limits="No PUE, no host; the interval holds 36-44 % of new runs; devices of eight families, others refitted.",
        source_id=PAPER_SOURCE,
        figures=opencarboneval,
        predicts_hours=True,
    ),
    Method(
        name="llmcarbon",
        title="LLMCarbon, within its fitted range",
        needs="Training FLOP, parameters (of a mixture of experts those of its dense base); the device.",
        formula="FLOP / quadratic throughput over parameters (10 Megatron-LM runs on A100 80GB); x TDP x PUE of the "
        "region x gCO2e/kWh; embodied: die area x carbon per area over five years.",
        limits="Language models on V100, A100, H100, TPU v3 and v4; every device of 80 GB is an A100, every other a V100.",
        source_id="llmcarbon-2023",
        figures=throughput.llmcarbon,
        predicts_hours=True,
    ),
    Method(
        name="llmcarbon-as-published",
        title="LLMCarbon, as published",
        needs="Training FLOP, parameters (of a mixture of experts those of its dense base); the device.",
        formula="As llmcarbon, its quadratics followed wherever they lead.",
        limits="As llmcarbon; beyond the fitted range throughput falls to nothing.",
        source_id="llmcarbon-code",
        figures=throughput.llmcarbon_as_published,
        predicts_hours=True,
    ),
    Method(
        name="svr",
        title="Support vector regression",
        needs=_WORK,
        formula="ln throughput over ln FLOP and ln dense peak, on the runs behind the device fits; "
        + _AT_TDP,
        limits="No PUE, no host, no interval; needs scikit-learn; more FLOP may mean fewer hours.",
        source_id=PAPER_SOURCE,
        figures=throughput.svr,
        predicts_hours=True,
    ),
    Method(
        name="dtr",
        title="Decision tree regression",
        needs=_WORK,
        formula="ln throughput over ln FLOP and ln dense peak, on the runs behind the device fits; "
        + _AT_TDP,
        limits="No PUE, no host, no interval; needs scikit-learn; throughput jumps between the leaves of the tree.",
        source_id=PAPER_SOURCE,
        figures=throughput.dtr,
        predicts_hours=True,
    ),
    Method(
        name="constant-utilisation",
        title="A third of the dense peak",
        needs=_WORK,
        formula=f"FLOP / ({throughput.CONSTANT_UTILISATION} x dense peak); " + _AT_TDP,
        limits="The same share of the peak for every device and model; no PUE, no host, no interval.",
        source_id="epoch-ai-training-compute",
        figures=throughput.constant_utilisation,
        predicts_hours=True,
    ),
)

METHODS: Final[Mapping[str, Method]] = {
    method.name: method
    for method in (*_PREDICTING, *map(hours_power_method, load_hours_power_methods().values()))
}
"""Every method by name: first those that predict device-hours, then those that need them."""


def method_named(name: str) -> Method:
    """A method by its name.

    Parameters
    ----------
    name : str

    Returns
    -------
    Method

    Raises
    ------
    ConfigError
        Where no method has the name.
    """
    if name in METHODS:
        return METHODS[name]
    near = difflib.get_close_matches(name.casefold(), METHODS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "all of them: " + ", ".join(METHODS)
    raise ConfigError(f"no method is called {name!r}; {hint}")


def method_table() -> pa.Table:
    """Every method with what it needs, its formula, its limits and its source.

    Returns
    -------
    pa.Table
        ``DIM_METHOD``.
    """
    rows = [
        {name: getattr(method, "name" if name == "method" else name) for name in DIM_METHOD.columns}
        for _, method in sorted(METHODS.items())
    ]
    return conform(pa.Table.from_pylist(rows, schema=DIM_METHOD.schema()), DIM_METHOD)
