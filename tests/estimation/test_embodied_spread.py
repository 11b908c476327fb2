"""The spread of embodied figures is over all sources of a device."""

import pyarrow as pa

from opencarbon.estimation.embodied_spread import embodied_spread
from opencarbon.tables.contracts import PUBLISHED

SCHEMA = PUBLISHED["dim_device_embodied"].schema()


def figures(*rows: tuple[str, str, float, str, str]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in rows], schema=SCHEMA)


def test_each_device_has_its_lowest_and_highest_figure_and_their_ratio() -> None:
    spread = embodied_spread(
        figures(
            ("b", "lca", 40.0, "card", "one"),
            ("a", "bottom_up", 300.0, "card", "two"),
            ("a", "die_only", 10.0, "die", "three"),
            ("a", "lca", 150.0, "server", "four"),
        )
    )

    assert spread.to_pylist() == [
        {"device": "a", "lowest_kgco2e": 10.0, "highest_kgco2e": 300.0, "ratio": 30.0, "sources": 3},
        {"device": "b", "lowest_kgco2e": 40.0, "highest_kgco2e": 40.0, "ratio": 1.0, "sources": 1},
    ]


def test_two_figures_of_one_source_are_one_source() -> None:
    spread = embodied_spread(
        figures(("a", "bottom_up", 20.0, "card", "one"), ("a", "lca", 30.0, "card", "one"))
    )

    assert spread["sources"].to_pylist() == [1]
    assert spread["ratio"].to_pylist() == [1.5]


def test_no_figures_have_no_spread() -> None:
    assert embodied_spread(figures()).num_rows == 0
