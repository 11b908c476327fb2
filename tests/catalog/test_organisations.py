"""Organisations have one name each."""

import pytest

from opencarbon.catalog.files import packaged, packaged_sources, read_csv
from opencarbon.catalog.organisations import canonical_organisation

ROWS = read_csv(packaged("organisations.csv")).to_pylist()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Meta AI", "Meta"),
        ("Facebook AI", "Meta"),
        ("Facebook AI Research,INRIA", "Meta, INRIA"),
        ("Google Brain,Google Research", "Google"),
        ("google  research", "Google"),
        ("DeepMind", "DeepMind"),
        ("Google DeepMind", "Google DeepMind"),
        (
            "Toyota Technological Institute at Chicago, Google AI",
            "Toyota Technological Institute at Chicago, Google",
        ),
        (" , ", None),
        ("", None),
        (None, None),
    ],
)
def test_an_organisation_has_one_name(text: str | None, names: str | None) -> None:
    assert names == canonical_organisation(text)


def test_no_name_is_an_alias_of_another() -> None:
    assert {row["organisation"] for row in ROWS}.isdisjoint(row["alias"] for row in ROWS)
    assert len(ROWS) == len({row["alias"].casefold() for row in ROWS})


def test_every_alias_has_a_source() -> None:
    assert {row["source_id"] for row in ROWS} <= set(packaged_sources()["source_id"].to_pylist())
