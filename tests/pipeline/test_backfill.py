"""Nights that come late: in any order, many at once, again, or one that fails among them."""

from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from opencarbon import pipeline
from opencarbon.errors import ConfigError, ManifestError
from opencarbon.pipeline import BackfilledNight
from opencarbon.pipeline.backfill_nights import moments_of
from opencarbon.publishing.local import LocalLayout, publisher_lock
from opencarbon.settings import Settings
from tests.example import tree
from tests.pipeline.nights import AS_OF, publish, settings_for

DAY = timedelta(days=1)


def backfill(
    settings: Settings,
    queue: Path,
    days: int,
    *,
    progress: pipeline.Progress = lambda *_: None,
    dry_run: bool = False,
) -> list[BackfilledNight]:
    return pipeline.backfill(
        settings,
        [str(queue)],
        first_utc=AS_OF,
        last_utc=AS_OF + (days - 1) * DAY,
        now_utc=AS_OF + 10 * DAY,
        offline=True,
        dry_run=dry_run,
        progress=progress,
    )


def runs_of(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "v1/runs").iterdir())


def history_of(root: Path) -> list[str]:
    return sorted(
        str(run_id)
        for path in (root / "v1/history/dim_run").glob("*.parquet")
        for run_id in pq.ParquetFile(path).read(["run_id"])["run_id"].to_pylist()
    )


def test_late_nights_in_any_order_leave_the_newest_as_the_latest_and_all_of_them_stored(
    tmp_path: Path, queue: Path
) -> None:
    settings, root = settings_for(tmp_path), tmp_path / "release"

    made = {day: publish(settings, queue, as_of_utc=AS_OF + day * DAY) for day in (2, 0, 3, 1)}

    assert ["published", "superseded", "published", "superseded"] == [
        made[day].status for day in (2, 0, 3, 1)
    ]
    assert made[3].run_id == (root / "v1/latest").resolve().name
    assert [made[day].run_id for day in range(4)] == runs_of(root) == history_of(root)
    kept = sorted(path.name[:8] for path in (tmp_path / "store").rglob("device_fits/**/*.parquet"))
    assert [f"{AS_OF + day * DAY:%Y%m%d}" for day in (2, 3)] == kept, "those after it compared with others"


class TestBackfill:
    def test_goes_on_after_a_night_that_fails_and_once_more_makes_up_for_it(
        self, tmp_path: Path, queue: Path
    ) -> None:
        settings, root = settings_for(tmp_path), tmp_path / "release"
        with ExitStack() as others:

            def while_the_second_night_is_at_work(step: str, done: int, total: int) -> None:
                if done == 1:
                    layout = LocalLayout(root)
                    others.enter_context(publisher_lock(layout, "20261101T0000Z-00000000", now_utc=AS_OF))
                if done == 2:
                    others.close()

            first = backfill(settings, queue, 3, progress=while_the_second_night_is_at_work)

        assert ["published", "failed", "published"] == [night.status for night in first]
        assert first[1].problem is not None
        assert first[1].problem.startswith("PublishConflictError: ")
        assert [AS_OF + day * DAY for day in range(3)] == [night.as_of_utc for night in first]
        assert 2 == len(runs_of(root))

        again = backfill(settings, queue, 3)
        assert "superseded" == again[1].status
        assert "unchanged" == again[0].status
        assert (root / "v1/latest").resolve().name.startswith("20261118T")

        before = tree(root)
        assert {"unchanged"} == {night.status for night in backfill(settings, queue, 3)}
        assert before == tree(root)

    def test_never_moves_the_latest_back(self, tmp_path: Path, queue: Path) -> None:
        settings = settings_for(tmp_path)
        newest = publish(settings, queue, as_of_utc=AS_OF + 5 * DAY)

        nights = backfill(settings, queue, 2)

        assert {"superseded"} == {night.status for night in nights}
        assert newest.run_id == (tmp_path / "release/v1/latest").resolve().name

    def test_a_dry_run_writes_nothing(self, tmp_path: Path, queue: Path) -> None:
        (night,) = backfill(settings_for(tmp_path), queue, 1, dry_run=True)

        assert night.outcome is not None
        assert ("dry_run", "published") == (night.status, night.outcome.would_be)
        assert not (tmp_path / "release").exists()
        assert not (tmp_path / "store").exists()

    def test_what_every_night_would_fail_for_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(ManifestError):
            backfill(settings_for(tmp_path), tmp_path / "nowhere.parquet", 2)


class TestMoments:
    def test_are_apart_by_days_and_hold_both_ends(self) -> None:
        assert [AS_OF, AS_OF + DAY, AS_OF + 2 * DAY] == moments_of(AS_OF, AS_OF + 2 * DAY)
        assert [AS_OF] == moments_of(AS_OF, AS_OF + timedelta(hours=23))
        assert 25 == len(moments_of(AS_OF, AS_OF + DAY, timedelta(hours=1)))

    @pytest.mark.parametrize(("days", "every", "words"), [(-1, DAY, "is after"), (1, 0 * DAY, "lie apart")])
    def test_that_cannot_be_are_refused(self, days: int, every: timedelta, words: str) -> None:
        with pytest.raises(ConfigError, match=words):
            moments_of(AS_OF, AS_OF + days * DAY, every)
