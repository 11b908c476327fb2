"""What passes from step to step, on this machine and on an object store."""

import resource
from pathlib import Path

import pyarrow as pa
import pytest

from opencarbon.pipeline.work import drop_part, for_each, read_part, read_parts, write_part
from opencarbon.sources.places import Place


@pytest.fixture(params=["local", "s3"])
def work(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "local":
        return Place.of(tmp_path)
    return Place.of(request.getfixturevalue("s3").uri(f"parts/{tmp_path.name}"))


def test_parts_come_back_in_order_whatever_order_they_were_written_in(work: Place) -> None:
    for number in (11, 2, 0):
        write_part(work, "table", number, pa.table({"number": [number]}))

    assert [0, 2, 11] == [part["number"][0].as_py() for part in read_parts(work, "table")]
    assert {"number": [2]} == read_part(work, "table", 2).to_pydict()


def test_a_table_without_parts_has_none(work: Place) -> None:
    assert [] == list(read_parts(work, "table"))


def test_a_part_is_written_over_and_taken_back(work: Place) -> None:
    for value in ("first", "second"):
        write_part(work, "table", 3, pa.table({"value": [value]}))
    assert [{"value": ["second"]}] == [part.to_pydict() for part in read_parts(work, "table")]

    for _ in range(2):  # one that is not there is taken back as well
        drop_part(work, "table", 3)

    assert [] == list(read_parts(work, "table"))
    with pytest.raises(FileNotFoundError):
        read_part(work, "table", 3)


def test_a_part_that_is_read_stays_what_it_was_while_another_is_written_over_it(work: Place) -> None:
    write_part(work, "table", 0, pa.table({"number": range(100_000)}))
    read = read_part(work, "table", 0)

    write_part(work, "table", 0, pa.table({"number": [0]}))

    assert 99_999 == read["number"][-1].as_py()


def test_a_part_that_cannot_be_written_whole_leaves_nothing(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(OSError, match="large"):
            write_part(Place.of(tmp_path), "table", 0, pa.table({"number": range(100_000)}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert [] == list((tmp_path / "table").iterdir())


def test_a_step_is_done_once_for_every_partition_and_counted() -> None:
    seen: list[int] = []

    done = list(for_each(lambda number: seen.append(number) or number, 7, 2))  # type: ignore[func-returns-value]  # None

    assert list(range(7)) == sorted(seen)
    assert list(range(1, 8)) == done


def test_an_error_in_one_partition_is_an_error_of_the_night() -> None:
    def fail(number: int) -> int:
        return 1 // (number - 2)

    with pytest.raises(ZeroDivisionError):
        list(for_each(fail, 5))
