"""Contracts change only with their version, and hang together."""

import copy

import pytest

from opencarbon.tables.contracts import PUBLISHED, Contract
from tests.tables.update_snapshots import (
    COMMAND,
    CONTRACTS,
    Snapshot,
    refusal,
    snapshot_of,
    stored_snapshots,
)


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_contract_is_the_one_stored(name: str) -> None:
    stored = stored_snapshots().get(name)
    assert stored == snapshot_of(CONTRACTS[name]), (
        f"the contract of {name} changed: raise its version where due, run `{COMMAND}`, commit the file"
    )


def test_every_stored_snapshot_has_its_contract() -> None:
    assert set(stored_snapshots()) == set(CONTRACTS)


@pytest.mark.parametrize("contract", PUBLISHED.values(), ids=PUBLISHED)
def test_published_facts_end_with_the_run(contract: Contract) -> None:
    is_of_a_run = contract.name.startswith(("fact_", "rec_", "run_", "rejected_"))
    assert is_of_a_run == (contract.columns[-1] == "run_id")


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
def test_keys_and_required_columns_are_columns_of_their_table_once(contract: Contract) -> None:
    assert set(contract.key) | set(contract.required) <= set(contract.columns)
    assert len(set(contract.columns)) == len(contract.columns)


@pytest.mark.parametrize("contract", PUBLISHED.values(), ids=PUBLISHED)
def test_a_foreign_key_points_to_the_whole_key_of_a_published_table(contract: Contract) -> None:
    # publishing reads back the keys of the tables referred to, and nothing else of them
    assert [one.target for one in contract.references] == [
        PUBLISHED[one.table].key for one in contract.references
    ]
    assert {column for one in contract.references for column in one.columns} <= set(contract.columns)


def _changed(**changes: object) -> tuple[Snapshot, Snapshot]:
    stored = snapshot_of(PUBLISHED["fact_total"]) | {"version": "1.0"}
    return stored, copy.deepcopy(stored) | changes


def _appended(*, nullable: bool) -> list[dict[str, object]]:
    columns = snapshot_of(PUBLISHED["fact_total"])["columns"]
    new = columns[-2] | {"name": "repeats", "nullable": nullable}
    return [*columns[:-1], new, columns[-1]]


def test_an_unchanged_contract_needs_no_version() -> None:
    assert refusal(*_changed()) is None


def test_words_may_change_without_a_version() -> None:
    stored, current = _changed(summary="Other words.")
    current["columns"][0]["description"] = "Other words."
    assert refusal(stored, current) is None


def test_a_nullable_column_before_the_run_needs_a_minor_version() -> None:
    assert "minor" in str(refusal(*_changed(columns=_appended(nullable=True))))
    assert refusal(*_changed(columns=_appended(nullable=True), version="1.1")) is None


def test_a_required_column_needs_a_major_version() -> None:
    assert "major" in str(refusal(*_changed(columns=_appended(nullable=False), version="1.1")))
    assert refusal(*_changed(columns=_appended(nullable=False), version="2.0")) is None


@pytest.mark.parametrize(
    ("part", "value"),
    [
        *(("name", "jobs_2"), ("type", "string"), ("unit", "kg"), ("nullable", True), ("maximum", 5.0)),
        *(("minimum", -1.0), ("aggregation", "none"), ("allowed", ["a"])),
    ],
)
def test_any_change_to_a_column_needs_a_major_version(part: str, value: object) -> None:
    stored, current = _changed(version="1.1")
    current["columns"][2][part] = value
    assert "major" in str(refusal(stored, current))


@pytest.mark.parametrize("change", [{"key": ["scope"]}, {"references": []}, {"keeps_manifest_order": True}])
def test_a_change_of_key_order_or_references_needs_a_major_version(change: dict[str, object]) -> None:
    assert "major" in str(refusal(*_changed(version="1.9", **change)))


def test_a_column_that_goes_or_moves_needs_a_major_version() -> None:
    stored, current = _changed(version="1.9")
    del current["columns"][3]
    assert "major" in str(refusal(stored, current))
    stored, current = _changed(version="1.9")
    current["columns"][3:5] = current["columns"][4:2:-1]
    assert "major" in str(refusal(stored, current))


@pytest.mark.parametrize("change", ["unit", "maximum", "aggregation", "description"])
def test_a_change_that_nobody_stored_fails(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    current = snapshot_of(PUBLISHED["fact_total"])
    current["columns"][2][change] = "another"
    monkeypatch.setattr("tests.tables.test_contracts.snapshot_of", lambda _: current)
    with pytest.raises(AssertionError, match="raise its version"):
        test_a_contract_is_the_one_stored("fact_total")
