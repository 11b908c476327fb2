"""``opencarbon run`` where partitions fail: one readable block, and where it failed only if that is asked for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_COMMAND = """
import sys
from opencarbon.pipeline import steps

def broken(night, partition):
    raise OSError("the disk is gone")

steps.estimate_partition = broken
from opencarbon.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("is_debug", [False, True])
def test_a_traceback_is_shown_only_where_it_is_asked_for(queue: str, tmp_path: Path, is_debug: bool) -> None:
    out = tmp_path / "release"
    options = ["--manifest", queue, "--as-of", "2026-11-16T00:00:00Z", "--offline", "--out", str(out)]

    done = subprocess.run(
        [sys.executable, "-c", _COMMAND, "run", *options, *(["--debug"] if is_debug else [])],
        env=os.environ | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )

    said = "1 of 1 partitions failed, and with them 3 of 3 jobs: no job is left; nothing was published."
    assert said in done.stderr
    assert "First: partition 0: OSError: the disk is gone." in done.stderr
    assert is_debug == ("Traceback" in done.stderr)
    assert 1 == done.returncode
    assert not out.exists()
