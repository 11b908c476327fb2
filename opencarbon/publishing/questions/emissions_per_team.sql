-- asked by: sustainability lead
-- What does the queue emit, with its interval, per team, and who is over budget if the advice is followed?
-- The ends of intervals never sum: jobs on one device or in one zone share their errors. fact_total knows.
SELECT
    scope,
    scope_value AS team,
    jobs,
    jobs_without_baseline,
    baseline_kgco2e / 1000 AS baseline_tco2e,
    baseline_low_kgco2e / 1000 AS baseline_low_tco2e,
    baseline_high_kgco2e / 1000 AS baseline_high_tco2e,
    advised_all_jobs_kgco2e / 1000 AS advised_tco2e,  -- with the jobs that have no baseline
    budget_kgco2e / 1000 AS budget_tco2e,
    budget_status
FROM fact_total
WHERE scope IN ('team', 'run')
ORDER BY scope DESC, baseline_kgco2e DESC NULLS LAST, team;
