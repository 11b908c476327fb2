"""Tables of methods, and of the paper reproduced: written by ``estimate --method``, ``compare`` and ``reproduce``."""

from typing import Final

from opencarbon.tables.contract import Contract


def _table(
    name: str, summary: str, columns: str, *, key: str, required: str = "", jobs: bool = False
) -> Contract:
    names = tuple(columns.split())
    return Contract(
        name, summary, names, tuple(key.split()), tuple(required.split()), keeps_manifest_order=jobs
    )


def _interval(quantity: str, unit: str) -> str:
    return f"{quantity}_{unit} {quantity}_low_{unit} {quantity}_high_{unit}"


METHOD_ESTIMATE: Final = _table(
    "method_estimate",
    "What one method makes of a job, or why it cannot.",
    "job_id method method_status reason device baseline_region training_flop hours_source "
    "device_hours device_hours_low device_hours_high wall_hours "
    f"{_interval('power', 'w')} pue {_interval('energy', 'kwh')} {_interval('facility_energy', 'kwh')} "
    f"{_interval('carbon_intensity', 'gco2e_per_kwh')} intensity_kind {_interval('operational', 'kgco2e')} "
    f"{_interval('embodied', 'kgco2e')} {_interval('total', 'kgco2e')} method_source_id optimal_device_count",
    key="job_id method",
    required="method_status device method_source_id",
    jobs=True,
)
"""Null is null. ``total_kgco2e`` is operational plus embodied; of a method that counts no embodied emissions,
operational alone. One that counts them but lacks the figure of the device has no total, as in ``fact_job_estimate``.
A job without region and without intensity has neither PUE nor facility energy. Interval ends are null where the method
states no interval.
"""

DIM_METHOD: Final = _table(
    "dim_method",
    "A method: what it needs, how it comes to its figure, what it does not know.",
    "method title needs formula limits source_id",
    key="method",
    required="title needs formula limits source_id",
)

PAPER_CELL: Final = _table(
    "paper_cell",
    "A cell of Table 1, 2 or 3: as published, recomputed from stated inputs, refitted.",
    "paper_table cell subject quantity unit published_value recomputed_value refitted_value difference_pct remark",
    key="paper_table cell",
    required="subject quantity unit",
)
"""``subject`` is the model or device of the row; ``quantity`` the column; cells stand in the paper's order."""

TEST_RUN_ERROR: Final = _table(
    "test_run_error",
    "Error of a refitted method on a test run of the paper, with the test runs in the fit and left out.",
    "model method test_runs device training_flop operational_kgco2e actual_kgco2e error_pct",
    key="model method test_runs",
    required="device training_flop",
)

TRAINING_COMPUTE: Final = _table(
    "training_compute",
    "Training FLOP of a model as published, and as counted here from its architecture and data.",
    "model architecture counted_from published_flop training_flop ratio reason source_id",
    key="model",
    required="architecture counted_from published_flop training_flop ratio source_id",
)

FIGURE_1: Final = _table(
    "figure_1",
    "A model of Figure 1: when it appeared and what its training emits.",
    "model task publication_date device training_flop carbon_intensity_gco2e_per_kwh "
    f"{_interval('operational', 'kgco2e')} published_kgco2e remark source_id",
    key="model",
    required="task publication_date source_id",
)
"""Low and high are the emissions at the fast and at the slow end of the device's interval."""

FIGURE_4: Final = _table(
    "figure_4",
    "log10 alpha of a published run.",
    "run model device device_group training_flop device_hours log10_alpha tflop_per_s used source_id",
    key="run",
    required="device device_group training_flop device_hours log10_alpha tflop_per_s used",
)

FIGURE_5: Final = _table(
    "figure_5",
    "Distribution of log10 alpha over the runs of a group of devices.",
    "device_group training_runs log10_alpha log10_alpha_sd log10_alpha_low log10_alpha_high "
    "published_log10_alpha_low published_log10_alpha_high",
    key="device_group",
    required="training_runs log10_alpha log10_alpha_sd",
)
"""Mean, standard deviation and mean -/+ 0.6 of them; the runs are those of ``figure_4`` that are ``used``."""

FIGURE_6: Final = _table(
    "figure_6",
    "Alpha of a run beside the throughput that LLMCarbon predicts for it.",
    "run model device device_group training_flop log10_alpha tflop_per_s llmcarbon_tflop_per_s reason",
    key="run",
    required="device device_group training_flop log10_alpha tflop_per_s",
)
"""``reason`` says why LLMCarbon gives no throughput, where it gives none."""

FIGURE_7: Final = _table(
    "figure_7",
    "Emissions of a model beside its score.",
    "model domain benchmark score_pct score_source_id device training_flop carbon_intensity_gco2e_per_kwh "
    f"{_interval('operational', 'kgco2e')} remark source_id",
    key="model",
    required="domain benchmark score_pct score_source_id",
)

REPRODUCED: Final[dict[str, Contract]] = {
    contract.name: contract
    for contract in (
        *(PAPER_CELL, TEST_RUN_ERROR, TRAINING_COMPUTE, DIM_METHOD),
        *(FIGURE_1, FIGURE_4, FIGURE_5, FIGURE_6, FIGURE_7),
    )
}
"""Tables of the paper's reproduction by name."""
