"""What ``import opencarbon`` promises."""

import ast
import inspect
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

import opencarbon as oc

NAMES = {
    *("device_hours", "log10_alpha", "training_flop", "inference_flop"),
    *("best_start", "estimate", "__version__"),
}


def test_the_public_names_are_these() -> None:
    assert NAMES == set(oc.__all__)
    assert sorted(oc.__all__) == list(oc.__all__)


def test_every_public_name_can_be_imported() -> None:
    for name in oc.__all__:
        assert getattr(oc, name) is not None
    assert set(dir(oc)) >= NAMES


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'opencarbon' has no attribute 'estimates'"):
        getattr(oc, "estimates")  # noqa: B009  # a type checker refuses the plain spelling, which is the point


def test_the_version_is_that_of_the_installed_package() -> None:
    assert version("opencarbon") == oc.__version__


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, opencarbon; print(*sorted(sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert set() == loaded & {
        "numpy",
        "scipy",
        "pandas",
        "pyarrow",
        "prefect",
        "httpx",
        "pydantic",
        "rich",
        "cyclopts",
    }


def test_a_type_checker_sees_the_same_names() -> None:
    tree = ast.parse(inspect.getsource(oc))

    typing_only = next(node for node in tree.body if isinstance(node, ast.If))
    imported = {
        alias.name
        for node in ast.walk(typing_only)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported | {"__version__"} == NAMES
    assert (Path(oc.__file__).parent / "py.typed").is_file()


def test_every_public_function_has_a_docstring_with_its_parameters() -> None:
    for name in NAMES - {"__version__"}:
        function = getattr(oc, name)
        documentation = inspect.getdoc(function) or ""
        for parameter in inspect.signature(function).parameters:
            assert parameter in documentation, f"{name}: {parameter} is not documented"
        assert "Returns" in documentation


def test_device_hours_and_log10_alpha_are_inverse() -> None:
    flop = np.array([1e18, 3.14e23, 5e25])

    hours = oc.device_hours(flop, 60.0)

    np.testing.assert_allclose(60.0, oc.log10_alpha(flop, hours), rtol=1e-12)


def test_training_flop_counts_six_per_parameter_and_token() -> None:
    assert oc.training_flop(parameters=7e9, training_tokens=2e12) == pytest.approx(8.4e22)


def test_inference_flop_counts_two_per_parameter_and_token() -> None:
    assert oc.inference_flop(parameters=7e9, tokens=2e6) == 2 * 7e9 * 2e6


def test_best_start_finds_the_cleanest_window() -> None:
    start, mean = oc.best_start(np.array([300.0, 120.0, 90.0, 200.0]), 1.5, 0.25, 4.0)

    assert 1.5 == pytest.approx(float(start))
    assert (0.5 * 120 + 1.0 * 90) / 1.5 == pytest.approx(float(mean))
