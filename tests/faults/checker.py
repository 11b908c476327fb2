"""What readers find in a release and a store, told without the code that publishes: files, JSON and Parquet alone."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

_RUN: Final = re.compile(r"\d{8}T\d{4}Z-[0-9a-f]{8}")
_MINUTE: Final = slice(0, len("20261122T2100Z"))
_HISTORY: Final = ("dim_run", "fact_device_fit", "fact_total")
_DIGEST_IN_NAME: Final = re.compile(r"-([0-9a-f]{16})\.parquet$")
_QUERIES: Final = ("duckdb.sql", "athena.sql")
_NEEDED: Final = ("dim_run", "dim_job", "fact_job_estimate", "rec_job", "rec_region", "run_event")

_ATTEMPTS: Final = 20
_Found = TypeVar("_Found")

MINUTE: Final = "%Y%m%dT%H%MZ"
"""Of the moment that a run looks from, in front of its name."""
PHASES: Final = ("nothing written", "writing tables", "verified", "placed, not named", "published")
"""How far a publication may have come."""


@dataclass(frozen=True)
class Published:
    """What was published at a moment: the SHA-256 of every file of every whole run, and what the manifest names."""

    named: str | None = None
    runs: dict[str, dict[str, str]] = field(default_factory=dict)
    stored: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reader:
    """Reads a release and a store.

    Parameters
    ----------
    system : pyarrow.fs.FileSystem
    path, store : str
        Folders of the release and of the store within it.
    """

    system: pafs.FileSystem
    path: str
    store: str

    @property
    def is_local(self) -> bool:
        return isinstance(self.system, pafs.LocalFileSystem)

    @property
    def base(self) -> str:
        return f"{self.path}/v1"

    def look(self) -> Published:
        """Everything that is published now."""
        runs = {
            run: self._digests(run)
            for run in self.runs()
            if self._has(f"{self.base}/runs/{run}/release.json")
        }
        named = (
            self._json(f"{self.base}/manifest.json")["run_id"]
            if self._has(f"{self.base}/manifest.json")
            else None
        )
        return Published(named, runs, dict(self._stored()))

    def runs(self) -> list[str]:
        """Runs that are stored, whole or not."""
        found = self._listed(f"{self.base}/runs")
        return sorted(info.base_name for info in found if _RUN.fullmatch(info.base_name))

    def phase(self, minute: str) -> str:
        """How far the publication of a run of some minute has come."""
        if any(run.startswith(minute) for run in self.runs()):
            manifest = f"{self.base}/manifest.json"
            named = self._json(manifest)["run_id"] if self._has(manifest) else ""
            return "published" if named[_MINUTE] >= minute else "placed, not named"
        found = self._files(f"{self.base}/.staging")
        staged = [path for path in found if f"/{minute}" in path]
        if any(path.endswith("release.json") for path in staged):
            return "verified"
        return "writing tables" if staged else "nothing written"

    def problems(self, before: Published, now: Published) -> list[str]:
        """What a reader finds wrong, after whatever happened to what was published before."""
        if now.named is None:
            return [f"nothing is named any more: {before.named} was"] if before.named else []
        if now.named not in now.runs:
            return [f"the manifest names {now.named}, which has no record"]
        found = [*self._of_run(now.named, "manifest"), *self._of_latest(), *self._of_history(before.runs)]
        if before.named and now.named[_MINUTE] < before.named[_MINUTE]:
            found.append(f"the manifest went back from {before.named} to {now.named}")
        record = self._json(f"{self.base}/runs/{now.named}/release.json")
        if record != self._json(f"{self.base}/manifest.json"):
            found.append(f"the manifest is not the record of {now.named}")
        for run, files in before.runs.items():
            if now.runs.get(run) != files:
                found.append(f"run {run} is not what it was")
        return [*found, *self._of_store(before, now)]

    def debris(self, before: Published, now: Published, minute: str) -> list[str]:
        """What is left of a fault after a night of some minute that was published since."""
        # without a lock nobody knows whether half a run on an object store is of a publisher at work: it stays for a day
        half = set(self.runs()) - set(now.runs) if self.is_local else ()
        found = [f"run {run} has no record" for run in half]
        for run in set(now.runs) - set(before.runs):
            found += self._of_run(run, "repaired")
        found += self._of_history(now.runs)
        newest = max(run[_MINUTE] for run in now.runs)
        if now.named is None or now.named[_MINUTE] != newest:
            found.append(f"the manifest names {now.named}, the newest is of {newest}")
        if not any(run.startswith(minute) for run in now.runs):
            found.append(f"no run of {minute} was published")
        if now.named and not self.is_local:
            found += self._of_folder(f"{self.base}/latest", now.named, "latest")
        if now.named:
            found += self._of_queries(now.named)
        found += [
            f"left in staging: {path}" for path in self._files(f"{self.base}/.staging", files_only=False)
        ]
        return found

    def _of_latest(self) -> Iterator[str]:
        """What is wrong with ``latest``, which on an object store may be of two runs for a while."""
        record = f"{self.base}/latest/release.json"
        if self.is_local and not self._has(record):
            yield "latest leads nowhere"
        elif self.is_local:
            yield from self._of_folder(f"{self.base}/latest", self._json(record)["run_id"], "latest")

    def _of_queries(self, named: str) -> Iterator[str]:
        """Queries beside the manifest that lead to another run."""
        for path in (f"{self.base}/{name}" for name in _QUERIES):
            if self._has(path) and set(_RUN.findall(self._bytes(path).decode())) - {named}:
                yield f"{path} does not lead to {named} alone"

    def _of_run(self, run: str, who: str) -> Iterator[str]:
        yield from self._of_folder(f"{self.base}/runs/{run}", run, who)

    def _of_folder(self, folder: str, run: str, who: str) -> Iterator[str]:
        """What is wrong with a run: its record, the digests and rows of its tables, and whose rows they are."""
        record = self._json(f"{folder}/release.json")
        if record["run_id"] != run:
            yield f"{who}: the record of {run} says {record['run_id']}"
        for table in set(_NEEDED) - set(record["tables"]):
            yield f"{who}: {run} lacks {table}"
        for table, said in record["tables"].items():
            parts = sorted(path for path in self._files(f"{folder}/{table}") if path.endswith(".parquet"))
            content = [self._bytes(path) for path in parts]
            whole = b"".join(content)
            if (hashlib.sha256(whole).hexdigest(), len(whole)) != (said["sha256"], said["bytes"]):
                yield f"{who}: {run} {table} is not what was recorded"
                continue
            read = pa.concat_tables(
                pq.read_table(pa.BufferReader(part), partitioning=None) for part in content
            )
            if read.num_rows != said["rows"]:
                yield f"{who}: {run} {table} has {read.num_rows} rows, recorded are {said['rows']}"
            owners = set(read["run_id"].to_pylist()) if "run_id" in read.column_names else set()
            if owners - {run}:
                yield f"{who}: {run} {table} holds rows of {sorted(map(str, owners))}"

    def _of_history(self, runs: Collection[str]) -> Iterator[str]:
        """Runs that the history lacks or repeats."""
        for table in _HISTORY:
            counted: Counter[str] = Counter()
            for path in self._files(f"{self.base}/history/{table}"):
                rows = pq.read_table(pa.BufferReader(self._bytes(path)), partitioning=None)
                names = ["run_id", *_key(table)]
                counted.update({row["run_id"] for row in rows.select(["run_id"]).to_pylist()})
                keys = Counter(tuple(row.values()) for row in rows.select(names).to_pylist())
                if max(keys.values(), default=1) > 1:
                    yield f"history {table}: rows are there twice in {path}"
            for run in runs:
                if counted[run] != 1:
                    yield f"history {table}: run {run} is there {counted[run]} times"

    def _of_store(self, before: Published, now: Published) -> Iterator[str]:
        for path, sha in before.stored.items():
            if now.stored.get(path) != sha:
                yield f"the store lost or changed {path}"
        for path in now.stored:
            content = self._bytes(path)
            digest = _DIGEST_IN_NAME.search(path)
            if digest and hashlib.sha256(content).hexdigest()[:16] != digest[1]:
                yield f"the store holds {path}, which is not what its name says"

    def _stored(self) -> Iterator[tuple[str, str]]:
        for path in self._files(self.store):
            if ".staging" not in path:
                yield path, hashlib.sha256(self._bytes(path)).hexdigest()

    def _digests(self, run: str) -> dict[str, str]:
        folder = f"{self.base}/runs/{run}"
        return {path: hashlib.sha256(self._bytes(path)).hexdigest() for path in self._files(folder)}

    def _files(self, folder: str, *, files_only: bool = True) -> list[str]:
        wanted = (pafs.FileType.File,) if files_only else (pafs.FileType.File, pafs.FileType.Directory)
        named = (info.path for info in self._listed(folder, recursive=True) if info.type in wanted)
        return sorted(path for path in named if not path.endswith(".staging/work"))

    def _listed(self, folder: str, *, recursive: bool = False) -> list[pafs.FileInfo]:
        selector = pafs.FileSelector(folder, recursive=recursive, allow_not_found=True)
        return _patiently(lambda: self.system.get_file_info(selector), is_listing=True)

    def _has(self, path: str) -> bool:
        return _patiently(lambda: self.system.get_file_info(path)).type == pafs.FileType.File

    def _json(self, path: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self._bytes(path))
        return content

    def _bytes(self, path: str) -> bytes:
        def read() -> bytes:
            with self.system.open_input_stream(path, compression=None) as stream:
                content: bytes = stream.read()
            return content

        return _patiently(read)


def _patiently(look: Callable[[], _Found], *, is_listing: bool = False) -> _Found:
    """Look again where the file system fails: an object store may answer 503, and a folder may change as it is listed."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return look()
        except OSError as problem:
            if isinstance(problem, FileNotFoundError) and not is_listing:
                raise
    return look()


def _key(table: str) -> tuple[str, ...]:
    return {"dim_run": (), "fact_device_fit": ("device",), "fact_total": ("scope", "scope_value")}[table]
