"""What OpenCarbonEval publishes: the cells of its tables, the models of its figures, and where they stand.

Published figures are as printed, also where they do not follow from the inputs printed beside them; the column
``remark`` says so. Inputs are never adjusted.
"""

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from opencarbon.catalog.files import packaged, read_csv

_TYPES: Final[dict[str, pa.DataType]] = {
    **dict.fromkeys(
        (
            *("published_actual_tco2e", "published_actual_kgco2e", "actual_low_kgco2e", "actual_high_kgco2e"),
            *(
                f"published_{method}_{quantity}"
                for method in ("llmcarbon", "svr", "dtr", "opencarboneval")
                for quantity in ("tco2e", "kgco2e", "error_pct")
            ),
            *("predicted_with_training_flop", "actual_device_hours", "counted_device_hours"),
            *("embodied_g_per_device_hour", "published_tdp_w", "published_tco2e"),
        ),
        pa.float64(),
    ),
    **dict.fromkeys(("is_hours_times_tdp", "in_figure_1"), pa.bool_()),
}
"""Columns of these files that no published table has."""


@dataclass(frozen=True, slots=True)
class PaperFacts:
    """OpenCarbonEval (arXiv:2405.12843) as data, in the order in which it prints the rows.

    ``device`` is a device of the catalog, ``device_group`` the group that the paper pools; ``source_id`` and every
    other column ending so names a row of ``dim_source``; null is what nobody states.

    Parameters
    ----------
    table_1 : pa.Table
        A group of devices: ``tdp_w``, ``peak_dense_tflop_per_s`` and the interval ``log10_alpha_low`` to
        ``log10_alpha_high``; key ``device_group``.
    table_2 : pa.Table
        Operational emissions of a test model [tCO2e]; key ``model``. ``published_actual_tco2e`` is the actual,
        ``published_<method>_tco2e`` and ``published_<method>_error_pct`` are the prediction and its error, for the
        methods llmcarbon, svr, dtr and opencarboneval. ``predicted_with_training_flop`` is the compute from which
        the prediction of opencarboneval follows [FLOP], where ``training_flop`` is the stated one.
        ``actual_device_hours`` are the hours of the run, ``counted_device_hours`` those that the actual counts;
        ``is_hours_times_tdp`` says whether the actual is the latter times TDP by construction.
    table_3 : pa.Table
        Embodied emissions of a test model [kgCO2e]; key ``model``. ``embodied_g_per_device_hour`` is the factor
        [gCO2e/h]; ``actual_low_kgco2e`` to ``actual_high_kgco2e`` spans the printed actual and the factor times the
        hours of the run as ``table_2`` has them.
    models : pa.Table
        A row of the authors' data file and leaderboard, first those of Figure 1 (``in_figure_1``); key ``model``.
        ``published_tco2e`` follows from ``training_flop``, the interval ``published_log10_alpha_low`` to
        ``published_log10_alpha_high``, ``published_tdp_w`` and ``carbon_intensity_gco2e_per_kwh``.
        ``task`` is one of the paper's fifteen for the models of Figure 1, for others the leaderboard's.
    scores : pa.Table
        A model of Figure 7: its score, and what its emissions are computed from; key ``model``. ``variant`` says of
        which model and in which setting the score is, ``remark`` whether it was checked at its origin.
    """

    table_1: pa.Table
    table_2: pa.Table
    table_3: pa.Table
    models: pa.Table
    scores: pa.Table


def load_paper() -> PaperFacts:
    """Read what the package ships about the paper.

    Returns
    -------
    PaperFacts

    Raises
    ------
    ConfigError
        Where a file cannot be read or a cell is not what its column holds.
    """
    return PaperFacts(
        table_1=_read("paper_table_1.csv"),
        table_2=_read("paper_table_2.csv"),
        table_3=_read("paper_table_3.csv"),
        models=_read("paper_models.csv"),
        scores=_read("paper_scores.csv"),
    )


def _read(name: str) -> pa.Table:
    return read_csv(packaged(name), _TYPES)
