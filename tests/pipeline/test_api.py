"""``oc.estimate``: planned jobs in memory to their emissions."""

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import opencarbon as oc
from opencarbon.errors import ConfigError, ManifestError
from opencarbon.settings import load_settings
from opencarbon.sources.intensity_files.reading import read_intensity_file
from opencarbon.tables.contracts import PUBLISHED
from tests.example import EXAMPLE, Release

AS_OF = datetime(2026, 11, 16, tzinfo=UTC)


def queue(**columns: Any) -> pa.Table:
    jobs: dict[str, Any] = {
        "job_id": ["one", "two"],
        "device": ["A100", "NVIDIA H100 SXM5 80GB"],
        "device_count": [64, 8],
        "wall_hours": [24.0, 10.0],
        "current_region": ["aws:eu-central-1", "aws:us-east-1"],
    }
    return pa.table({name: values for name, values in (jobs | columns).items() if values is not None})


def column(table: pa.Table, name: str) -> list[Any]:
    return list(table[name].to_pylist())


class TestResult:
    def test_has_the_columns_of_the_published_estimates_without_the_run(self) -> None:
        estimates = oc.estimate(queue(), as_of_utc=AS_OF)

        expected = PUBLISHED["fact_job_estimate"].schema()
        assert [field.name for field in expected if field.name != "run_id"] == estimates.column_names
        assert [field.type for field in expected if field.name != "run_id"] == estimates.schema.types

    def test_keeps_the_order_of_the_jobs(self) -> None:
        estimates = oc.estimate(queue(job_id=["z", "a"]), as_of_utc=AS_OF)

        assert ["z", "a"] == column(estimates, "job_id")

    def test_multiplies_hours_power_pue_and_intensity(self) -> None:
        row = oc.estimate(queue(power_w=[400.0, 700.0]), as_of_utc=AS_OF).to_pylist()[0]

        assert 64 * 24.0 == row["device_hours"]
        assert 64 * 24.0 * 0.4 == pytest.approx(row["energy_kwh"])
        carbon = row["energy_kwh"] * row["pue"] * row["carbon_intensity_gco2e_per_kwh"] / 1000
        assert carbon == pytest.approx(row["operational_kgco2e"])
        assert ("manifest", "annual") == (row["power_source"], row["intensity_kind"])

    def test_is_that_of_a_release_with_the_same_grid_and_fits(self, example: Release) -> None:
        accepted = pq.read_table(EXAMPLE / "jobs.parquet").slice(0, 46)
        intensity = str(EXAMPLE / "intensity.parquet")
        grid = read_intensity_file(intensity, fetched_at_utc=AS_OF, source_id="example-intensity")

        estimates = oc.estimate(accepted, example.table("fact_device_fit"), as_of_utc=AS_OF, grid=grid)

        assert example.table("fact_job_estimate").drop_columns(["run_id"]).equals(estimates)
        assert estimates.equals(oc.estimate(accepted, as_of_utc=AS_OF, grid=grid))

    def test_of_no_jobs_is_an_empty_table(self) -> None:
        estimates = oc.estimate(queue().slice(0, 0), as_of_utc=AS_OF)

        assert 0 == estimates.num_rows
        assert "total_kgco2e" in estimates.column_names

    def test_takes_every_lossless_spelling_of_a_column(self) -> None:
        plain = oc.estimate(queue(), as_of_utc=AS_OF)
        spelled = queue(
            job_id=pa.array(["one", "two"], pa.large_string()),
            device=pa.array(["A100", "NVIDIA H100 SXM5 80GB"]).dictionary_encode(),
            device_count=pa.array([64, 8], pa.decimal128(10, 2)),
        )

        assert plain.equals(oc.estimate(spelled, as_of_utc=AS_OF))

    def test_of_a_job_without_a_region_has_hours_and_no_carbon(self) -> None:
        row = oc.estimate(queue(current_region=None), as_of_utc=AS_OF).to_pylist()[0]

        assert ("no_current_region", None) == (row["baseline_status"], row["operational_kgco2e"])
        assert row["energy_kwh"] > 0


