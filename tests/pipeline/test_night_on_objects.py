"""A night whose manifests, store and release all lie on an object store is the night that this machine would have had."""

from datetime import timedelta
from pathlib import Path

import pytest

from opencarbon.errors import ConfigError
from opencarbon.pipeline import Outcome, run_night
from opencarbon.publishing.layout import Layout
from opencarbon.sources.object_versions import objects_below
from opencarbon.sources.places import Place
from tests.pipeline.nights import AS_OF, a_night, publish, settings_for
from tests.s3_server import S3


def night_on(s3: S3, name: str, queue: Path, *, days: int = 0, dry_run: bool = False) -> Outcome:
    jobs = Place.of(s3.uri(f"{name}/queue/jobs.parquet"))
    jobs.write_bytes(queue.read_bytes())
    settings = settings_for(
        Path(),
        publish={"root": s3.uri(f"{name}/release")},
        store={"root": s3.uri(f"{name}/store")},
    )
    at = AS_OF + timedelta(days=days)
    with a_night(settings, s3.uri(f"{name}/queue"), as_of_utc=at) as night:  # type: ignore[arg-type]  # a URI
        return run_night(night, dry_run=dry_run)


def test_a_release_there_is_to_the_byte_the_one_that_this_machine_would_hold(
    s3: S3, queue: Path, first: Outcome, tmp_path: Path
) -> None:
    outcome = publish(settings_for(tmp_path, publish={"root": s3.uri("same")}), queue)

    assert ("published", first.run_id) == (outcome.status, outcome.run_id)
    assert outcome.summary == first.summary
    folder = Path(first.directory.path)
    here = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}
    there = {name: (outcome.directory / name).read_bytes() for name in objects_below(outcome.directory)}
    for files in (here, there):
        files.pop("release.json")  # tells how long it took
    assert here == there


def test_the_next_nights_remember_it(s3: S3, queue: Path) -> None:
    published = night_on(s3, "nights", queue)
    again = night_on(s3, "nights", queue)
    assert ("unchanged", published.run_id) == (again.status, again.run_id)
    assert again.summary == published.summary

    later = night_on(s3, "nights", queue, days=1)
    assert "published" == later.status
    layout = Layout(Place.of(s3.uri("nights/release")))
    assert layout.latest_run() == later.run_id
    assert 2 == len(layout.stored_runs())


def test_a_dry_run_writes_nothing(s3: S3, queue: Path) -> None:
    outcome = night_on(s3, "dry", queue, dry_run=True)
    assert ("dry_run", "published") == (outcome.status, outcome.would_be)
    assert {"queue/jobs.parquet"} == set(objects_below(Place.of(s3.uri("dry"))))


@pytest.mark.parametrize(
    ("root", "words"),
    [
        ("http://host/x", "nothing here speaks http://"),
        ("s3://key:a-secret@bucket/x?acl=public", "options of a s3:// URI are"),
        ("s3:///x", "the URI has no bucket"),
    ],
)
def test_a_root_that_is_no_place_is_refused_before_anything_is_read(
    tmp_path: Path, queue: Path, root: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        publish(settings_for(tmp_path, publish={"root": root}), queue)
    assert "a-secret" not in str(raised.value)
    assert "a release goes to a path, or to s3://, gs:// or abfss://" in str(raised.value)
