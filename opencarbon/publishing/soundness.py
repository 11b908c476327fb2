"""Whether a table that was written is sound: read back once, a row group at a time.

Nothing here grows with the rows but the hashes of the job_ids of ``dim_job``. It says yes or no: a table that does not
pass is read again, whole, to say what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from opencarbon.publishing.footers import footer_violations
from opencarbon.sources.manifests.arrow import as_text
from opencarbon.sources.manifests.job_id_hashes import JobIdHashes
from opencarbon.tables.conform import is_ascending, schema_with
from opencarbon.tables.contracts import MANIFEST_ORDER, Contract, Reference
from opencarbon.tables.value_rules import holds_rules

if TYPE_CHECKING:  # generic in the stubs only
    Array = pa.Array[Any]
    Field = pa.Field[Any]

JOBS: Final = "dim_job"
JOB_REFERENCE: Final = Reference(("job_id",), JOBS, ("job_id",))


def sound_rows(
    paths: Sequence[Path],
    contract: Contract,
    extra: Sequence[Field],
    targets: Mapping[str, Array | None],
    jobs: Sequence[Path],
) -> int | None:
    """Rows of a table that is as its contract says.

    Parameters
    ----------
    paths : sequence of Path
        Its files.
    contract : Contract
    extra : sequence of pa.Field
        Columns a user carries.
    targets : mapping of str to pa.Array or None
        Distinct values of the column that a reference points to, by table; None where it is not to be held against.
    jobs : sequence of Path
        Files of ``dim_job``; none where there is no such table.

    Returns
    -------
    int or None
        None where the table is not sound, or cannot be judged without holding it whole.
    """
    try:
        order = _order_of(contract, paths, jobs)
        lost = {one.table for one in contract.references if one != JOB_REFERENCE} - set(targets)
        if order is None or lost:
            return None
        rules = _Rules(contract, schema_with(contract, extra), targets)
        groups = (group for path in paths for group in _groups(path, rules))
        rows = 0
        for group in groups:
            if group is None or not rules.hold(group) or not order.goes_on(group):
                return None
            rows += group.num_rows
        return rows if order.is_complete() else None
    except (OSError, pa.ArrowException):
        return None


def _groups(path: Path, rules: _Rules) -> Iterator[pa.Table | None]:
    """Row groups of a file, text as a dictionary where few texts are likely; None for a file that is wrong."""
    with pq.ParquetFile(path, read_dictionary=rules.texts) as file:
        footer = file.metadata
        if any(footer_violations(footer, rules.contract, rules.schema)):
            yield None
            return
        rows = 0
        for number in range(footer.num_row_groups):
            group = file.read_row_group(number)
            rows += group.num_rows
            yield group
        if rows != footer.num_rows:
            yield None


class _Rules:
    """What holds for values, whatever stands in other rows."""

    def __init__(self, contract: Contract, schema: pa.Schema, targets: Mapping[str, Array | None]) -> None:
        self.contract, self.schema = contract, schema
        in_order = {*contract.key, *MANIFEST_ORDER}
        self.texts = [one.name for one in schema if pa.types.is_string(one.type) and one.name not in in_order]
        self._declared = {column.name: column for column in contract.fields()}
        self._references = [one for one in contract.references if one != JOB_REFERENCE]
        self._targets = targets

    def hold(self, group: pa.Table) -> bool:
        """Whether a row group keeps all of them."""
        return all(
            holds_rules(group[one.name], one, self._declared.get(one.name)) for one in self.schema
        ) and all(self._points(group, reference) for reference in self._references)

    def _points(self, group: pa.Table, reference: Reference) -> bool:
        target = self._targets[reference.table]
        if target is None:
            return True
        for chunk in group[reference.columns[0]].chunks:
            used = chunk.dictionary if isinstance(chunk, pa.DictionaryArray) else pc.unique(chunk)
            if not pc.all(pc.is_in(used.drop_null(), value_set=target), min_count=0).as_py():
                return False
        return True


class _Order(Protocol):
    """What holds from row to row."""

    def goes_on(self, group: pa.Table) -> bool:
        """Whether it holds in the next rows."""

    def is_complete(self) -> bool:
        """Whether it holds now that there are no more rows."""


def _order_of(contract: Contract, paths: Sequence[Path], jobs: Sequence[Path]) -> _Order | None:
    if not contract.keeps_manifest_order:
        return _Ascending(contract.key, strictly=True)
    if JOB_REFERENCE in contract.references and contract.key[:1] == JOB_REFERENCE.columns:
        return _ThroughJobs(contract.key[1:], _job_ids(jobs), every_job=len(contract.key) == 1)
    if contract.key in ((), ("job_id",)) and set(MANIFEST_ORDER) <= set(contract.columns):
        rows = sum(pq.read_metadata(path).num_rows for path in paths) if contract.key else 0
        return _ByManifest(_Ascending(MANIFEST_ORDER, strictly=False), JobIdHashes(rows), bool(contract.key))
    return None


@dataclass(slots=True)
class _Ascending:
    columns: tuple[str, ...]
    strictly: bool
    last: pa.Table | None = None

    def goes_on(self, group: pa.Table) -> bool:
        rows = _after(self.last, group.select(list(self.columns)))
        self.last = rows.slice(max(rows.num_rows - 1, 0))
        return is_ascending(rows.columns, strictly=self.strictly)

    def is_complete(self) -> bool:
        return True


@dataclass(slots=True)
class _ByManifest:
    """Rows in the order of the manifests; their job_ids, where they are the key, each once."""

    order: _Ascending
    hashes: JobIdHashes
    is_key: bool
    rows: int = 0

    def goes_on(self, group: pa.Table) -> bool:
        if self.is_key:
            self.hashes.put(self.rows, as_text(group["job_id"].combine_chunks()))
        self.rows += group.num_rows
        return self.order.goes_on(group)

    def is_complete(self) -> bool:
        positions, _ = self.hashes.repeats()
        return not len(positions)


@dataclass(slots=True)
class _ThroughJobs:
    """Rows in the order of the jobs; those of one job ascend by the rest of the key."""

    rest: tuple[str, ...]
    job_ids: Iterator[pa.StringArray]
    every_job: bool
    last: pa.Table | None = None
    ahead: pa.StringArray = field(default_factory=lambda: pa.array([], pa.string()))

    def goes_on(self, group: pa.Table) -> bool:
        if not group.num_rows:
            return True
        rows = _after(self.last, group.select(["job_id", *self.rest])).combine_chunks()
        job_id = rows["job_id"].combine_chunks()
        is_new = np.ones(len(job_id), dtype=np.bool_)
        is_new[1:] = pc.not_equal(job_id[1:], job_id[:-1])
        number = pa.chunked_array([np.cumsum(is_new)])
        if not is_ascending([number, *(rows[name] for name in self.rest)], strictly=True):
            return False
        is_new[0] = self.last is None
        self.last = rows.slice(len(job_id) - 1)
        return self._are_ahead(as_text(job_id.filter(pa.array(is_new))))

    def is_complete(self) -> bool:
        return not self.every_job or (not len(self.ahead) and all(not len(more) for more in self.job_ids))

    def _are_ahead(self, heads: pa.StringArray) -> bool:
        """Whether jobs stand in this order among those that no row was of yet; those are then passed."""
        while len(heads):
            if not len(self.ahead):
                following = next(self.job_ids, None)
                if following is None:
                    return False
                self.ahead = following
                continue
            passed = min(len(heads), len(self.ahead))
            if heads[:passed].equals(self.ahead[:passed]):
                heads, self.ahead = heads[passed:], self.ahead[passed:]
                continue
            if self.every_job:
                return False
            places = pc.index_in(heads, value_set=self.ahead).fill_null(-1).to_numpy()
            here = int(np.argmax(places < 0)) if (places < 0).any() else len(places)
            if not (np.diff(places[:here]) > 0).all():
                return False
            heads = heads[here:]
            self.ahead = self.ahead[len(self.ahead) if len(heads) else int(places[-1]) + 1 :]
        return True


def _job_ids(jobs: Sequence[Path]) -> Iterator[pa.StringArray]:
    for path in jobs:
        with pq.ParquetFile(path) as file:
            for number in range(file.metadata.num_row_groups):
                yield as_text(file.read_row_group(number, columns=["job_id"])["job_id"].combine_chunks())


def _after(last: pa.Table | None, rows: pa.Table) -> pa.Table:
    return rows if last is None else pa.concat_tables([last, rows])
