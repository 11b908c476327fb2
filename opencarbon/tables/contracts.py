"""Every table that opencarbon publishes: its columns, key, order, references and version.

A column is declared once, in :mod:`opencarbon.tables.columns`; a table is a list of their names. Adding a nullable
column at the end of a table (before ``run_id``) raises the minor version; everything else raises the major one.
"""

from typing import Final

from opencarbon.tables.contract import MANIFEST_ORDER, Contract, Reference, interval, refer, table

__all__ = ["MANIFEST_ORDER", "PUBLISHED", "Contract", "Reference"]

_JOB = refer("job_id", "dim_job")
_REGION = refer("region", "dim_region")
_ZONE = refer("zone", "dim_zone")
_DEVICE = refer("device", "dim_device")
_DATE = refer("date_utc", "dim_date")
_SOURCE = refer("source_id", "dim_source")

_DIMENSIONS = (
    table(
        "dim_run",
        "The run: what it looked at and how.",
        "run_id as_of_utc version profile emission_factor_type accounting_basis jobs_read jobs_rejected inputs_sha256",
        key="run_id",
        required="as_of_utc version profile emission_factor_type accounting_basis jobs_read jobs_rejected inputs_sha256",
    ),
    table(
        "dim_source",
        "Where figures come from, and on what terms.",
        "source_id title url licence attribution retrieved_date",
        key="source_id",
        required="title licence",
    ),
    table(
        "dim_zone",
        "A zone of the electricity grid.",
        "zone country_code time_zone annual_carbon_intensity_gco2e_per_kwh annual_year source_id name is_whole_country",
        _SOURCE,
        key="zone",
    ),
    table(
        "dim_region",
        "A cloud region.",
        "region provider location zone country_code latitude longitude pue pue_status source_id pue_low pue_high "
        "alternative_zone",
        _ZONE,
        _SOURCE,
        key="region",
        required="provider",
        version="1.1",
    ),
    table(
        "dim_device",
        "An accelerator, as a chip or a board.",
        "device vendor tdp_w peak_dense_tflop_per_s memory_gb embodied_low_kgco2e embodied_central_kgco2e "
        "embodied_high_kgco2e embodied_boundary power_fraction source_id generation tdp_status host_power_w "
        "embodied_status embodied_source_id power_boundary power_status power_source_id die_mm2 process_nm",
        _SOURCE,
        refer("embodied_source_id", "dim_source", "source_id"),
        refer("power_source_id", "dim_source", "source_id"),
        key="device",
        required="vendor tdp_w peak_dense_tflop_per_s",
        version="1.1",
    ),
    table(
        "dim_device_embodied",
        "What one source says the making of a device emits; sources differ widely.",
        "device embodied_method device_embodied_kgco2e embodied_boundary source_id",
        _DEVICE,
        _SOURCE,
        key="device embodied_method source_id",
        required="device_embodied_kgco2e embodied_boundary",
    ),
    table(
        "dim_date",
        "A calendar day in UTC.",
        "date_utc year quarter month day weekday is_weekend",
        key="date_utc",
        required="year quarter month day weekday is_weekend",
    ),
    table(
        "dim_job",
        "A planned job, as read from its manifest.",
        "job_id manifest row state team project model priority device_as_given device device_count "
        "earliest_start_utc finish_by_utc current_region allowed_regions work_source",
        _DEVICE,
        refer("current_region", "dim_region", "region"),
        key="job_id",
        required="manifest row state device_as_given device device_count",
        jobs=True,
    ),
)

_JOB_TABLES = (
    table(
        "fact_job_estimate",
        "What a job emits at its baseline: where it is, as soon as it may start.",
        "job_id baseline_region baseline_start_utc baseline_status method training_flop "
        "device_hours device_hours_low device_hours_high wall_hours wall_hours_low wall_hours_high "
        f"{interval('power', 'w')} pue {interval('energy', 'kwh')} {interval('facility_energy', 'kwh')} "
        f"{interval('carbon_intensity', 'gco2e_per_kwh')} {interval('operational', 'kgco2e')} "
        f"{interval('embodied', 'kgco2e')} {interval('total', 'kgco2e')} sci_kgco2e_per_run "
        "fit_source power_source intensity_kind status fit_source_id power_source_id intensity_source_id widest_part "
        "run_id",
        _JOB,
        refer("baseline_region", "dim_region", "region"),
        refer("fit_source_id", "dim_source", "source_id"),
        refer("power_source_id", "dim_source", "source_id"),
        refer("intensity_source_id", "dim_source", "source_id"),
        key="job_id",
        required="baseline_status method device_hours wall_hours power_w energy_kwh fit_source power_source status",
        jobs=True,
        version="1.1",
    ),
    table(
        "rec_job",
        "What to do with a job: where, when, how much is saved.",
        "job_id action plan_status advised_region advised_start_utc advised_finish_utc advised_finish_high_utc "
        "baseline_total_kgco2e advised_total_kgco2e transfer_kgco2e saving_kgco2e saving_low_kgco2e "
        "saving_high_kgco2e saving_pct saving_status deadline_risk budget_status carbon_budget_kgco2e "
        "start_now_total_kgco2e window_median_total_kgco2e window_worst_total_kgco2e run_id",
        _JOB,
        refer("advised_region", "dim_region", "region"),
        key="job_id",
        required="action plan_status saving_status budget_status",
        jobs=True,
        version="1.1",
    ),
    table(
        "fact_job_region",
        "A place and time that a job could take, in order of emissions: each region once, at its better start, beside the advice.",
        "job_id rank is_advised region start_utc finish_utc carbon_intensity_gco2e_per_kwh total_kgco2e saving_kgco2e "
        "intensity_kind forecast_share run_id",
        _JOB,
        _REGION,
        key="job_id rank",
        required="is_advised region start_utc finish_utc carbon_intensity_gco2e_per_kwh intensity_kind",
        jobs=True,
    ),
    table(
        "fact_job_segment",
        "A stretch of time in which a pausable job runs, in its advised region.",
        "job_id segment start_utc finish_utc run_id",
        _JOB,
        key="job_id segment",
        required="start_utc finish_utc",
        jobs=True,
    ),
    table(
        "rejected_job",
        "A rule that a row of a manifest breaks.",
        "manifest row job_id column value rule_code reason remedy run_id",
        key="",
        required="manifest row column rule_code reason remedy",
        jobs=True,
    ),
)

