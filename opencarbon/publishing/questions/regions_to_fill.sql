-- asked by: cluster operator
-- Which regions take the advised jobs, how much power does that bring, and when is each at its cleanest?
SELECT
    rec.region,
    region.zone,
    rec.rank,  -- among regions whose intensities are known equally well
    rec.intensity_kind,
    rec.carbon_intensity_next_72h_gco2e_per_kwh,
    rec.best_window_start_utc,
    rec.best_window_carbon_intensity_gco2e_per_kwh,
    rec.jobs,
    rec.device_hours,
    rec.peak_power_mw,
    rec.saving_kgco2e,
    rec.saving_status  -- not_claimed: the advice brings more load there than a hall takes
FROM rec_region AS rec
JOIN dim_region AS region ON region.region = rec.region
WHERE rec.jobs > 0
ORDER BY rec.jobs DESC, rec.region;
