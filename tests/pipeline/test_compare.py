"""Published runs and planned jobs through every method, and whole manifests by method."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opencarbon import pipeline
from opencarbon.catalog import load_catalog
from opencarbon.errors import ConfigError, ManifestError
from opencarbon.estimation.baselines import METHODS
from opencarbon.pipeline.compare import Comparison, compare_jobs, compare_runs, write_comparison
from opencarbon.pipeline.methods import write_method_estimates
from opencarbon.settings import Settings, load_settings

AS_OF = datetime(2026, 11, 16, tzinfo=UTC)
EVERY = tuple(METHODS.values())
PREDICTING = {name for name, method in METHODS.items() if method.predicts_hours}

JOBS = pa.table(
    {
        "job_id": ["hours", "flop", "old", "nowhere"],
        "device": ["A100", "H100", "TPU v2", "V100"],
        "device_count": [8.0, 64.0, 32.0, 4.0],
        "device_hours": [1000.0, None, None, 50.0],
        "training_flop": [2e21, 6e22, 1e20, None],
        "parameters": [7e9, 7e9, 1e9, None],
        "current_region": ["aws:us-east-1", "gcp:us-central1", "aws:eu-west-1", None],
    }
)


def compared(*names: str, region: str | None = None) -> Comparison:
    return compare_runs(names, EVERY, load_settings(), as_of_utc=AS_OF, region=region)


def rows_of(comparison: Comparison, job: str) -> dict[str, dict[str, object]]:
    return {row["method"]: row for row in comparison.estimates.to_pylist() if row["job_id"] == job}


def settings_at(folder: Path) -> Settings:
    return load_settings(None, {"publish": {"root": str(folder)}, "store": {"root": str(folder / "store")}})


def night_of(tmp_path: Path) -> Path:
    manifest = tmp_path / "queue.parquet"
    pq.write_table(JOBS, manifest)
    return manifest


@pytest.mark.parametrize("name", ["bloom-176b", "BLOOM 176B", "bloom", "Bloom-176B"])
def test_a_run_is_found_by_name_model_or_its_only_beginning(name: str) -> None:
    assert compared(name).jobs["job_id"].to_pylist() == ["bloom-176b"]


def test_several_runs_come_in_the_order_asked_and_once() -> None:
    names = compared("gpt-3", "bloom", "GPT-3 175B").jobs["job_id"].to_pylist()
    assert names == ["gpt-3-175b", "bloom-176b"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("llama-3", "'llama-3-8b' or 'llama-3-70b'"), ("blom-176b", "'bloom-176b'"), ("xyzzy", "--manifest")],
)
def test_a_name_that_is_no_runs_names_the_near_misses(name: str, hint: str) -> None:
    with pytest.raises(ConfigError, match="no published run is called") as refused:
        compared(name)
    assert hint in str(refused.value)


def test_methods_predict_hours_that_are_known_and_take_them_where_they_need_them() -> None:
    rows = rows_of(compared("bloom"), "bloom-176b")
    assert set(METHODS) == set(rows)
    for name, row in rows.items():
        assert row["hours_source"] == ("predicted" if name in PREDICTING else "stated")
        if name not in PREDICTING:
            assert row["device_hours"] == 1_082_990
    assert rows["bloom"]["total_kgco2e"] == pytest.approx(50_540, rel=2e-3)  # Luccioni et al. 2022: 50.5 t
    assert rows["mlco2"]["total_kgco2e"] == pytest.approx(24_692, rel=1e-4)
    assert rows["opencarboneval"]["operational_kgco2e"] == pytest.approx(27_170.3, rel=1e-4)


def test_the_pue_of_the_site_counts_where_its_owner_states_it() -> None:
    at_home, elsewhere = (
        rows_of(compared("bloom", region=region), "bloom-176b")["llmcarbon"]
        for region in (None, "gcp:us-central1")
    )
    assert at_home["pue"] == 1.2
    assert elsewhere["pue"] != 1.2
    assert elsewhere["baseline_region"] == "gcp:us-central1"
    assert at_home["carbon_intensity_gco2e_per_kwh"] == 57


def test_profile_and_default_region_of_the_settings_play_no_part_for_published_runs() -> None:
    others = load_settings(
        None, {"estimate": {"profile": "paper"}, "plan": {"default_region": "aws:eu-north-1"}}
    )
    for name in ("bloom-176b", "gpt-j-6b"):
        changed = compare_runs([name], EVERY, others, as_of_utc=AS_OF)
        assert changed.estimates.equals(compared(name).estimates)


def test_a_run_of_unknown_devices_has_neither_count_nor_wall_hours() -> None:
    comparison = compared("llama-3-70b", "bloom")
    assert comparison.jobs["device_count"].to_pylist() == [None, 384.0]
    uncounted, counted = (rows_of(comparison, job)["tdp"] for job in ("llama-3-70b", "bloom-176b"))
    assert (uncounted["device_hours"], uncounted["wall_hours"]) == (6_400_000, None)
    assert counted["wall_hours"] == pytest.approx(1_082_990 / 384)


def test_a_run_of_unknown_intensity_has_energy_by_every_method_and_is_told_to_be_given_a_region() -> None:
    for name, row in rows_of(compared("gpt-j-6b"), "gpt-j-6b").items():
        assert row["facility_energy_kwh"] is not None
        own = row["intensity_kind"] == "world"
        assert (row["operational_kgco2e"] is None) == (not own)
        assert own or row["reason"] == "no carbon intensity: give --region", name


def test_every_published_run_goes_through_every_method() -> None:
    runs = load_catalog().runs
    comparison = compared(*map(str, runs["run"].to_pylist()))
    assert comparison.jobs["job_id"].to_pylist() == runs["run"].to_pylist()
    assert comparison.estimates.num_rows == runs.num_rows * len(METHODS)
    for row in comparison.estimates.to_pylist():
        assert (row["method_status"] == "not_applicable") == (row["device_hours"] is None)
        assert row["device_hours"] is not None or row["reason"]
        if row["hours_source"] == "predicted":
            assert row["method"] in PREDICTING


def test_a_region_that_is_none_names_the_near_miss() -> None:
    with pytest.raises(ConfigError, match="did you mean 'aws:us-east-1'"):
        compared("bloom", region="aws:us-east1")


def test_jobs_of_a_manifest_go_through_every_method(tmp_path: Path) -> None:
    manifest = night_of(tmp_path)
    with pipeline.night_of(
        settings_at(tmp_path), [str(manifest)], as_of_utc=AS_OF, now_utc=AS_OF, offline=True
    ) as night:
        comparison = compare_jobs(night, ["old", "hours"], EVERY)
    assert comparison.jobs["job_id"].to_pylist() == ["hours", "old"]  # in the order of the manifest
    old = rows_of(comparison, "old")
    assert old["llmcarbon"]["method_status"] == "not_applicable"
    assert "TPU v3 and TPU v4 only" in str(old["llmcarbon"]["reason"])
    assert old["mlco2"]["method_status"] == "not_applicable"
    assert "needs known device-hours" in str(old["mlco2"]["reason"])
    assert old["calibrated"]["total_kgco2e"] is not None


def test_a_job_that_is_nowhere_has_energy_with_the_pue_of_an_unknown_place(tmp_path: Path) -> None:
    manifest = night_of(tmp_path)
    with pipeline.night_of(
        settings_at(tmp_path), [str(manifest)], as_of_utc=AS_OF, now_utc=AS_OF, offline=True
    ) as night:
        rows = rows_of(compare_jobs(night, ["nowhere"], EVERY), "nowhere")
    assert [rows[name]["pue"] for name in ("calibrated", "opencarboneval", "tdp")] == [1.56, 1.0, 1.1]
    assert rows["tdp"]["facility_energy_kwh"] == pytest.approx(50 * 0.3 * 1.1)
    assert rows["tdp"]["total_kgco2e"] is None
    assert rows["svr"]["hours_source"] == "stated"  # no FLOP to predict hours from


@pytest.mark.parametrize(("job", "hint"), [("hour", "did you mean 'hours'"), ("xyzzy", "give the job_id")])
def test_a_job_id_that_is_no_jobs_names_the_near_miss(tmp_path: Path, job: str, hint: str) -> None:
    manifest = night_of(tmp_path)
    with (
        pipeline.night_of(
            settings_at(tmp_path), [str(manifest)], as_of_utc=AS_OF, now_utc=AS_OF, offline=True
        ) as night,
        pytest.raises(ManifestError, match=f"no planned job is called '{job}'; {hint}"),
    ):
        compare_jobs(night, [job], EVERY)


def test_a_job_that_no_manifest_holds_is_named(tmp_path: Path) -> None:
    manifest = night_of(tmp_path)
    with (
        pipeline.night_of(
            settings_at(tmp_path), [str(manifest)], as_of_utc=AS_OF, now_utc=AS_OF, offline=True
        ) as night,
        pytest.raises(ManifestError, match="no planned job is called 'lost'"),
    ):
        compare_jobs(night, ["hours", "lost"], EVERY)


def test_a_manifest_is_estimated_by_methods_job_by_job(tmp_path: Path) -> None:
    manifest = night_of(tmp_path)
    with pipeline.night_of(
        settings_at(tmp_path), [str(manifest)], as_of_utc=AS_OF, now_utc=AS_OF, offline=True
    ) as night:
        rows, jobs, _ = write_method_estimates(night, EVERY, tmp_path / "estimates.parquet")
    table = pq.ParquetFile(tmp_path / "estimates.parquet").read().to_pylist()
    assert (rows, jobs.rejected) == (4 * len(METHODS), 0)
    assert [row["job_id"] for row in table[:: len(METHODS)]] == ["hours", "flop", "old", "nowhere"]
    assert [row["method"] for row in table[: len(METHODS)]] == list(METHODS)
    by = {(row["job_id"], row["method"]): row for row in table}
    assert by["hours", "svr"]["hours_source"] == "stated"  # stated hours win outside a comparison
    assert by["nowhere", "calibrated"]["total_kgco2e"] is None
    assert "no carbon intensity" in by["nowhere", "calibrated"]["reason"]
    assert by["nowhere", "codecarbon"]["carbon_intensity_gco2e_per_kwh"] == 475
    assert by["nowhere", "codecarbon"]["intensity_kind"] == "world"


def test_a_comparison_is_written_as_a_table_and_a_drawing_of_each_job(tmp_path: Path) -> None:
    comparison = compared("bloom", "gpt-3")
    written = write_comparison(comparison, tmp_path / "out")
    assert [path.name for path in written] == [
        *("method_estimate.parquet", "01-bloom-176b.svg", "02-gpt-3-175b.svg")
    ]
    assert pq.ParquetFile(written[0]).read().equals(comparison.estimates)
    drawn = written[1].read_text(encoding="utf-8")
    assert "bloom-176b by every method" in drawn
    assert "green-algorithms" in drawn
