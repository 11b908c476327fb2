"""Partitions that fail: the night goes on without their jobs, says so, and decides whether that may be published."""

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from opencarbon import pipeline
from opencarbon.errors import PublishError
from opencarbon.pipeline import Night, Outcome, PartitionOutcome
from opencarbon.pipeline.jobs import PLANNED
from opencarbon.pipeline.work import read_part, write_part
from opencarbon.settings import Settings
from tests.example import Release, tree, write_queue
from tests.pipeline.nights import a_night, publish, settings_for

ONE_JOB_EACH: dict[str, object] = {"rows_per_partition": 1}


def settings_of(folder: Path, **publish: object) -> Settings:
    return settings_for(folder, run=ONE_JOB_EACH, publish=publish)


def spoil(night: Night, partition: int) -> None:
    """Put a device into a partition that nothing knows."""
    jobs = read_part(night.work, PLANNED, partition)
    at = jobs.schema.get_field_index("device")
    write_part(night.work, PLANNED, partition, jobs.set_column(at, "device", [["no such device"]]))


def night_with(
    settings: Settings, queue: Path, spoilt: Sequence[int], *, unheard: Sequence[int] = ()
) -> Outcome:
    with a_night(settings, queue) as night:
        jobs = pipeline.read(night)
        prepared = pipeline.prepare(night, jobs)
        for partition in spoilt:
            spoil(night, partition)
        outcomes = [pipeline.estimate(night, number) for number in range(prepared.partitions)]
        heard = [outcome for outcome in outcomes if outcome.partition not in unheard]
        return pipeline.recommend(night, jobs, prepared, heard)


