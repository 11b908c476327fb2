-- asked by: analyst
-- What makes the intervals wide: of how many jobs, and of how much of the emissions, is which part the least known?
SELECT
    widest_part,
    count(*) AS jobs,
    sum(operational_kgco2e) / 1000 AS operational_tco2e,
    avg(operational_high_kgco2e / operational_low_kgco2e) AS mean_high_over_low
FROM fact_job_estimate
WHERE operational_low_kgco2e > 0
GROUP BY widest_part
ORDER BY operational_tco2e DESC, widest_part;