_REGION_TABLES = (
    table(
        "rec_region",
        "A region: how clean it is and what is advised there.",
        "region rank intensity_kind carbon_intensity_next_24h_gco2e_per_kwh carbon_intensity_next_72h_gco2e_per_kwh "
        "best_window_start_utc best_window_finish_utc best_window_carbon_intensity_gco2e_per_kwh jobs device_hours "
        "peak_power_mw advised_total_kgco2e saving_kgco2e advice_status saving_status shifted_peak_power_mw run_id",
        _REGION,
        key="region",
        required="jobs device_hours peak_power_mw advised_total_kgco2e advice_status",
        version="1.1",
    ),
    table(
        "fact_region_load_hourly",
        "Devices at work in a region in an hour if all advice is followed.",
        "region device hour_start_utc date_utc devices_advised devices_capacity run_id",
        _REGION,
        _DEVICE,
        _DATE,
        key="region device hour_start_utc",
        required="date_utc devices_advised",
    ),
    table(
        "fact_total",
        "A sum over jobs, with errors shared within a device and within a zone.",
        f"scope scope_value jobs jobs_without_baseline {interval('baseline', 'kgco2e')} "
        f"{interval('advised', 'kgco2e')} {interval('saving', 'kgco2e')} saving_status advised_all_jobs_kgco2e "
        "budget_kgco2e budget_status run_id",
        key="scope scope_value",
        required="jobs jobs_without_baseline",
        version="1.1",
    ),
)

_OUTCOME_TABLES = (
    table(
        "fact_advice_outcome",
        "What came of the last advice for a job before it began, told in the first run that can tell; history keeps it.",
        "job_id run_id_of_advice outcome_status baseline_region baseline_start_utc advised_region advised_start_utc "
        "actual_region started_utc finished_utc wall_hours device_hours energy_kwh energy_source measured_share "
        "baseline_carbon_intensity_gco2e_per_kwh advised_carbon_intensity_gco2e_per_kwh "
        "actual_carbon_intensity_gco2e_per_kwh best_region best_start_utc best_carbon_intensity_gco2e_per_kwh "
        "claimed_saving_kgco2e saving_kgco2e saving_if_followed_kgco2e regret_kgco2e run_id",
        key="job_id run_id_of_advice",
        required="outcome_status advised_region advised_start_utc wall_hours energy_kwh energy_source measured_share",
    ),
)

_INPUT_TABLES = (
    table(
        "fact_device_fit",
        "How fast a device trains.",
        "device log10_alpha log10_alpha_low log10_alpha_high reference_training_flop tflop_per_s utilisation "
        "training_runs fit_source fit_status fit_source_id utilisation_low utilisation_high ln_utilisation_per_decade "
        "reference_ideal_wall_hours training_families interval_level measured_power_w "
        "measured_power_boundary refit_state refit_tflop_per_s refit_training_runs run_id",
        _DEVICE,
        refer("fit_source_id", "dim_source", "source_id"),
        key="device",
        required="log10_alpha log10_alpha_low log10_alpha_high reference_training_flop tflop_per_s utilisation "
        "training_runs fit_source fit_status",
        version="1.1",
    ),
    table(
        "training_runs",
        "A training run, published or of the own fleet, and whether it takes part in the fits.",
        "run model family device devices device_hours training_flop flop_basis hours_scope used reason source_id "
        "parameters active_parameters organisation precision publication_date model_kind device_as_given",
        _SOURCE,
        key="run",
        required="used",
        version="1.2",
    ),
    table(
        "fact_grid_intensity_hourly",
        "Carbon intensity of a zone in an hour, as the run used it: a forecast is drawn towards the usual by its "
        "unreliability, and a climatology or annual mean holds what is left of the last day's anomaly.",
        "zone hour_start_utc date_utc hour_utc carbon_intensity_gco2e_per_kwh intensity_kind emission_factor_type "
        "is_estimated issued_at_utc source_id is_interpolated run_id",
        _ZONE,
        _DATE,
        _SOURCE,
        key="zone hour_start_utc",
        required="date_utc hour_utc carbon_intensity_gco2e_per_kwh intensity_kind emission_factor_type",
        version="1.1",
    ),
    table(
        "run_event",
        "Something the reader of the release should know: what was degraded, and why.",
        "event_id severity source subject code detail run_id",
        key="event_id",
        required="severity source code detail",
    ),
    table(
        "meta_columns",
        "The dictionary: every column of every table.",
        "table column type unit aggregation minimum maximum description",
        key="table column",
        required="type aggregation description",
    ),
)

PUBLISHED: Final[dict[str, Contract]] = {
    contract.name: contract
    for contract in _DIMENSIONS + _JOB_TABLES + _REGION_TABLES + _OUTCOME_TABLES + _INPUT_TABLES
}
"""Published tables by name; a table stands behind those it refers to only by name, never by order."""
