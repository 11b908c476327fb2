-- asked by: sustainability lead
-- How much of the planned emissions rests on which kind of carbon intensity and power, and how good is that?
SELECT
    intensity_kind,
    power_source,
    status,
    count(*) AS jobs,
    sum(total_kgco2e) / 1000 AS planned_tco2e
FROM fact_job_estimate
WHERE total_kgco2e IS NOT NULL
GROUP BY intensity_kind, power_source, status
ORDER BY planned_tco2e DESC, intensity_kind, power_source, status;
