-- asked by: analyst
-- What do device-hours, energy and emissions add up to per device, and at which mean carbon intensity?
SELECT
    job.device,
    count(*) AS jobs,
    sum(estimate.device_hours) AS device_hours,
    sum(estimate.facility_energy_kwh) / 1000 AS facility_energy_mwh,
    sum(estimate.operational_kgco2e) / 1000 AS operational_tco2e,
    sum(estimate.embodied_kgco2e) / 1000 AS embodied_tco2e,
    1000 * sum(estimate.operational_kgco2e) / sum(estimate.facility_energy_kwh) AS carbon_intensity_gco2e_per_kwh
FROM fact_job_estimate AS estimate
JOIN dim_job AS job ON job.job_id = estimate.job_id
WHERE estimate.operational_kgco2e IS NOT NULL
GROUP BY job.device
ORDER BY operational_tco2e DESC, job.device;
