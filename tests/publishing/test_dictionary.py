"""The dictionary tells every column, in three forms."""

from __future__ import annotations

import json
import re
from typing import Any

import pyarrow as pa
import pytest

from opencarbon.publishing.dictionary import (
    MEANING,
    datapackage,
    dictionary_markdown,
    meta_columns,
)
from opencarbon.tables.conform import conform
from opencarbon.tables.contracts import PUBLISHED, Contract
from tests.tables.make_tables import make_table

EXTRA = {"dim_job": [pa.field("cost_centre", pa.int64())]}
PARTS = dict.fromkeys(PUBLISHED, 1)


def resource(name: str, **options: Any) -> dict[str, Any]:
    package = datapackage(PUBLISHED, parts=options.pop("parts", PARTS), **options)
    found: dict[str, Any] = next(one for one in package["resources"] if one["name"] == name)
    return found


def test_meta_columns_names_every_column_of_every_table_once() -> None:
    table = meta_columns()
    assert conform(table, PUBLISHED["meta_columns"]).equals(table)
    expected = {(name, column) for name, contract in PUBLISHED.items() for column in contract.columns}
    found = list(zip(table["table"].to_pylist(), table["column"].to_pylist(), strict=True))
    assert found == sorted(expected)


def test_meta_columns_tells_unit_type_and_bounds() -> None:
    rows = meta_columns().to_pylist()
    assert next(row for row in rows if (row["table"], row["column"]) == ("dim_region", "pue")) == {
        "table": "dim_region",
        "column": "pue",
        "type": "float64",
        "unit": None,
        "aggregation": "none",
        "minimum": 1.0,
        "maximum": 3.0,
        "description": "Power usage effectiveness: energy of the data centre over energy of its servers.",
    }


def test_meta_columns_tells_carried_columns() -> None:
    rows = meta_columns(extra=EXTRA).to_pylist()
    (carried,) = (row for row in rows if row["column"] == "cost_centre")
    assert (carried["table"], carried["type"], carried["aggregation"]) == ("dim_job", "int64", "none")


def test_a_package_has_a_resource_for_every_table() -> None:
    package = datapackage(PUBLISHED, parts=PARTS)
    assert package["$schema"] == "https://datapackage.org/profiles/2.0/datapackage.json"
    assert [one["name"] for one in package["resources"]] == list(PUBLISHED)
    assert json.loads(json.dumps(package, allow_nan=False)) == package


@pytest.mark.parametrize("contract", PUBLISHED.values(), ids=PUBLISHED)
def test_a_resource_tells_fields_key_and_references(contract: Contract) -> None:
    schema = resource(contract.name)["schema"]
    assert [field["name"] for field in schema["fields"]] == list(contract.columns)
    assert schema.get("primaryKey", []) == list(contract.key)
    assert [one["reference"]["resource"] for one in schema.get("foreignKeys", [])] == [
        one.table for one in contract.references
    ]


def test_a_field_tells_type_unit_and_constraints() -> None:
    (field,) = (
        one for one in resource("dim_zone")["schema"]["fields"] if one["name"].startswith("annual_carbon")
    )
    assert field == {
        "name": "annual_carbon_intensity_gco2e_per_kwh",
        "type": "number",
        "description": "Mean carbon intensity of the zone over annual_year.",
        "aggregation": "none",
        "unit": "gCO2e/kWh",
        "constraints": {"minimum": 0.0, "maximum": 2000.0},
    }


def test_a_key_is_required_and_a_list_of_values_is_an_enum() -> None:
    fields = {field["name"]: field for field in resource("rec_job")["schema"]["fields"]}
    assert fields["job_id"]["constraints"] == {"required": True}
    statuses = ["potential", "allocated", "not_claimed"]
    assert fields["saving_status"]["constraints"] == {"required": True, "enum": statuses}


def test_a_table_in_parts_lists_its_files() -> None:
    assert resource("rec_job")["path"] == "rec_job/part-0.parquet"
    assert resource("rec_job", parts=PARTS | {"rec_job": 2})["path"] == [
        "rec_job/part-0.parquet",
        "rec_job/part-1.parquet",
    ]


def test_carried_columns_are_fields() -> None:
    assert resource("dim_job", extra=EXTRA)["schema"]["fields"][-1]["name"] == "cost_centre"


def test_sources_and_licences_come_from_the_run() -> None:
    contract = PUBLISHED["dim_source"]
    sources = make_table(contract, rows=2)
    for name, values in (
        ("title", ["Yearly data", "A paper"]),
        ("licence", ["ODbL 1.0", "CC BY 4.0"]),
        ("url", ["https://example.org/a", None]),
        ("attribution", ["Made by A", None]),
    ):
        sources = sources.set_column(
            contract.columns.index(name), contract.schema().field(name), pa.array(values)
        )
    package = datapackage(PUBLISHED, parts=PARTS, sources=sources)
    assert package["sources"] == [
        {
            "title": "Yearly data",
            "path": "https://example.org/a",
            "source_id": "source_id-0000000",
            "licence": "ODbL 1.0",
            "attribution": "Made by A",
        },
        {"title": "A paper", "source_id": "source_id-0000001", "licence": "CC BY 4.0"},
    ]
    assert package["licenses"] == [
        {"name": "CC-BY-4.0", "title": "CC BY 4.0"},
        {"name": "ODbL-1.0", "title": "ODbL 1.0"},
    ]


@pytest.mark.parametrize("form", [dictionary_markdown(), datapackage(PUBLISHED, parts=PARTS)["description"]])
def test_the_dictionary_says_what_figures_may_be_called(form: str) -> None:
    assert MEANING in form
    for words in ("attributed", "location-based", "average", "flow-traced", "final training runs only"):
        assert words in form
    assert "not avoided emissions and not market-based Scope 2" in form


def test_the_markdown_has_a_row_for_every_column() -> None:
    text = dictionary_markdown(extra=EXTRA)
    sections = dict(re.findall(r"^## (\w+)$\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    assert list(sections) == list(PUBLISHED)
    for name, contract in PUBLISHED.items():
        names = re.findall(r"^\| `(\w+)` \|", sections[name], re.MULTILINE)
        assert names == [*contract.columns, *(field.name for field in EXTRA.get(name, ()))]


def test_every_row_of_the_markdown_has_six_cells() -> None:
    rows = [line for line in dictionary_markdown().splitlines() if line.startswith("|")]
    assert {len(re.split(r"(?<!\\)\|", row)) for row in rows} == {8}
