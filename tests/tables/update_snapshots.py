"""The stored form of every contract, and the command that brings it up to date.

``python -m tests.tables.update_snapshots`` writes ``tests/tables/contracts/<table>.json`` anew. It refuses a
change without a raised version: a nullable column at the end of a table (before ``run_id``) raises the minor
version, every other change raises the major one; words of a description may change freely.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

from opencarbon.tables.backtest import BACKTEST_TABLES
from opencarbon.tables.columns import type_name
from opencarbon.tables.contracts import PUBLISHED, Contract
from opencarbon.tables.evaluation import EVALUATED_TABLES
from opencarbon.tables.inputs import COMPLETED_JOBS, GRID_INTENSITY, PLANNED_JOBS, REJECTED_ROWS, RUN_HISTORY
from opencarbon.tables.reproduction import METHOD_ESTIMATE, REPRODUCED

DIRECTORY: Final = Path(__file__).parent / "contracts"
_UNPUBLISHED = (PLANNED_JOBS, COMPLETED_JOBS, REJECTED_ROWS, GRID_INTENSITY, RUN_HISTORY, METHOD_ESTIMATE)
CONTRACTS: Final[dict[str, Contract]] = (
    PUBLISHED
    | REPRODUCED
    | EVALUATED_TABLES
    | BACKTEST_TABLES
    | {contract.name: contract for contract in _UNPUBLISHED}
)
COMMAND: Final = "python -m tests.tables.update_snapshots"
Snapshot = dict[str, Any]


def snapshot_of(contract: Contract) -> Snapshot:
    """Everything that a contract promises, as JSON."""
    never_null = contract.not_null()
    return {
        "name": contract.name,
        "version": contract.version,
        "summary": contract.summary,
        "key": list(contract.key),
        "keeps_manifest_order": contract.keeps_manifest_order,
        "references": [
            f"{'+'.join(one.columns)} -> {one.table}.{'+'.join(one.target)}" for one in contract.references
        ],
        "columns": [
            {
                "name": column.name,
                "type": type_name(column.type),
                "unit": column.unit,
                "nullable": column.name not in never_null,
                "aggregation": column.aggregation,
                "minimum": column.minimum,
                "maximum": column.maximum,
                "allowed": list(column.allowed),
                "description": column.description,
            }
            for column in contract.fields()
        ],
    }


def refusal(stored: Snapshot, current: Snapshot) -> str | None:
    """Why a contract may not change like this under its version; None where it may."""
    needed = _needed(_without_words(stored), _without_words(current))
    old, new = (tuple(map(int, one["version"].split("."))) for one in (stored, current))
    least = {"none": old, "minor": (old[0], old[1] + 1), "major": (old[0] + 1, 0)}[needed]
    if new >= least:
        return None
    return (
        f"{current['name']} changed: that is a {needed} change, so its version is at least "
        f"{least[0]}.{least[1]}, not {current['version']}; a contract that was never released is begun anew by "
        "deleting its snapshot"
    )


def _needed(stored: Snapshot, current: Snapshot) -> str:
    if stored == current:
        return "none"
    old, new = stored["columns"], current["columns"]
    tail = [column for column in old[-1:] if column["name"] == "run_id"]
    kept = len(old) - len(tail)
    added = new[kept : len(new) - len(tail)]
    appended = new == old[:kept] + added + tail and all(column["nullable"] for column in added)
    same_otherwise = stored | {"columns": None} == current | {"columns": None}
    return "minor" if appended and same_otherwise else "major"


def _without_words(snapshot: Snapshot) -> Snapshot:
    columns = [
        {key: value for key, value in column.items() if key != "description"}
        for column in snapshot["columns"]
    ]
    return {key: value for key, value in snapshot.items() if key not in ("summary", "version")} | {
        "columns": columns
    }


def stored_snapshots() -> dict[str, Snapshot]:
    """The snapshots in the repository, by table."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(DIRECTORY.glob("*.json"))}


def main() -> int:
    """Write the snapshots, unless a change needs a version."""
    stored = stored_snapshots()
    refusals = [
        words
        for name, contract in CONTRACTS.items()
        if name in stored and (words := refusal(stored[name], snapshot_of(contract)))
    ]
    if refusals:
        print("\n".join(refusals), file=sys.stderr)
        return 1
    DIRECTORY.mkdir(exist_ok=True)
    for name, contract in CONTRACTS.items():
        text = json.dumps(snapshot_of(contract), indent=1, ensure_ascii=False) + "\n"
        (DIRECTORY / f"{name}.json").write_text(text)
    for name in stored.keys() - CONTRACTS.keys():
        (DIRECTORY / f"{name}.json").unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
