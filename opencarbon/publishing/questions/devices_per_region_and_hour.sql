-- asked by: cluster operator
-- How many devices are advised per region and hour?
SELECT
    region,
    hour_start_utc,
    device,
    devices_advised,
    devices_capacity  -- null where none is configured
FROM fact_region_load_hourly
ORDER BY region, hour_start_utc, device;
