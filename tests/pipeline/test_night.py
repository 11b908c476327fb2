"""A night from manifests to release: repetition, partitions, what is refused."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opencarbon import pipeline
from opencarbon.errors import ConfigError, ManifestError, PublishConflictError
from opencarbon.pipeline import Outcome, run_night
from opencarbon.publishing.local import LocalLayout, publisher_lock
from tests.example import Release, tree, write_queue
from tests.pipeline.nights import AS_OF, a_night, publish, settings_for


class TestRepetition:
    def test_the_same_night_again_changes_nothing(
        self, tmp_path: Path, queue: Path, first: Outcome, release: Release
    ) -> None:
        before = tree(release.root)

        second = publish(settings_for(tmp_path), queue)

        assert ("published", "unchanged") == (first.status, second.status)
        assert first.run_id == second.run_id
        assert first.summary == second.summary
        assert first.rows == second.rows
        assert before == tree(release.root)

    def test_the_same_night_again_estimates_nothing(
        self, tmp_path: Path, queue: Path, release: Release, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO, logger="opencarbon.pipeline"):
            publish(settings_for(tmp_path), queue)

        assert "status=unchanged" in caplog.text
        assert "partition estimated" not in caplog.text

    def test_an_earlier_night_is_kept_and_does_not_move_latest(
        self, tmp_path: Path, queue: Path, first: Outcome, release: Release
    ) -> None:
        older = publish(settings_for(tmp_path), queue, as_of_utc=AS_OF - timedelta(days=3))

        assert "superseded" == older.status
        assert older.directory.is_dir()
        assert first.run_id == release.latest.resolve().name

    def test_a_later_night_moves_latest(self, tmp_path: Path, queue: Path, release: Release) -> None:
        later = publish(settings_for(tmp_path), queue, as_of_utc=AS_OF + timedelta(hours=1))

        assert "published" == later.status
        assert later.run_id == release.latest.resolve().name

    def test_a_run_that_was_damaged_is_made_again(
        self, tmp_path: Path, queue: Path, first: Outcome, release: Release
    ) -> None:
        sound = release.table("dim_zone")
        (release.latest / "dim_zone/part-0.parquet").write_bytes(b"PAR1 but no more")

        second = publish(settings_for(tmp_path), queue)

        assert (first.run_id, "published") == (second.run_id, second.status)
        assert sound.equals(release.table("dim_zone"))


class TestPartitions:
    def test_many_manifests_give_what_one_gives(self, tmp_path: Path) -> None:
        whole = write_queue(tmp_path / "whole.parquet")
        table = pq.read_table(whole)
        for row in range(3):
            (tmp_path / "parts").mkdir(exist_ok=True)
            pq.write_table(table.slice(row, 1), tmp_path / f"parts/{row}.parquet")

        publish(settings_for(tmp_path / "a"), whole)
        publish(settings_for(tmp_path / "b"), tmp_path / "parts")

        for name in (
            "fact_job_estimate",
            "rec_job",
            "fact_job_region",
            "rec_region",
            "fact_region_load_hourly",
        ):
            one, many = (
                Release(tmp_path / where / "release").frame(name).drop(columns="run_id") for where in "ab"
            )
            pd.testing.assert_frame_equal(one, many, rtol=1e-12)

    def test_a_manifest_in_which_no_row_can_be_used_stops_none_of_the_others(self, tmp_path: Path) -> None:
        folder = tmp_path / "queue"
        write_queue(folder / "a.parquet", device=["X", "Y", "Z"])
        write_queue(folder / "b.parquet", job_id=["four", "five", "six"])
        empty = pq.read_table(folder / "b.parquet").slice(0, 0)
        pq.write_table(empty, folder / "c.parquet")

        outcome = publish(settings_for(tmp_path, publish={"max_rejected_pct": 60}), folder)

        release = Release(tmp_path / "release")
        assert (6, 3) == (outcome.jobs_read, outcome.jobs_rejected)
        assert ["four", "five", "six"] == release.table("rec_job")["job_id"].to_pylist()
        assert {"unknown_device"} == set(release.table("rejected_job")["rule_code"].to_pylist())


class TestRefusals:
    def test_no_row_that_can_be_used_publishes_nothing(self, tmp_path: Path) -> None:
        bad = write_queue(tmp_path / "q.parquet", device=["X", "Y", "Z"])

        with pytest.raises(ManifestError, match="no row can be used"):
            publish(settings_for(tmp_path, publish={"max_rejected_pct": 100}), bad)

        assert not (tmp_path / "release").exists()

    @pytest.mark.parametrize(("most_pct", "is_published"), [(33.0, False), (34.0, True)])
    def test_more_rejected_rows_than_allowed_publish_nothing(
        self, tmp_path: Path, most_pct: float, is_published: bool
    ) -> None:
        queue = write_queue(tmp_path / "q.parquet", device=["X", "H100", "H100"])
        settings = settings_for(tmp_path, publish={"max_rejected_pct": most_pct})

        if is_published:
            assert 1 == publish(settings, queue).jobs_rejected
        else:
            with pytest.raises(
                ManifestError, match=r"1 of 3 rows break a rule, more than publish\.max_rejected_pct"
            ):
                publish(settings, queue)
        assert is_published == (tmp_path / "release").exists()

    def test_manifests_without_a_row_publish_nothing(self, tmp_path: Path, queue: Path) -> None:
        pq.write_table(pq.read_table(queue).slice(0, 0), tmp_path / "empty.parquet")

        with pytest.raises(ManifestError, match="hold no row"):
            publish(settings_for(tmp_path), tmp_path / "empty.parquet")

    def test_a_default_region_that_is_not_in_the_catalog_is_refused_with_the_near_miss(
        self, tmp_path: Path, queue: Path
    ) -> None:
        with pytest.raises(ConfigError, match="did you mean 'aws:us-east-1'"):
            publish(settings_for(tmp_path, plan={"default_region": "aws:us-eas-1"}), queue)

    def test_a_root_below_a_file_is_refused(self, tmp_path: Path, queue: Path) -> None:
        with pytest.raises(ConfigError, match=r"queue\.parquet is a file: give a folder"):
            publish(settings_for(tmp_path, publish={"root": str(queue / "release")}), queue)

    def test_a_moment_without_a_time_zone_is_refused(self, tmp_path: Path, queue: Path) -> None:
        with pytest.raises(ConfigError, match="has no time zone"):
            publish(settings_for(tmp_path), queue, as_of_utc=AS_OF.replace(tzinfo=None))

    @pytest.mark.parametrize("year", [1900, 2400])
    def test_a_moment_beyond_the_calendar_is_refused(self, tmp_path: Path, queue: Path, year: int) -> None:
        with pytest.raises(ConfigError, match=f"is in {year}: give one from 1990 to 2099"):
            publish(settings_for(tmp_path), queue, as_of_utc=AS_OF.replace(year=year))


def test_a_root_may_be_a_file_uri(tmp_path: Path, queue: Path) -> None:
    root = (tmp_path / "a folder").as_uri()

    outcome = publish(settings_for(tmp_path, publish={"root": root}), queue)

    assert (tmp_path / "a folder/v1/runs" / outcome.run_id) == outcome.directory.local


def test_a_moment_in_another_time_zone_is_the_same_moment(
    tmp_path: Path, queue: Path, first: Outcome
) -> None:
    in_berlin = datetime.fromisoformat("2026-11-16T01:00:00+01:00")

    with a_night(settings_for(tmp_path), queue, as_of_utc=in_berlin) as night:
        assert first.run_id == pipeline.prepare(night, pipeline.read(night)).run_id


def test_a_default_region_is_the_baseline_of_jobs_that_name_none(tmp_path: Path) -> None:
    queue = write_queue(tmp_path / "q.parquet", current_region=[None, None, "aws:eu-central-1"])

    publish(settings_for(tmp_path, plan={"default_region": "gcp:us-west1"}), queue)

    rows = Release(tmp_path / "release").table("fact_job_estimate").to_pylist()
    assert ["gcp:us-west1", "gcp:us-west1", "aws:eu-central-1"] == [row["baseline_region"] for row in rows]
    assert all(row["operational_kgco2e"] > 0 for row in rows)


def test_zones_to_pull_are_those_of_allowed_current_and_default_regions_only(tmp_path: Path) -> None:
    queue = write_queue(
        tmp_path / "q.parquet",
        current_region=["aws:eu-central-1", None, "aws:eu-west-3"],
        allowed_regions=pa.array([[], ["aws:eu-north-1"], ["aws:eu-west-3"]], pa.list_(pa.string())),
    )

    with a_night(settings_for(tmp_path, plan={"default_region": "aws:eu-west-1"}), queue) as night:
        zones = pipeline.read(night).zones

    assert ("DE", "FR", "IE", "SE", "SE-SE3") == zones


def test_zones_of_baselines_are_pulled_first(tmp_path: Path) -> None:
    queue = write_queue(
        tmp_path / "q.parquet",
        current_region=["aws:eu-west-3", None, "aws:eu-west-3"],
        allowed_regions=pa.array([[], ["aws:eu-central-1"], ["aws:eu-north-1"]], pa.list_(pa.string())),
    )

    with a_night(settings_for(tmp_path, plan={"default_region": "aws:eu-west-1"}), queue) as night:
        zones = pipeline.read(night).zones

    assert ("FR", "IE", "DE", "SE", "SE-SE3") == zones


class TestLog:
    def test_every_step_says_in_a_line_what_it_did(
        self, tmp_path: Path, queue: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO, logger="opencarbon.pipeline"):
            outcome = publish(settings_for(tmp_path), queue)

        lines = [record.getMessage() for record in caplog.records if record.name == "opencarbon.pipeline"]
        assert [line.partition(":")[0] for line in lines] == [
            "jobs read",
            "grid known",
            "devices fitted",
            "partition estimated and planned",
            "published",
        ]
        assert "rows=3 rejected=0 partitions=1" in lines[0]
        assert f"status=published run_id={outcome.run_id}" in lines[-1]

    def test_no_line_holds_the_token(
        self, tmp_path: Path, queue: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings = settings_for(tmp_path, electricity_maps={"token": "a-secret-token"})

        with caplog.at_level(logging.DEBUG), a_night(settings, queue) as night:
            run_night(night)
            assert "a-secret-token" not in repr(replace(night))

        assert "a-secret-token" not in caplog.text
        assert all(
            b"a-secret-token" not in content
            for content in tree(tmp_path).values()
            if isinstance(content, bytes)
        )


def test_progress_is_told_of_every_step_and_ends_whole(tmp_path: Path, queue: Path) -> None:
    told: dict[str, tuple[int, int]] = {}

    with a_night(settings_for(tmp_path), queue) as night:
        run_night(night, progress=lambda step, done, total: told.update({step: (done, total)}))

    assert [
        "read manifests",
        "pull grid intensities",
        "refit devices",
        "estimate and plan",
        "publish",
    ] == list(told)
    unfinished = {step: parts for step, parts in told.items() if parts[0] != parts[1]}
    assert {} == unfinished


def test_a_night_that_cannot_publish_leaves_no_tables_in_staging(tmp_path: Path, queue: Path) -> None:
    layout = LocalLayout(tmp_path / "release")
    with (
        publisher_lock(layout, "20261116T0000Z-00000000", now_utc=AS_OF),
        pytest.raises(PublishConflictError),
    ):
        publish(settings_for(tmp_path), queue)
    assert list(layout.staging.iterdir()) == []


def test_the_work_folder_is_gone_after_the_night(tmp_path: Path, queue: Path) -> None:
    with a_night(settings_for(tmp_path), queue) as night:
        run_night(night)
        assert night.work.names()

    assert not night.work.exists()
