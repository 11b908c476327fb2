"""A place is the same to its user on this machine and on an object store."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opencarbon.errors import SourceError
from opencarbon.sources.object_locations import RETRIES
from opencarbon.sources.places import Place
from tests.s3_server import FAST, S3, s3_server


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    with s3_server() as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield running


@pytest.fixture(params=["local", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "local":
        return Place.of(str(tmp_path / "folder"))
    server: S3 = request.getfixturevalue("server")
    return Place.of(server.uri(tmp_path.name))


def test_nothing_is_there_at_first(folder: Place) -> None:
    assert [] == folder.names()
    assert not folder.exists()
    assert not (folder / "a/b").is_file()
    folder.delete()
    with pytest.raises(FileNotFoundError):
        (folder / "a").read_bytes()


def test_files_are_written_whole_listed_read_and_deleted(folder: Place) -> None:
    for content in (b"longer than the next", b"next"):
        (folder / "b" / "deep.txt").write_bytes(content)
    (folder / "a.txt").write_bytes(b"")

    assert ["a.txt", "b"] == folder.names()
    assert b"next" == (folder / "b/deep.txt").read_bytes()
    assert ["deep.txt"] == (folder / "b").names()
    assert folder.is_dir()
    assert not folder.is_file()
    assert (folder / "b").is_dir()
    assert (folder / "a.txt").is_file()
    assert not (folder / "a.txt").is_dir()
    assert "deep.txt" == (folder / "b/deep.txt").name

    (folder / "a.txt").delete()
    assert ["b"] == folder.names()
    folder.delete()
    assert not (folder / "b/deep.txt").exists()
    assert [] == folder.names()


@pytest.mark.parametrize("name", ["a b", "a%20b", "x=1", "a#b", "ä:ö", "a+b", "a[1]"])
def test_a_name_may_hold_what_file_names_hold(folder: Place, name: str) -> None:
    (folder / name / name).write_bytes(b"x")
    assert [name] == folder.names()
    assert [name] == (folder / name).names()
    assert b"x" == (folder / name / name).read_bytes()
    folder.delete()
    assert [] == folder.names()


def test_a_large_object_is_read_in_parts_of_one_version(
    server: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opencarbon.sources.object_store.READ_AT_ONCE", 10)
    place = Place.of(server.uri(tmp_path.name)) / "large"
    place.write_bytes(bytes(range(100)))
    with place.open() as file:
        assert (100, 0) == (file.size(), file.tell())
        assert bytes(range(5, 10)) == (file.seek(5), file.read(5))[1]
        assert bytes(range(10, 100)) == file.read()
        assert b"" == file.read(1)
    with place.system.open_input_stream(place.path, compression=None) as stream:
        assert [bytes(range(7)), bytes(range(7, 100))] == [stream.read(7), stream.read()]
    with place.open() as file:
        place.write_bytes(bytes(100))
        with pytest.raises(OSError, match="changed while it was read"):
            (file.seek(0), file.read(5))
    assert bytes(100) == place.read_bytes()


def test_a_third_of_requests_turned_away_is_outlasted(monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server(failing=1 / 3, seed=1) as unsteady:
        for name, value in unsteady.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setitem(RETRIES, "backoff", FAST)
        folder = Place.of(unsteady.uri("x"))
        for number in range(12):
            (folder / f"{number:02}").write_bytes(bytes(number))
        assert [f"{number:02}" for number in range(12)] == folder.names()
        assert [bytes(number) for number in range(12)] == [
            (folder / name).read_bytes() for name in folder.names()
        ]
        folder.delete()
        assert [] == folder.names()


def test_a_store_that_refuses_is_told_without_keys_or_urls(
    server: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place.of(f"s3://a-key:a-secret@no-such-bucket/x?{server.query}")
    with pytest.raises(OSError, match=r"^\[Errno \d+\] [A-Za-z0-9 ]+$") as told:
        place.write_bytes(b"x")
    assert told.value.__context__ is None or "a-secret" not in str(told.value.__context__)


def test_a_folder_can_be_made_before_anything_is_in_it(folder: Place) -> None:
    (folder / "a/b").make_folder()
    (folder / "a/b").make_folder()
    assert [] == (folder / "a/b").names()


def test_a_parquet_file_is_read_in_any_order(folder: Place) -> None:
    table = pa.table({"x": [1, 2, 3]})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    (folder / "t.parquet").write_bytes(sink.getvalue().to_pybytes())
    with (folder / "t.parquet").open() as file:
        assert pq.read_table(file).equals(table)


def test_another_process_gets_the_same_place(folder: Place) -> None:
    again = pickle.loads(pickle.dumps(folder / "a"))  # noqa: S301 - our own
    assert folder / "a" == again
    assert hash(folder / "a") == hash(again)
    again.write_bytes(b"x")
    assert b"x" == (folder / "a").read_bytes()


def test_a_relative_place_is_the_same_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place = Place.of("here")
    pickled = pickle.dumps(place)
    place.write_bytes(b"x")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert b"x" == pickle.loads(pickled).read_bytes()  # noqa: S301 - our own


def test_a_local_place_has_a_path_and_another_has_none(tmp_path: Path) -> None:
    for location in (tmp_path, str(tmp_path), f"file://{tmp_path}", Place.of(tmp_path)):
        assert tmp_path == Place.of(location).local
        assert str(tmp_path) == str(Place.of(location))
    assert (Path.home() / "x") == Place.of("~/x").local
    assert Place.of("s3://bucket/path?region=eu-west-1").local is None


def test_a_link_is_deleted_and_what_it_points_to_is_not(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    Place.of(tmp_path / "link").delete()
    assert ["folder"] == Place.of(tmp_path).names()


def test_a_place_shows_no_secret_and_none_of_the_environment_is_pickled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = Place.of("s3://a-key:a-secret@bucket/path?region=eu-west-1") / "below"
    assert "s3://bucket/path/below" == str(place)
    assert "a-secret" not in repr(place)
    assert "a-key" not in repr(place)

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key-of-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-environment")
    assert b"of-environment" not in pickle.dumps(Place.of("s3://bucket/path?region=eu-west-1"))


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("gs://bucket/a/b", "gs://bucket/a/b"),
        ("abfss://container@account.dfs.core.windows.net/a/b", "abfss://container/a/b"),
    ],
)
def test_other_clouds_are_places_too(location: str, shown: str) -> None:
    place = Place.of(location)
    assert shown == str(place)
    assert f"{shown}/c" == str(place / "c")
    assert place == pickle.loads(pickle.dumps(place))  # noqa: S301 - our own


def test_an_unknown_scheme_is_told_without_its_secrets() -> None:
    with pytest.raises(SourceError, match="ftp://host/x cannot be opened") as told:
        Place.of("ftp://user:a-secret@host/x")
    assert "a-secret" not in str(told.value)
