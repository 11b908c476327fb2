-- What came of past advice, over all nights: what was saved of what was claimed, and what was missed?
-- Of several rows of a job the one of the newest run counts.
SELECT
    outcome_status,
    count(*) AS jobs,
    sum(claimed_saving_kgco2e) / 1000 AS claimed_tco2e,
    sum(coalesce(saving_kgco2e, saving_if_followed_kgco2e)) / 1000 AS saved_tco2e,
    sum(regret_kgco2e) / 1000 AS regret_tco2e
FROM (
    SELECT *
    FROM '../../history/fact_advice_outcome/*.parquet'
    QUALIFY row_number() OVER (PARTITION BY job_id ORDER BY run_id DESC) = 1
)
GROUP BY outcome_status
ORDER BY outcome_status;
