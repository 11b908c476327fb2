-- asked by: ML lead
-- What does the hour matter where a job is planned: started now, at the middling and at the worst hour of its window? And
-- what would it emit if the advice is followed, which may be elsewhere?
SELECT
    job.job_id,
    job.team,
    job.current_region,
    rec.advised_region,
    rec.advised_start_utc,
    rec.start_now_total_kgco2e,
    rec.window_median_total_kgco2e,
    rec.window_worst_total_kgco2e,
    rec.advised_total_kgco2e,
    100 * (1 - rec.advised_total_kgco2e / rec.window_worst_total_kgco2e) AS advised_below_worst_pct
FROM rec_job AS rec
JOIN dim_job AS job ON job.job_id = rec.job_id
WHERE rec.window_worst_total_kgco2e IS NOT NULL AND rec.advised_total_kgco2e IS NOT NULL
ORDER BY advised_below_worst_pct DESC, job.job_id;
