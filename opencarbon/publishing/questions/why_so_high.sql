-- asked by: ML lead
-- Why is this job so high? Every factor of its emissions with its interval and where it came from:
-- operational = device_hours x power_w / 1000 x pue x carbon_intensity / 1000 [kgCO2e].
SELECT
    estimate.job_id,
    estimate.total_kgco2e,
    estimate.total_low_kgco2e,
    estimate.total_high_kgco2e,
    -- hours: how long how many devices work, and how that is known
    job.device,
    job.device_count,
    job.work_source,
    estimate.training_flop,
    estimate.device_hours,
    estimate.device_hours_low,
    estimate.device_hours_high,
    estimate.fit_source,
    fit_from.title AS fit_from,
    -- energy
    estimate.power_w,
    estimate.power_low_w,
    estimate.power_high_w,
    estimate.power_source,
    power_from.title AS power_from,
    estimate.pue,
    region.pue_status,
    estimate.facility_energy_kwh,
    -- carbon
    estimate.baseline_region,
    estimate.carbon_intensity_gco2e_per_kwh,
    estimate.intensity_kind,
    intensity_from.title AS intensity_from,
    estimate.operational_kgco2e,
    estimate.embodied_kgco2e,
    device.embodied_boundary,
    estimate.widest_part,  -- what adds most to the interval
    estimate.status
FROM fact_job_estimate AS estimate
JOIN dim_job AS job ON job.job_id = estimate.job_id
JOIN dim_device AS device ON device.device = job.device
LEFT JOIN dim_region AS region ON region.region = estimate.baseline_region
LEFT JOIN dim_source AS fit_from ON fit_from.source_id = estimate.fit_source_id
LEFT JOIN dim_source AS power_from ON power_from.source_id = estimate.power_source_id
LEFT JOIN dim_source AS intensity_from ON intensity_from.source_id = estimate.intensity_source_id
WHERE estimate.job_id = 'gpt-4';