class TestOptions:
    def test_the_paper_knows_no_pue(self) -> None:
        calibrated, paper = (
            oc.estimate(queue(), profile=name, as_of_utc=AS_OF) for name in ("calibrated", "paper")
        )

        assert [1.0, 1.0] == column(paper, "pue")
        assert min(column(calibrated, "pue")) > 1.0
        assert ["paper", "paper"] == column(paper, "method")

    def test_settings_are_followed(self) -> None:
        settings = load_settings(None, {"plan": {"default_region": "aws:eu-north-1"}})

        estimates = oc.estimate(queue(current_region=None), as_of_utc=AS_OF, settings=settings)

        assert ["aws:eu-north-1"] * 2 == column(estimates, "baseline_region")

    def test_grid_intensities_go_over_annual_ones(self) -> None:
        hours = [AS_OF + timedelta(hours=hour) for hour in range(96)]
        grid = pa.table(
            {
                "zone": ["DE"] * 96,
                "hour_start_utc": pa.array(hours, pa.timestamp("us", "UTC")),
                "carbon_intensity_gco2e_per_kwh": [123.0] * 96,
                "intensity_kind": ["forecast"] * 96,
                "emission_factor_type": ["lifecycle"] * 96,
                "is_estimated": [False] * 96,
                "issued_at_utc": pa.array([AS_OF] * 96, pa.timestamp("us", "UTC")),
                "fetched_at_utc": pa.array([AS_OF] * 96, pa.timestamp("us", "UTC")),
                "source_id": ["intensity-file"] * 96,
            }
        )

        estimates = oc.estimate(queue(), as_of_utc=AS_OF, grid=grid)

        assert [pytest.approx(123.0), "forecast"] == [
            column(estimates, name)[0] for name in ("carbon_intensity_gco2e_per_kwh", "intensity_kind")
        ]
        assert "annual" == column(estimates, "intensity_kind")[1]

    def test_the_environment_plays_no_part(self, monkeypatch: pytest.MonkeyPatch) -> None:
        expected = oc.estimate(queue(), as_of_utc=AS_OF)
        monkeypatch.setenv("OPENCARBON_ESTIMATE__DEVICE_LIFETIME_YEARS", "1")

        assert expected.equals(oc.estimate(queue(), as_of_utc=AS_OF))

    def test_nothing_is_asked_of_the_network_and_nothing_written(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        def refuse(*arguments: object) -> NoReturn:
            raise AssertionError(f"asked the network for {arguments}")

        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        monkeypatch.setattr(socket.socket, "connect", refuse)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

        assert 2 == oc.estimate(queue(), as_of_utc=AS_OF).num_rows
        assert [] == list(tmp_path.iterdir())

    def test_without_a_moment_it_looks_from_this_hour(self) -> None:
        before = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)

        (start, _) = column(oc.estimate(queue()), "baseline_start_utc")

        assert before <= start <= datetime.now(UTC)


class TestRefusals:
    def test_lists_every_rule_that_rows_break(self) -> None:
        jobs = queue(device=["A1000", "H100"], device_count=[64, -1])

        with pytest.raises(ManifestError) as raised:
            oc.estimate(jobs, as_of_utc=AS_OF)

        words = str(raised.value)
        assert "2 rules are broken in jobs" in words
        assert "row 0, job one: device 'A1000' is not in the catalog, did you mean" in words
        assert "row 1, job two: device_count -1" in words
        assert "tmp" not in words

    def test_names_twenty_of_many_and_counts_the_others(self) -> None:
        many = queue(**{name: values * 30 for name, values in queue().to_pydict().items()})
        jobs = many.set_column(0, "job_id", pa.array([f"job {row}" for row in range(60)]))
        jobs = jobs.set_column(1, "device", pa.array(["X"] * 60))

        with pytest.raises(ManifestError, match="60 rules are broken") as raised:
            oc.estimate(jobs, as_of_utc=AS_OF)

        assert 22 == len(str(raised.value).splitlines())
        assert str(raised.value).endswith("and 40 more")

    @pytest.mark.parametrize(
        ("jobs", "words"),
        [
            (queue(device=None), "required column 'device' is missing"),
            (queue(wall_hours=None), "no column says how much work"),
            (queue(JOB_ID=["a", "b"]), "mean the same"),
            (queue(finish_by_utc=pa.array([AS_OF, AS_OF], pa.timestamp("us"))), "finish_by_utc"),
            (
                queue(wall_hours=pa.array([timedelta(1), timedelta(2)], pa.duration("s"))),
                "no manifest can hold|wall_hours",
            ),
        ],
    )
    def test_a_column_that_cannot_be_used_is_named(self, jobs: pa.Table, words: str) -> None:
        with pytest.raises(ManifestError, match=words):
            oc.estimate(jobs, as_of_utc=AS_OF)

    def test_fits_that_lack_a_device_of_the_jobs_are_refused(self, example: Release) -> None:
        fits = example.table("fact_device_fit")
        without = fits.filter(pc.not_equal(fits["device"], pa.scalar("NVIDIA H100 SXM5 80GB")))

        with pytest.raises(ConfigError, match="fits lack NVIDIA H100 SXM5 80GB"):
            oc.estimate(queue(), without, as_of_utc=AS_OF)

    def test_fits_for_the_devices_of_the_jobs_are_enough(self, example: Release) -> None:
        fits = example.table("fact_device_fit")
        jobs = queue(device=["NVIDIA H100 SXM5 80GB"] * 2)
        one = fits.filter(pc.equal(fits["device"], pa.scalar("NVIDIA H100 SXM5 80GB")))

        assert 2 == oc.estimate(jobs, one, as_of_utc=AS_OF).num_rows

    def test_tables_that_are_no_fits_and_no_grid_are_refused(self) -> None:
        with pytest.raises(ConfigError, match="fits cannot be used"):
            oc.estimate(queue(), queue(), as_of_utc=AS_OF)
        with pytest.raises(ConfigError, match="grid cannot be used"):
            oc.estimate(queue(), grid=queue(), as_of_utc=AS_OF)

    def test_a_moment_without_a_zone_and_an_unknown_profile_are_refused(self) -> None:
        with pytest.raises(ConfigError, match="has no time zone"):
            oc.estimate(queue(), as_of_utc=AS_OF.replace(tzinfo=None))
        with pytest.raises(ConfigError, match="'papers' is not one of calibrated, paper"):
            oc.estimate(queue(), profile="papers")  # type: ignore[arg-type]  # what is refused


def test_the_example_of_its_docstring_holds() -> None:
    jobs = pa.table(
        {
            "job_id": ["sft"],
            "device": ["A100"],
            "device_count": [64.0],
            "wall_hours": [24.0],
            "current_region": ["aws:eu-central-1"],
        }
    )

    assert [1536.0] == column(oc.estimate(jobs), "device_hours")
