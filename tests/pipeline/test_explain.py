"""Explanations of a run: their steps multiply to the published figures, and names are found or their neighbours told."""

from pathlib import Path

import pyarrow as pa
import pytest

from opencarbon.errors import ConfigError
from opencarbon.pipeline.explain import Named, explain_job, explain_region, explain_run, find_name
from opencarbon.sources.places import Place
from tests.example import Release
from tests.publishing.report_runs import changed, long_queue, put


@pytest.fixture(scope="module")
def run(example: Release) -> Place:
    return Place.of(example.latest.resolve())


def test_the_steps_of_every_job_multiply_to_what_is_published(run: Place, example: Release) -> None:
    estimates = example.frame("fact_job_estimate").set_index("job_id")
    repeats = {"pangu-weather": 4}
    predicted = 0
    for job_id in example.table("dim_job")["job_id"].to_pylist():
        steps = {step.name: step for step in explain_job(run, str(job_id)).steps}
        value = {name: step.value for name, step in steps.items()}
        told = estimates.loc[job_id]
        close = pytest.approx
        if "training_flop" in value:
            predicted += 1
            flop, pace = value["training_flop"], value["tflop_per_s_per_device"]
            assert flop is not None
            assert pace is not None
            assert flop / pace / 3600 / 1e12 == close(told["device_hours"], rel=1e-9)
        assert value["device_hours"] / value["device_count"] == close(told["wall_hours"], rel=1e-9)  # type: ignore[operator]
        energy = value["device_hours"] * value["power_w"] / 1000  # type: ignore[operator]
        assert energy == close(told["energy_kwh"], rel=1e-9)
        if told["facility_energy_kwh"] != told["facility_energy_kwh"]:
            continue
        facility = energy * value["pue"]  # type: ignore[operator]
        assert facility == close(told["facility_energy_kwh"], rel=1e-9)
        if told["operational_kgco2e"] != told["operational_kgco2e"]:
            continue
        operational = facility * value["carbon_intensity_gco2e_per_kwh"] / 1000  # type: ignore[operator]
        total = operational + value["embodied_kgco2e"]  # type: ignore[operator]
        assert operational == close(told["operational_kgco2e"], rel=1e-9)
        assert total == close(told["total_kgco2e"], rel=1e-9)
        assert total / repeats.get(str(job_id), 1) == close(told["sci_kgco2e_per_run"], rel=1e-9)
        for name in ("device_hours", "power_w", "energy_kwh", "operational_kgco2e", "total_kgco2e"):
            step = steps[name]
            assert step.low is not None
            assert step.high is not None
            assert step.low <= step.value <= step.high  # type: ignore[operator]
    assert predicted == 20


def test_every_figure_that_was_not_given_has_a_source_with_its_licence(run: Place) -> None:
    steps = {step.name: step for step in explain_job(run, "gpt-4").steps}
    for name in (
        "tflop_per_s_per_device",
        "power_w",
        "pue",
        "carbon_intensity_gco2e_per_kwh",
        "embodied_kgco2e",
    ):
        source = steps[name].source
        assert source is not None
        assert source["title"]
        assert source["licence"]


def test_the_runs_behind_a_fit_are_those_of_its_device_that_it_used(run: Place, example: Release) -> None:
    told = explain_job(run, "gpt-4")
    runs = example.frame("training_runs").set_index("run")
    assert len(told.fit_runs) == 5
    for row in told.fit_runs:
        assert runs.loc[row["run"], "used"]
        assert runs.loc[row["run"], "device"] == told.job["device"]


def test_a_rejected_job_is_told_with_the_rule_it_breaks(run: Place) -> None:
    told = explain_job(run, "yi-34b")
    assert told.job == {}
    assert [row["rule_code"] for row in told.rejected] == ["no_work"]


def test_hours_are_those_of_the_zones_of_baseline_and_advice(run: Place, example: Release) -> None:
    told = explain_job(run, "llama-65b")
    assert told.hours is not None
    assert told.advised_hours is not None
    assert (told.hours.zone, told.advised_hours.zone) == ("US-MIDA-PJM", "SE-SE3")
    hourly = example.frame("fact_grid_intensity_hourly")
    values = hourly[hourly["zone"] == "SE-SE3"].sort_values("hour_start_utc")[
        "carbon_intensity_gco2e_per_kwh"
    ]
    assert list(told.advised_hours.values) == values.tolist()
    assert told.advised_hours.kinds == ("example",)


def test_a_region_is_told_with_its_largest_jobs(run: Place, example: Release) -> None:
    told = explain_region(run, "aws:eu-north-1", is_zone=False)
    advised = example.frame("rec_job")
    expected = advised[advised["advised_region"] == "aws:eu-north-1"].sort_values(
        "advised_total_kgco2e", ascending=False
    )
    assert [job["job_id"] for job in told.jobs] == expected["job_id"].tolist()
    assert told.zone["zone"] == "SE-SE3"
    assert told.regions[0]["jobs"] == len(expected)
    zone = explain_region(run, "SE-SE3", is_zone=True)
    assert {row["region"] for row in zone.regions} == {
        "aws:eu-north-1",
        "azure:swedencentral",
        "gcp:europe-north2",
    }


def test_a_run_tells_what_its_record_tells(run: Place) -> None:
    told = explain_run(run)
    assert told.record["run_id"] == told.about["run_id"] == run.name
    assert sum(told.summary.actions.values()) == 46


class TestNames:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("latest", "run"),
            ("gpt-4", "job"),
            ("yi-34b", "job"),
            ("aws:eu-north-1", "region"),
            ("AWS:EU-North-1", "region"),
            ("SE-SE3", "zone"),
        ],
    )
    def test_are_told_apart(self, run: Place, name: str, kind: str) -> None:
        assert find_name(run, name, None).kind == kind

    def test_a_job_goes_before_a_region_unless_told(self, example: Release, tmp_path: Path) -> None:
        name = "aws:eu-north-1"

        def named(table: pa.Table) -> pa.Table:
            return put(
                table, "job_id", [name if one == "gpt-4" else one for one in table["job_id"].to_pylist()]
            )

        both = dict.fromkeys(("dim_job", "fact_job_estimate", "rec_job"), named)
        run = Place.of(changed(example, tmp_path / "run", **both))
        assert find_name(run, name, None) == Named("job", name)
        assert find_name(run, name, "region") == Named("region", name)
        assert explain_job(run, name).job["model"] == "GPT-4"

    @pytest.mark.parametrize(
        ("name", "near"),
        [("lama-65b", "llama-65b"), ("aws:eu-nroth-1", "aws:eu-north-1"), ("SE-SE", "SE-SE3")],
    )
    def test_near_names_are_offered(self, run: Place, name: str, near: str) -> None:
        with pytest.raises(ConfigError, match=f"knows no job, region or zone '{name}'.*'{near}'"):
            find_name(run, name, None)

    def test_a_name_like_no_other_is_told_where_to_look(self, run: Place) -> None:
        with pytest.raises(ConfigError, match="rec_job and rec_region list what there is"):
            find_name(run, "☃" * 5, None)


def test_a_job_is_found_wherever_it_stands_in_a_long_queue(tmp_path: Path) -> None:
    run = Place.of(long_queue(tmp_path / "run", 3_000, name_length=12))
    for at in (0, 1_499, 2_999):
        assert explain_job(run, f"{at:012}").job["job_id"] == f"{at:012}"
