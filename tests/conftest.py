"""What all tests share."""

import os
from collections.abc import Iterator

import pytest

from tests.example import Release, example_once


def pytest_configure(config: pytest.Config) -> None:
    """A thread that Prefect leaves running draws its jitter while strategies are drawn, which is no fault of theirs."""
    drawn = "ignore:Do not use the `random` module inside strategies"
    config.addinivalue_line("filterwarnings", f"{drawn}:hypothesis.errors.HypothesisDeprecationWarning")


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("OPENCARBON_")]:
            patch.delenv(name)
        patch.setenv("OPENCARBON_PUBLISH__REPORT", "false")  # the page of a night has tests of its own
        yield


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The example queue, published once, offline."""
    return example_once(tmp_path_factory)
