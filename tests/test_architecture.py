"""Which room may import which."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "opencarbon"


def imports_of(path: Path) -> set[str]:
    """Top-level packages that a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


def importers_of(name: str) -> set[str]:
    return {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if name in imports_of(path)}


def test_the_contracts_of_import_linter_are_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)

    status = lint_imports(no_cache=True)

    assert 0 == status, capsys.readouterr().out


def test_the_package_never_imports_prefect() -> None:
    assert set() == importers_of("prefect")


def test_one_module_imports_the_http_client() -> None:
    assert importers_of("httpx") <= {"sources/http.py", "sources/http_logs.py"}
    assert set() == importers_of("requests") | importers_of("urllib3")


def test_libraries_of_an_extra_are_imported_in_one_room_each() -> None:
    assert importers_of("sklearn") == {"estimation/fitting/regressors.py"}
    assert importers_of("jinja2") | importers_of("markupsafe") == {
        "publishing/drawings.py",
        "publishing/render.py",
    }
    assert all(path.startswith("publishing/figures/") for path in importers_of("matplotlib"))


def test_object_stores_are_spoken_to_in_one_room() -> None:
    room = {f"sources/object_{name}.py" for name in ("locations", "store", "versions")}
    assert room == importers_of("obstore")


def test_physics_imports_numpy_and_scipy_only() -> None:
    standard = set(sys.stdlib_module_names)
    for path in (PACKAGE / "physics").rglob("*.py"):
        assert imports_of(path) - standard <= {"numpy", "scipy", "opencarbon"}, path.name


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_help_comes_without_the_heavy_libraries(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom opencarbon.cli import main\nstatus = main(sys.argv[1:])\n"
        "print('LOADED', *sorted({name.split('.')[0] for name in sys.modules}))\nsys.exit(status)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )

    loaded = set(done.stdout.partition("LOADED")[2].split())
    assert set() == loaded & {"pandas", "pyarrow", "numpy", "scipy", "httpx", "prefect"}
