"""Where the files of a release lie, on this machine and on an object store alike.

::

    <root>/v1/runs/<run_id>/<table>/part-0.parquet   a run; never changed once it is whole
    <root>/v1/runs/<run_id>/report.html              its page, where one was made
    <root>/v1/runs/<run_id>/README.md, views.sql     what its tables answer, and the same as views
    <root>/v1/runs/<run_id>/release.json             its record: rows, bytes and sha256 of every table
    <root>/v1/runs/<run_id>/datapackage.json         its dictionary
    <root>/v1/manifest.json                          the record of the newest run
    <root>/v1/latest/                                the newest run
    <root>/v1/duckdb.sql, athena.sql                 the newest run as views and tables of these
    <root>/v1/history/<table>/<YYYY-MM>.parquet      small tables of every run, by month
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from opencarbon.errors import PublishError
from opencarbon.sources.places import Place
from opencarbon.sources.storage import reason_of

RUN_MINUTE: Final = "%Y%m%dT%H%MZ"  # of the as-of time, in front of the name of a run
RUN_ID_FORM: Final = re.compile(r"\d{8}T\d{4}Z-[0-9a-f]{8}")
"""Form of a run's name: the minute it looks from and 8 digits of its inputs."""
RECORD: Final = "release.json"
"""Name of the record of a run."""
DICTIONARY: Final = "datapackage.json"
"""Name of the dictionary of a run."""
README: Final = "README.md"
"""What the tables of a run answer."""
VIEWS: Final = "views.sql"
"""The tables of a run as views."""
REPORT: Final = "report.html"
"""The page of a run; the one document that is made before it is published."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Places of a release.

    Parameters
    ----------
    root : Place
        Root of the release, ``publish.root`` of the settings.
    """

    root: Place

    @property
    def base(self) -> Place:
        """Folder of this major version of the contracts."""
        return self.root / "v1"

    @property
    def runs(self) -> Place:
        """Folder of the runs."""
        return self.base / "runs"

    @property
    def latest(self) -> Place:
        """The newest run: a link to it on this machine, a copy on an object store."""
        return self.base / "latest"

    @property
    def manifest(self) -> Place:
        """Record of the newest run."""
        return self.base / "manifest.json"

    @property
    def history(self) -> Place:
        """Folder of the tables that keep every run."""
        return self.base / "history"

    def record(self, run_id: str) -> Place:
        """Record of a run: the file whose presence says that the run is whole."""
        return self.runs / run_id / RECORD

    def stored_runs(self) -> list[str]:
        """Ids of the runs that are here, whole or not, oldest first."""
        with self._reading():
            return [name for name in self.runs.names() if RUN_ID_FORM.fullmatch(name)]

    def named_run(self, manifest: bytes) -> str | None:
        """Id of the run that a manifest names, None where it names none that is whole."""
        try:
            run_id = str(json.loads(manifest)["run_id"])
        except (ValueError, KeyError, TypeError):
            return None
        return run_id if RUN_ID_FORM.fullmatch(run_id) and self.record(run_id).is_file() else None

    def latest_run(self) -> str | None:
        """Id of the newest run, None where there is none: that of ``latest``, or on an object store of the manifest."""
        latest = self.latest.local
        if latest is None:
            with self._reading():
                return self.named_run(self.manifest.read_bytes()) if self.manifest.is_file() else None
        if not latest.is_symlink():
            if latest.exists():
                raise PublishError(f"{latest} is no symbolic link: move it away, then publish again")
            return None
        run_id = Path(os.readlink(latest)).name
        return run_id if (self.runs / run_id).is_dir() else None

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            raise PublishError(
                f"the release in {self.base} cannot be read: {reason_of(problem)}; check the place and the access to it"
            ) from problem
