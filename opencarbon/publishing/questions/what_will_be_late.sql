-- asked by: cluster operator
-- What will be late, more likely than not or by the upper end of its interval?
SELECT
    rec.job_id,
    job.team,
    rec.plan_status,
    estimate.baseline_status,
    job.finish_by_utc,
    rec.advised_finish_utc,
    rec.advised_finish_high_utc,
    rec.deadline_risk
FROM rec_job AS rec
JOIN dim_job AS job ON job.job_id = rec.job_id
JOIN fact_job_estimate AS estimate ON estimate.job_id = rec.job_id
WHERE rec.deadline_risk > 0.5 OR rec.advised_finish_high_utc > job.finish_by_utc
ORDER BY rec.deadline_risk DESC NULLS LAST, rec.job_id;
