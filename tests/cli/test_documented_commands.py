"""Every command that the documentation tells a reader to type is one that the program takes."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import kubernetes_validate
import pytest
import yaml
from cyclopts import App, CycloptsError

from opencarbon.cli.app import app

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = ("README.md", "configs/operations/README.md")
UNITS: Final = ROOT / "configs/operations"
FLOWS: Final = re.compile(r"\bpython flows/(\w+)\.py")


def shell_lines(page: str) -> Iterator[str]:
    """Lines of the blocks of shell commands, those that go on joined."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for block in re.findall(r"^ *```sh\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        yield from block.replace("\\\n", " ").splitlines()


def commands() -> list[str]:
    found = [line.strip() for page in PAGES for line in shell_lines(page)]
    found += [
        line.removeprefix("ExecStart=")
        for unit in sorted(UNITS.glob("*.service"))
        for line in unit.read_text(encoding="utf-8").splitlines()
        if line.startswith("ExecStart=")
    ]
    (container,) = pod()["containers"]
    return [*found, shlex.join(container["args"])]


def pod() -> dict[str, list[dict[str, list[str]]]]:
    job = yaml.safe_load((UNITS / "cronjob.yaml").read_text(encoding="utf-8"))
    found: dict[str, list[dict[str, list[str]]]] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return found


def words_after(name: str, command: str) -> list[str] | None:
    """Arguments of a program in a line of shell, None where the line does not call it."""
    words = shlex.split(re.split(r"&&|\|", command)[-1], comments=True)
    in_container = words.index(name) + 1 if words[:2] == ["podman", "run"] and name in words else 0
    program, *rest = words[in_container:] or [""]
    return rest if program == name or program.endswith(f"/bin/{name}") else None


def parses(commands: App, words: list[str]) -> None:
    commands.parse_args(words, exit_on_error=False, print_error=False)


OURS: Final = [command for command in commands() if words_after("opencarbon", command) is not None]


def test_the_documentation_shows_commands() -> None:
    assert len(OURS) >= 8


@pytest.mark.parametrize("command", OURS)
def test_a_command_of_the_documentation_is_one_the_program_takes(command: str) -> None:
    words = words_after("opencarbon", command)
    assert words is not None
    parses(app, words)


def test_a_command_that_does_not_exist_is_found() -> None:
    with pytest.raises(CycloptsError):
        parses(app, ["run", "--manifest", "queue", "--no-such-option"])


def test_flows_that_the_documentation_names_are_there() -> None:
    named = {name for page in PAGES for name in FLOWS.findall((ROOT / page).read_text(encoding="utf-8"))}
    assert "nightly" in named
    assert {name for name in named if not (ROOT / "flows" / f"{name}.py").is_file()} == set()


def test_the_job_of_kubernetes_is_valid() -> None:
    job = yaml.safe_load((UNITS / "cronjob.yaml").read_text(encoding="utf-8"))
    kubernetes_validate.validate(job, "1.31", strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job | {"spec": job["spec"] | {"sometimes": True}}, "1.31", strict=True)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze on this machine")
def test_units_are_valid(tmp_path: Path) -> None:
    for unit in [*UNITS.glob("*.service"), *UNITS.glob("*.timer")]:
        text = unit.read_text(encoding="utf-8")
        (tmp_path / unit.name).write_text(re.sub(r"=/opt/opencarbon/.venv/bin/\w+", "=/bin/true", text))
    command = ["systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir()))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)
