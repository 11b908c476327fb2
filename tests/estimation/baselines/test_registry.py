"""The list of methods."""

import pytest

from opencarbon.catalog import load_catalog
from opencarbon.catalog.methods import load_hours_power_methods
from opencarbon.errors import ConfigError
from opencarbon.estimation.baselines import METHODS, Method, method_named, method_table
from opencarbon.tables.reproduction import DIM_METHOD

PREDICTING = (
    *("calibrated", "opencarboneval", "llmcarbon", "llmcarbon-as-published"),
    *("svr", "dtr", "constant-utilisation"),
)


def test_methods_that_predict_hours_come_first_then_those_that_need_them() -> None:
    assert [*PREDICTING, *load_hours_power_methods()] == list(METHODS)
    assert list(PREDICTING) == [name for name, method in METHODS.items() if method.predicts_hours]


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_every_method_says_what_it_needs_how_it_works_and_what_it_does_not_know(method: Method) -> None:
    assert all(text.endswith(".") for text in (method.needs, method.formula, method.limits))
    assert method.title
    assert method.source_id in load_catalog().sources["source_id"].to_pylist()


def test_a_method_is_found_by_its_name() -> None:
    assert "llmcarbon" == method_named("llmcarbon").name


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("mlco", "did you mean 'mlco2'"),
        ("Green Algorithms", "did you mean 'green-algorithms'"),
        ("LLMCarbon", "did you mean 'llmcarbon'"),
        ("zzz", "all of them: calibrated, opencarboneval, llmcarbon"),
        ("", "all of them: calibrated"),
    ],
)
def test_another_name_is_refused_with_the_nearest_or_all(name: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint) as raised:
        method_named(name)

    assert f"no method is called {name!r}" in str(raised.value)


def test_the_table_holds_every_method_by_name() -> None:
    table = method_table()

    assert DIM_METHOD.schema() == table.schema
    assert sorted(METHODS) == table["method"].to_pylist()
    for row in table.to_pylist():
        method = METHODS[row["method"]]
        texts = (method.title, method.needs, method.formula, method.limits, method.source_id)
        assert texts == tuple(row[name] for name in ("title", "needs", "formula", "limits", "source_id"))
