"""The queues of other systems, as their pages export, map and plan them."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from opencarbon.cli import main
from tests.example import EXAMPLE, Release

SYSTEMS = {"slurm": "jobs.csv", "kueue": "jobs.jsonl"}


def commands(system: str) -> list[str]:
    """What the page of a system tells one to type."""
    page = (EXAMPLE / system / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    return str(block).strip().splitlines()


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_was_exported_becomes_the_manifest_by_the_command_of_the_page(system: str) -> None:
    words, _, target = commands(system)[1].partition(" > ")
    program = shlex.split(words)[0]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    made = subprocess.run(
        shlex.split(words), cwd=EXAMPLE / system, capture_output=True, text=True, check=True
    )
    assert made.stdout == (EXAMPLE / system / target).read_text(encoding="utf-8")


@pytest.mark.parametrize("system", SYSTEMS)
def test_it_is_planned_whole_by_the_command_of_the_page(
    system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENCARBON_STORE__ROOT", str(tmp_path / "store"))
    monkeypatch.chdir(EXAMPLE / system)
    program, *words = shlex.split(commands(system)[2])
    words[words.index("release")] = str(tmp_path / "release")
    assert program == "opencarbon"
    assert main([*words, "--as-of", "2026-11-16T00:00:00Z"]) == 0
    release = Release(tmp_path / "release")
    assert release.table("rejected_job").num_rows == 0
    jobs = release.frame("dim_job").set_index("job_id")
    estimates = release.frame("fact_job_estimate").set_index("job_id")
    assert (estimates["baseline_region"] == jobs["current_region"]).all()
    assert estimates["total_kgco2e"].notna().all()
    if system == "slurm":
        assert jobs.loc["481516", ["device", "device_count", "team", "model"]].tolist() == [
            *("NVIDIA H100 SXM5 80GB", 128.0, "nlp", "llama-ft-70b"),
        ]
        assert estimates.loc["481530", "wall_hours"] == pytest.approx(54.5)
        assert len(jobs) == 5
    else:
        assert jobs.loc["nlp/pytorchjob-llm-sft-7b-3f2a1", "device_count"] == 64
        assert estimates.loc["vision/job-segmentation-eval-8c1d2", "wall_hours"] == 6
        assert len(jobs) == 3
