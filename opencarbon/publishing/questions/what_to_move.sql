-- asked by: ML lead
-- What do I move, when, and what does it save?
SELECT
    rec.job_id,
    job.team,
    rec.action,
    job.current_region,
    rec.advised_region,
    rec.advised_start_utc,
    rec.advised_finish_utc,
    rec.saving_kgco2e,
    rec.saving_low_kgco2e,
    rec.saving_high_kgco2e,
    rec.saving_pct,
    rec.saving_status,    -- potential: not all jobs can have it at once
    place.intensity_kind  -- what the advice rests on
FROM rec_job AS rec
JOIN dim_job AS job ON job.job_id = rec.job_id
JOIN fact_job_region AS place ON place.job_id = rec.job_id
WHERE place.is_advised AND rec.action IN ('delay', 'move', 'move_and_delay')
ORDER BY rec.saving_kgco2e DESC NULLS LAST, rec.job_id;
