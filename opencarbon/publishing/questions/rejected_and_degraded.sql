-- asked by: analyst
-- Which rows were rejected and what was degraded, and why?
SELECT
    'rejected row' AS what,
    job_id AS subject,
    rule_code AS code,
    reason AS why,
    remedy
FROM rejected_job
UNION ALL
SELECT
    'degraded ' || source AS what,
    subject,
    code,
    detail AS why,
    NULL AS remedy
FROM run_event
WHERE severity <> 'info'
ORDER BY what DESC, subject NULLS FIRST, code;
