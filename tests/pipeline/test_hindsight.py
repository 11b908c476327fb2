"""What nights tell of the advice before them: three nights, a store whose measured hours arrive later, jobs that ended."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opencarbon import pipeline
from opencarbon.cli import main
from opencarbon.cli.tables import summary_lines
from opencarbon.pipeline import Outcome, Prepared, run_night
from opencarbon.pipeline.hindsight import scorecard_of_night
from opencarbon.publishing.parquet import read_table
from opencarbon.settings import Settings
from opencarbon.sources.store.intensities import append
from opencarbon.tables.inputs import GRID_INTENSITY
from tests.example import Release, write_queue
from tests.pipeline.nights import AS_OF, a_night, publish, settings_for

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FRANKFURT, STOCKHOLM = "aws:eu-central-1", "aws:eu-north-1"
FORECAST = {"DE": 400.0, "SE-SE3": 25.0}
MEASURED = {"DE": 300.0, "SE-SE3": 50.0}
"""What came true: the saving is smaller than claimed."""


def store_hours(
    root: Path, kind: str, means: Mapping[str, float], since: datetime, hours: int, fetched_at_utc: datetime
) -> None:
    """Keep hours of a kind, all of one mean by zone."""
    rows = [
        {
            "zone": zone,
            "hour_start_utc": since + hour * HOUR,
            "carbon_intensity_gco2e_per_kwh": mean,
            "intensity_kind": kind,
            "emission_factor_type": "lifecycle",
            "issued_at_utc": fetched_at_utc if kind == "forecast" else None,
            "fetched_at_utc": fetched_at_utc,
            "source_id": "electricity-maps-api",
        }
        for zone, mean in means.items()
        for hour in range(hours)
    ]
    table = pa.Table.from_pylist(rows, schema=GRID_INTENSITY.schema())
    append(str(root), table, fetched_at_utc=fetched_at_utc)


@dataclass
class Platform:
    """A platform: its store, its queue, its releases."""

    folder: Path
    queue: Path

    def measure(self, since: datetime, hours: int) -> None:
        """Keep measured hours, as fetched an hour after the last of them."""
        until = since + (hours + 1) * HOUR
        store_hours(self.folder / "store", "measured", MEASURED, since, hours, until)

    def settings(self, *completed: Path) -> Settings:
        """Settings of a night that is given completed jobs."""
        return settings_for(self.folder, hindsight={"completed": tuple(map(str, completed))})

    def night(self, as_of_utc: datetime, *completed: Path) -> Outcome:
        """Publish a night that plans with a forecast."""
        store_hours(self.folder / "store", "forecast", FORECAST, as_of_utc, 72, as_of_utc)
        return publish(self.settings(*completed), self.queue, as_of_utc=as_of_utc)

    def prepared(self, as_of_utc: datetime, *completed: Path) -> Prepared:
        """A night up to its identity."""
        with a_night(self.settings(*completed), self.queue, as_of_utc=as_of_utc) as night:
            return pipeline.prepare(night, pipeline.read(night))

    def completed(self, name: str, *rows: tuple[str, datetime, datetime, str]) -> Path:
        """Write completed jobs as CSV."""
        path = self.folder / name
        lines = (f"{job},{start.isoformat()},{end.isoformat()},{region}" for job, start, end, region in rows)
        path.write_text(
            "\n".join(["job_id,started_utc,finished_utc,region", *lines]) + "\n", encoding="utf-8"
        )
        return path


def told(outcome: Outcome) -> list[tuple[str, str, str]]:
    """What a night told: job, moment of the advice, status."""
    rows = read_table(outcome.directory, "fact_advice_outcome").to_pylist()
    return [(row["job_id"], row["run_id_of_advice"][:8], row["outcome_status"]) for row in rows]


def row_of(outcome: Outcome, job: str) -> dict[str, Any]:
    rows = read_table(outcome.directory, "fact_advice_outcome").to_pylist()
    (row,) = (row for row in rows if row["job_id"] == job)
    return dict(row)


def events(prepared: Prepared | Outcome) -> dict[str, str]:
    """What was said about past advice, by code."""
    return {event.code: event.detail for event in prepared.events if event.source == "hindsight"}


@dataclass
class Nights:
    """Four nights over one queue: measured hours arrive before the third, completed jobs on the second and the fourth."""

    platform: Platform
    outcomes: list[Outcome]


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    folder = tmp_path_factory.mktemp("hindsight")
    homes, wishes = [FRANKFURT] * 3, [f"{FRANKFURT};{STOCKHOLM}"] * 3
    queue = write_queue(folder / "queue.parquet", current_region=homes, allowed_regions=wishes)
    made = Platform(folder, queue)
    first = made.night(AS_OF)
    one = ("one", AS_OF + 0.5 * HOUR, AS_OF + 5.5 * HOUR, STOCKHOLM)
    second = made.night(AS_OF + DAY, made.completed("second.csv", one))
    made.measure(AS_OF, 45)
    third = made.night(AS_OF + 2 * DAY)
    two = ("two", AS_OF + DAY, AS_OF + DAY + 10 * HOUR, FRANKFURT)
    fourth = made.night(AS_OF + 3 * DAY, made.completed("fourth.csv", one, two))
    return Nights(made, [first, second, third, fourth])


class TestNights:
    def test_a_first_night_has_nothing_to_tell(self, nights: Nights) -> None:
        assert ([], []) == (told(nights.outcomes[0]), list(nights.outcomes[0].scorecard.sentences()))

    def test_a_job_whose_hours_are_not_measured_waits_and_is_told_without_being_given_again(
        self, nights: Nights
    ) -> None:
        _, second, third, _ = nights.outcomes
        energy_kwh = row_of(second, "one")["energy_kwh"]

        assert [("one", "20261116", "no_measured")] == told(second)
        assert ("one", "20261116", "followed") in told(third)
        assert (energy_kwh, "estimate") == tuple(
            row_of(third, "one")[n] for n in ("energy_kwh", "energy_source")
        )
        # Frankfurt at 300 g/kWh and Stockholm at 50 g/kWh, where 400 and 25 were claimed
        pue = {row["region"]: row["pue"] for row in read_table(third.directory, "dim_region").to_pylist()}
        saved = energy_kwh * (pue[FRANKFURT] * 300 - pue[STOCKHOLM] * 50) / 1000
        assert pytest.approx(saved) == row_of(third, "one")["saving_kgco2e"]
        claimed = energy_kwh * (pue[FRANKFURT] * 400 - pue[STOCKHOLM] * 25) / 1000
        assert pytest.approx(claimed) == row_of(third, "one")["claimed_saving_kgco2e"]

    def test_a_job_that_several_nights_advised_counts_once_and_under_the_last_advice(
        self, nights: Nights
    ) -> None:
        assert [
            ("one", "20261116", "followed"),
            ("three", "20261117", "if_followed"),
            ("two", "20261117", "if_followed"),
        ] == told(nights.outcomes[2])

    def test_a_run_that_becomes_known_later_is_told_and_nothing_is_told_twice(self, nights: Nights) -> None:
        assert [("two", "20261117", "not_followed")] == told(nights.outcomes[3])
        assert 0.0 == row_of(nights.outcomes[3], "two")["saving_kgco2e"]

    def test_the_history_keeps_what_all_nights_told(self, nights: Nights) -> None:
        path = nights.platform.folder / "release/v1/history/fact_advice_outcome/2026-11.parquet"
        tables = [read_table(outcome.directory, "fact_advice_outcome") for outcome in nights.outcomes]

        kept = pq.read_table(path)

        assert 5 == kept.num_rows
        assert (
            pa.concat_tables(tables).sort_by([("run_id", "ascending"), ("job_id", "ascending")]).equals(kept)
        )

    def test_a_question_over_all_nights_counts_every_job_once(self, nights: Nights) -> None:
        release = Release(nights.platform.folder / "release")
        readme = (release.latest / "README.md").read_text(encoding="utf-8")
        question = (
            "SELECT\n    outcome_status"
            + readme.partition("SELECT\n    outcome_status")[2].partition("```")[0]
        )

        rows = release.ask(question).set_index("outcome_status")

        assert {"followed": 1, "if_followed": 1, "not_followed": 1} == rows["jobs"].to_dict()
        saved = row_of(nights.outcomes[2], "one")["saving_kgco2e"] / 1000
        assert pytest.approx(saved) == rows.loc["followed", "saved_tco2e"]
        assert 0.0 == rows.loc["not_followed", "saved_tco2e"] < rows.loc["not_followed", "regret_tco2e"]

    def test_the_same_night_again_is_the_same_run(self, nights: Nights) -> None:
        platform, outcomes = nights.platform, nights.outcomes
        with a_night(platform.settings(), platform.queue, as_of_utc=AS_OF + 2 * DAY) as night:
            again = run_night(night)

        assert ("superseded", outcomes[2].run_id) == (again.status, again.run_id)
        assert outcomes[2].scorecard == again.scorecard
        assert set(again.scorecard.sentences()) < set(summary_lines(again))
        assert (1, 1, 2) == (
            *(again.scorecard.finished_jobs, again.scorecard.followed_jobs),
            again.scorecard.if_followed_jobs,
        )


class TestPrepared:
    """What nights say without being published, a week later."""

    LATER = AS_OF + 7 * DAY

    def test_completed_jobs_are_part_of_the_identity_by_what_they_hold(self, nights: Nights) -> None:
        platform = nights.platform
        known = ("four", AS_OF, AS_OF + HOUR, STOCKHOLM)
        path = platform.completed("identity.csv", known)
        first, again = platform.prepared(self.LATER, path), platform.prepared(self.LATER, path)
        other = platform.prepared(self.LATER, platform.completed("identity.csv", known, ("five", *known[1:])))

        assert first.run_id == again.run_id != other.run_id

    def test_jobs_that_cannot_be_told_are_counted(self, nights: Nights) -> None:
        rows = [
            ("strange", AS_OF, AS_OF + HOUR, STOCKHOLM),
            ("early", AS_OF - DAY, AS_OF, STOCKHOLM),
            ("going-on", self.LATER - HOUR, self.LATER + HOUR, STOCKHOLM),
            ("misplaced", AS_OF, AS_OF + HOUR, "aws:eu-north-11"),
            ("backwards", AS_OF + HOUR, AS_OF, STOCKHOLM),
        ]

        said = events(nights.platform.prepared(self.LATER, nights.platform.completed("odd.csv", *rows)))

        assert {"never_advised", "advice_gone", "not_finished", "rejected_row"} == set(said)
        assert "1 completed job (strange): in no stored run" in said["never_advised"]
        assert "(early): started before the oldest stored run, 20261116T0000Z-" in said["advice_gone"]
        assert "(going-on)" in said["not_finished"]
        assert "row 4: finished_utc" in said["rejected_row"]

    def test_a_night_that_is_repeated_is_the_same_run_though_older_runs_were_deleted(
        self, nights: Nights, tmp_path: Path
    ) -> None:
        release, outcomes = tmp_path / "release", nights.outcomes
        shutil.copytree(nights.platform.folder / "release", release, symlinks=True)
        shutil.copytree(nights.platform.folder / "store", tmp_path / "store")
        copy = Platform(tmp_path, nights.platform.queue)
        for older in outcomes[:2]:
            shutil.rmtree(release / "v1/runs" / older.run_id)

        assert outcomes[2].run_id == copy.prepared(AS_OF + 2 * DAY).run_id

    def test_advice_that_ended_ten_days_before_the_last_night_is_no_longer_waited_for(
        self, nights: Nights, tmp_path: Path
    ) -> None:
        runs, last = tmp_path / "release/v1/runs", AS_OF + timedelta(days=10, hours=4)
        first = Path(nights.outcomes[0].directory.path)
        shutil.copytree(first, runs / first.name)
        (runs / f"{last:%Y%m%dT%H%MZ}-00000000").mkdir()
        record = json.dumps({"as_of_utc": last.isoformat()})
        (runs / f"{last:%Y%m%dT%H%MZ}-00000000/release.json").write_text(record, encoding="utf-8")
        shutil.copytree(nights.platform.folder / "store", tmp_path / "store")
        copy = Platform(tmp_path, nights.platform.queue)

        with a_night(copy.settings(), copy.queue, as_of_utc=last + HOUR) as night:
            pipeline.prepare(night, pipeline.read(night))
            score = scorecard_of_night(night)

        # the jobs were advised to end after 3.5, 5 and 12 hours
        assert 2 == score.if_followed_jobs

    def test_a_release_that_cannot_be_read_is_left_out_and_said(self, nights: Nights, tmp_path: Path) -> None:
        copy = Platform(tmp_path, nights.platform.queue)
        shutil.copytree(nights.platform.folder / "release", tmp_path / "release", symlinks=True)
        (tmp_path / "release/v1/runs" / nights.outcomes[1].run_id / "rec_job/part-0.parquet").write_bytes(b"")
        given = copy.completed(
            "done.csv",
            ("one", AS_OF + DAY, AS_OF + DAY + HOUR, STOCKHOLM),
        )

        said = events(copy.prepared(AS_OF + 3 * DAY, given))

        assert {"unreadable_run"} == set(said)
        assert nights.outcomes[1].run_id in said["unreadable_run"]


def test_the_command_takes_completed_jobs_and_shows_the_scorecard(
    nights: Nights, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    platform = nights.platform
    shutil.copytree(platform.folder / "release", tmp_path / "release", symlinks=True)
    given = platform.completed("three.csv", ("three", AS_OF, AS_OF + 3 * HOUR, FRANKFURT))
    (tmp_path / "settings.toml").write_text(
        f'[store]\nroot = "{platform.folder / "store"}"\n', encoding="utf-8"
    )
    command = ["run", "--manifest", str(platform.queue), "--out", str(tmp_path / "release"), "--offline"]
    where = ["--config", str(tmp_path / "settings.toml"), "--as-of", (AS_OF + 4 * DAY).isoformat()]

    assert 0 == main([*command, *where, "--completed", str(given), "--json", "--dry-run"])

    score = json.loads(capsys.readouterr().out)["hindsight"]
    assert (1, 0, 1) == tuple(score[f"{kind}_jobs"] for kind in ("finished", "followed", "measured"))
    assert 0.0 == score["saving_kgco2e"] < score["regret_kgco2e"]
