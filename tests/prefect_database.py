"""An empty database of Prefect, made once and copied: its migrations take longer than most tests."""

import fcntl
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

_CACHE: Final = Path(__file__).parents[1] / ".pytest_cache"


def put_database(path: Path) -> None:
    """Put an empty database of the installed Prefect there."""
    _CACHE.mkdir(exist_ok=True)
    made = _CACHE / f"prefect-{version('prefect')}.db"
    with (_CACHE / "prefect.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several processes test at once
        if not made.exists():
            _migrate(made)
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(made, path)


def _migrate(path: Path) -> None:
    """Have Prefect make a database."""
    with TemporaryDirectory(dir=path.parent) as home:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        subprocess.run(
            [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"],
            env=kept | {"DO_NOT_TRACK": "1", "PREFECT_HOME": home},
            check=True,
            capture_output=True,
            timeout=300,
        )
        (Path(home) / "prefect.db").replace(path)