class TestEstimate:
    def test_a_partition_that_raises_is_an_outcome_with_its_problem_in_a_line(
        self, tmp_path: Path, queue: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with a_night(settings_of(tmp_path), queue) as night:
            pipeline.prepare(night, pipeline.read(night))
            spoil(night, 1)
            sound, failed = pipeline.estimate(night, 0), pipeline.estimate(night, 1)

        assert (0, 1, None) == (sound.partition, sound.jobs, sound.problem)
        assert (1, 1) == (failed.partition, failed.jobs)
        assert failed.problem is not None
        assert "\n" not in failed.problem
        (record,) = (record for record in caplog.records if record.levelno == logging.ERROR)
        assert "partition failed: partition=1" == record.getMessage()
        assert record.exc_info is not None

    def test_a_partition_that_is_stopped_stops_the_night(
        self, tmp_path: Path, queue: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def stop(night: Night, partition: int) -> int:
            raise KeyboardInterrupt

        monkeypatch.setattr("opencarbon.pipeline.steps.estimate_partition", stop)
        with a_night(settings_of(tmp_path), queue) as night, pytest.raises(KeyboardInterrupt):
            pipeline.estimate(night, 0)


class TestGate:
    def test_jobs_of_failed_partitions_are_rejected_with_their_problem(
        self, tmp_path: Path, queue: Path
    ) -> None:
        outcome = night_with(settings_of(tmp_path, max_rejected_pct=70), queue, [0, 2])

        release = Release(tmp_path / "release")
        assert ("published", 3, 2) == (outcome.status, outcome.jobs_read, outcome.jobs_rejected)
        rows = release.table("rejected_job").to_pylist()
        assert [
            ("not_estimated", f"its partition {number} failed: {outcome.partitions[number].problem}")
            for number in (0, 2)
        ] == [(row["rule_code"], row["reason"]) for row in rows]
        assert ["one", "three"] == [row["job_id"] for row in rows] == [row["value"] for row in rows]
        assert all(row["remedy"].startswith("run the night again") for row in rows)
        assert ["two"] == release.table("rec_job")["job_id"].to_pylist()
        assert [2] == release.table("dim_run")["jobs_rejected"].to_pylist()
        (total,) = (row for row in release.table("fact_total").to_pylist() if row["scope"] == "run")
        assert 1 == total["jobs"]
        told = [row for row in release.table("run_event").to_pylist() if row["source"] == "partitions"]
        assert [("error", "0"), ("error", "2")] == [(row["severity"], row["subject"]) for row in told]
        assert 3 == outcome.exit_status(strict=True, fail_over_budget=False)
        assert 0 == outcome.exit_status(strict=False, fail_over_budget=False)
        facts = json.loads((release.root / "v1/manifest.json").read_text(encoding="utf-8"))["facts"]
        assert (3, 2, 2) == (facts["partitions"], facts["partitions_failed"], facts["jobs_rejected"])

    @pytest.mark.parametrize(("most_pct", "spoilt"), [(33, [2]), (100, [0, 1, 2])])
    def test_too_many_lost_jobs_publish_nothing(
        self, tmp_path: Path, queue: Path, release: Release, most_pct: float, spoilt: list[int]
    ) -> None:
        before = tree(release.root)
        later = settings_of(tmp_path, max_rejected_pct=most_pct).model_copy(
            update={"plan": settings_of(tmp_path).plan.model_copy(update={"top_k": 2})}
        )

        with pytest.raises(
            PublishError, match=f"{len(spoilt)} of 3 partitions failed, and with them"
        ) as raised:
            night_with(later, queue, spoilt)

        assert "nothing was published" in str(raised.value)
        assert before == tree(release.root)

    def test_a_partition_that_nothing_was_heard_of_failed_and_what_it_wrote_does_not_count(
        self, tmp_path: Path, queue: Path
    ) -> None:
        outcome = night_with(settings_of(tmp_path, max_rejected_pct=34), queue, [], unheard=[0])

        release = Release(tmp_path / "release")
        assert "nothing was heard of this partition" == outcome.partitions[0].problem
        assert 2 == release.table("fact_job_estimate").num_rows == release.table("dim_job").num_rows
        (total,) = (row for row in release.table("fact_total").to_pylist() if row["scope"] == "run")
        assert 2 == total["jobs"]

    def test_the_same_night_once_more_makes_it_whole(self, tmp_path: Path, queue: Path) -> None:
        settings = settings_of(tmp_path, max_rejected_pct=34)
        part = night_with(settings, queue, [1])
        again = night_with(settings, queue, [1])

        whole = publish(settings, queue)

        assert (part.run_id, "unchanged") == (again.run_id, again.status)
        assert "published" == whole.status
        assert whole.run_id not in (part.run_id, part.run_id[:14])
        release = Release(tmp_path / "release")
        assert 3 == release.table("rec_job").num_rows
        assert "unchanged" == publish(settings, queue).status

    def test_a_run_that_others_published_whole_meanwhile_stays(self, tmp_path: Path, queue: Path) -> None:
        settings = settings_of(tmp_path, max_rejected_pct=34)
        with a_night(settings, queue) as night:
            jobs = pipeline.read(night)
            prepared = pipeline.prepare(night, jobs)
            whole = publish(settings, queue)
            failed = [PartitionOutcome(0, 1, 0.0, "KeyError: x")]
            outcome = pipeline.recommend(night, jobs, prepared, failed)

        assert (whole.run_id, "unchanged") == (outcome.run_id, outcome.status)
        assert 3 == Release(tmp_path / "release").table("rec_job").num_rows

    def test_lost_jobs_stand_in_the_order_of_the_manifest_among_rows_that_break_a_rule(
        self, tmp_path: Path
    ) -> None:
        queue = write_queue(tmp_path / "q.parquet", device=["H100", "X", "H100"])
        settings = settings_for(tmp_path, run={"rows_per_partition": 2}, publish={"max_rejected_pct": 70})

        outcome = night_with(settings, queue, [0])

        rows = Release(tmp_path / "release").table("rejected_job").to_pylist()
        assert [(0, "not_estimated"), (1, "unknown_device")] == [
            (row["row"], row["rule_code"]) for row in rows
        ]
        assert 2 == outcome.jobs_rejected


class TestDryRun:
    def test_says_which_jobs_would_be_lost(self, tmp_path: Path, queue: Path) -> None:
        with a_night(settings_of(tmp_path, max_rejected_pct=34), queue) as night:
            jobs = pipeline.read(night)
            prepared = pipeline.prepare(night, jobs)
            spoil(night, 0)
            outcomes = [pipeline.estimate(night, number) for number in range(3)]
            outcome = pipeline.foresee(night, jobs, prepared, outcomes)

        assert ("published", 1) == (outcome.would_be, outcome.jobs_rejected)
        assert not (tmp_path / "release").exists()


def test_the_record_tells_durations_counts_and_memory_on_which_no_parquet_byte_depends(
    tmp_path: Path, queue: Path
) -> None:
    outcome = publish(settings_of(tmp_path), queue)
    again = publish(settings_of(tmp_path / "elsewhere"), queue)

    record = json.loads((tmp_path / "release/v1/manifest.json").read_text(encoding="utf-8"))
    facts = record["facts"]
    assert {"read", "prepare", "estimate", "publish"} == set(facts["durations_s"])
    assert all(seconds >= 0.0 for seconds in facts["durations_s"].values())
    counts = ("jobs_read", "jobs_rejected", "partitions", "partitions_failed", "requests")
    assert (3, 0, 3, 0, 0) == tuple(facts[name] for name in counts)
    assert facts["zones"] == facts["zones_without_forecast"] == len(facts["zone_outcomes"]) > 3
    assert {"zone", "asked", "hours", "kind", "problem"} == set(facts["zone_outcomes"][0])
    assert facts["peak_memory_bytes"] > 50_000_000
    assert 3 * 17 == facts["job_id_hash_bytes"]
    assert [0, 1, 2] == [one["partition"] for one in facts["partition_outcomes"]]

    assert facts != json.loads((tmp_path / "elsewhere/release/v1/manifest.json").read_bytes())["facts"]
    assert tables_of(outcome) == tables_of(again)
    assert len(tables_of(outcome)) > 15


def tables_of(outcome: Outcome) -> dict[str, bytes]:
    folder = Path(outcome.directory.path)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.parquet")}


def test_zones_say_what_they_are_planned_on(tmp_path: Path, queue: Path) -> None:
    with a_night(settings_of(tmp_path), queue) as night:
        zones = pipeline.prepare(night, pipeline.read(night)).zones
        late = replace(night, offline=False)

    assert {"annual"} == {zone.kind for zone in zones}
    assert {(False, 0, None)} == {(zone.asked, zone.hours, zone.problem) for zone in zones}
    assert not late.is_past
