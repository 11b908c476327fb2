"""Months of the history, merged row group by row group."""

import hashlib
from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencarbon.publishing.history import read_month, update_history
from opencarbon.publishing.layout import Layout
from opencarbon.sources.places import Place
from opencarbon.sources.store.files import parquet_bytes, parquet_sha256
from opencarbon.tables.contracts import Contract
from tests.publishing.runs import FEWEST, as_of, publish_run, run_of, tables_of

RUNS = [run_of(day) for day in range(10, 18)]
TABLE = "fact_total"
Merged = Callable[[Iterable[pa.Table]], Iterator[pa.Table]]


def totals_of(runs: Iterable[str]) -> pa.Table:
    return pa.concat_tables([tables_of(run)[TABLE] for run in sorted(runs)])


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    root = tmp_path_factory.mktemp("release")
    for run in RUNS:
        publish_run(root, run, now_utc=as_of(run), keep_runs=99, contracts=FEWEST)
    return Layout(Place.of(root))


@settings(deadline=None, max_examples=40)
@given(
    known=st.sets(st.sampled_from(RUNS), min_size=1), replaced=st.sampled_from(RUNS), size=st.integers(1, 7)
)
def test_a_month_is_the_same_however_its_file_is_cut_and_whichever_run_is_replaced(
    stored: Layout, tmp_path_factory: pytest.TempPathFactory, known: set[str], replaced: str, size: int
) -> None:
    made = {TABLE: totals_of(known)}
    old = totals_of(known)
    if replaced in known:  # what is replaced is not what is stored
        wrong = pa.array([0 if run == replaced else 1 for run in old["run_id"].to_pylist()], pa.int64())
        old = old.set_column(old.schema.get_field_index("jobs"), old.schema.field("jobs"), wrong)
    path = tmp_path_factory.mktemp("history") / "2026-11.parquet"
    pq.write_table(old, path, row_group_size=size)

    def keep(place: Place, contract: Contract, merged: Merged) -> None:
        if contract.name == TABLE:
            made[TABLE] = pa.concat_tables(merged(read_month(Place.of(path))))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("opencarbon.publishing.history._runs_in", lambda place: known)
        update_history(stored, FEWEST, replaced=replaced, keep=keep)

    if replaced in known or known != set(RUNS):
        kept = known - {replaced}
        of_store = totals_of(RUNS).to_pylist()
        expected = [
            row | ({"jobs": 1} if replaced in known and row["run_id"] in kept else {}) for row in of_store
        ]
        assert expected == made[TABLE].to_pylist()


def test_the_digest_of_a_table_is_that_of_its_bytes() -> None:
    table = totals_of(RUNS)
    assert hashlib.sha256(parquet_bytes(table)).hexdigest() == parquet_sha256(table)
