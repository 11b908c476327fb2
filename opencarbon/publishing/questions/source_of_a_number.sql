-- asked by: sustainability lead
-- Which source and licence is behind the total of a job, part by part? No source: the manifest says it.
WITH parts AS (
    SELECT job_id, 'device_hours' AS part, fit_source_id AS source_id FROM fact_job_estimate
    UNION ALL
    SELECT job_id, 'power_w' AS part, power_source_id AS source_id FROM fact_job_estimate
    UNION ALL
    SELECT job_id, 'carbon_intensity_gco2e_per_kwh' AS part, intensity_source_id AS source_id FROM fact_job_estimate
    UNION ALL
    SELECT estimate.job_id AS job_id, 'pue' AS part, region.source_id AS source_id
    FROM fact_job_estimate AS estimate
    JOIN dim_region AS region ON region.region = estimate.baseline_region
    UNION ALL
    SELECT job.job_id AS job_id, 'embodied_kgco2e' AS part, device.embodied_source_id AS source_id
    FROM dim_job AS job
    JOIN dim_device AS device ON device.device = job.device
)
SELECT
    parts.job_id,
    parts.part,
    parts.source_id,
    source.title,
    source.licence,
    source.attribution,
    source.url
FROM parts
LEFT JOIN dim_source AS source ON source.source_id = parts.source_id
WHERE parts.job_id = 'gpt-4'
ORDER BY parts.part;
