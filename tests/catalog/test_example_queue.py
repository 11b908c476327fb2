"""The example queue that ships in ``configs/example``."""

import importlib.util
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pyarrow.parquet as pq
import pytest

from opencarbon.catalog.catalog import Catalog, load_catalog
from opencarbon.catalog.names import squeeze

FOLDER: Final = Path(__file__).resolve().parents[2] / "configs" / "example"
AS_OF: Final = datetime(2026, 11, 16, tzinfo=UTC)
REJECTED: Final = {"deepseek-llm-67b", "yi-34b"}
FIGURE_1: Final = 43  # models in the appendix's list; its text says 42
TABLE_2: Final = 6
ROWS: Final[list[dict[str, Any]]] = pq.read_table(FOLDER / "jobs.parquet").to_pylist()
GOOD: Final = {row["job_id"]: row for row in ROWS if row["job_id"] not in REJECTED}
WORK: Final = ("device_hours", "wall_hours", "training_flop", "parameters")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_example", FOLDER / "make_example.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["jobs.parquet", "intensity.parquet"])
def test_the_committed_parquet_is_what_the_generator_makes(
    generator: ModuleType, tmp_path: Path, name: str
) -> None:
    generator.main(["--out", str(tmp_path)])

    made, committed = pq.read_table(tmp_path / name), pq.read_table(FOLDER / name)

    assert made.schema == committed.schema
    assert made.equals(committed)


def test_the_generator_makes_the_same_bytes_twice(generator: ModuleType, tmp_path: Path) -> None:
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
        generator.main(["--out", str(folder)])

    first, second = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders)

    assert set(first) == {"jobs.parquet", "intensity.parquet"}
    assert first == second


def test_the_queue_holds_the_models_of_figure_1_and_table_2_once_each() -> None:
    figures = Counter(figure for row in GOOD.values() for figure in row["figure"].split(", "))

    assert len(ROWS) == len({row["job_id"] for row in ROWS}) == len({row["model"] for row in ROWS})
    assert figures == {"Figure 1": FIGURE_1, "Table 2": TABLE_2}


def test_every_job_names_its_source_and_what_was_taken_from_it() -> None:
    assert all(row["source"].startswith("https://") and row["note"] for row in ROWS)


def test_every_job_says_its_work_in_exactly_one_way() -> None:
    ways = Counter(tuple(name for name in WORK if row[name] is not None) for row in GOOD.values())

    assert set(ways) == {(name,) for name in WORK}
    assert min(ways.values()) >= 5
    assert all((row["parameters"] is None) == (row["training_tokens"] is None) for row in GOOD.values())


def test_the_rejected_jobs_break_one_rule_each(catalog: Catalog) -> None:
    rejected = {row["job_id"]: row for row in ROWS if row["job_id"] in REJECTED}
    without_work = [key for key, row in rejected.items() if all(row[name] is None for name in WORK)]
    unknown = [key for key, row in rejected.items() if squeeze(row["device"]) not in catalog.device_units]

    assert (unknown, without_work) == (["deepseek-llm-67b"], ["yi-34b"])


def test_every_device_is_known_under_the_spelling_used(catalog: Catalog) -> None:
    assert [
        row["device"] for row in GOOD.values() if squeeze(row["device"]) not in catalog.device_units
    ] == []


def test_every_device_that_a_provider_rents_is_in_the_catalog(catalog: Catalog) -> None:
    rented = frozenset[str]().union(*catalog.offers.values())

    assert sorted(rented - set(catalog.device_names())) == []


def test_every_region_a_job_names_exists(catalog: Catalog) -> None:
    named = {row["current_region"] for row in ROWS} - {None}
    named |= {entry for row in ROWS for entry in row["allowed_regions"] or () if "*" not in entry}
    countries = {entry for entry in named if entry.startswith("country:")}
    known = set(catalog.regions["country_code"].to_pylist())

    assert sorted(named - countries - set(catalog.region_names())) == []
    assert {entry.removeprefix("country:") for entry in countries} <= known


def test_every_way_to_say_where_a_job_may_run_is_shown() -> None:
    given = [row["allowed_regions"] for row in GOOD.values()]

    assert None in given
    assert [] in given
    assert ["*"] in given
    assert ["aws:*"] in given
    assert ["country:SE"] in given
    assert any(len(regions or ()) > 1 for regions in given)


def test_every_case_of_planning_is_shown() -> None:
    rows = list(GOOD.values())

    assert [row["job_id"] for row in rows if row["state"] == "running"] == ["gemini-ultra"]
    assert any(row["finish_by_utc"] is not None and row["finish_by_utc"] < AS_OF for row in rows)
    assert any(row["current_region"] is None for row in rows)
    assert any(row["carbon_intensity_gco2e_per_kwh"] is not None for row in rows)
    assert any(row["repeats"] > 1 for row in rows)
    assert all(
        any(row[name] is not None for row in rows) for name in ("power_w", "utilisation", "dataset_gb")
    )


def test_one_job_cannot_meet_its_deadline() -> None:
    late = []
    for row in GOOD.values():
        wall_h = row["wall_hours"] or (row["device_hours"] or 0.0) / row["device_count"]
        if row["finish_by_utc"] is None or not wall_h:
            continue
        start = max(AS_OF, row["earliest_start_utc"])
        if start + timedelta(hours=wall_h * row["repeats"]) > row["finish_by_utc"]:
            late.append(row["job_id"])

    assert late == ["meta-pseudo-labels"]


def test_pausable_jobs_have_one_to_three_days_of_slack() -> None:
    slack_h = {}
    for name in ("flan-palm-540b", "flan-137b", "imagen", "coca"):
        row = GOOD[name]
        window = row["finish_by_utc"] - row["earliest_start_utc"]
        wall_h = row["wall_hours"] or row["device_hours"] / row["device_count"]
        slack_h[name] = window.total_seconds() / 3600.0 - wall_h
        assert row["interruptible"]

    assert slack_h == {
        "flan-palm-540b": 71.0,
        "flan-137b": 60.0,
        "imagen": 48.0,
        "coca": 24.0,
    }


def test_the_intensity_is_marked_as_an_example_and_covers_every_hour_once() -> None:
    table = pq.read_table(FOLDER / "intensity.parquet")
    hours = Counter(zip(table["zone"].to_pylist(), table["hour_start_utc"].to_pylist(), strict=True))
    expected = {AS_OF + timedelta(hours=hour) for hour in range(-24, 96)}

    assert set(table["intensity_kind"].to_pylist()) == {"example"}
    assert set(hours.values()) == {1}
    assert {zone: {hour for key, hour in hours if key == zone} for zone, _ in hours} == {
        zone: expected for zone, _ in hours
    }
    assert all(0.0 < (value or 0.0) < 1000.0 for value in table["carbon_intensity_gco2e_per_kwh"].to_pylist())


def test_the_intensity_covers_most_current_regions_but_not_all(
    catalog: Catalog,
) -> None:
    zones = set(pq.read_table(FOLDER / "intensity.parquet")["zone"].to_pylist())
    zone_of = dict(zip(catalog.region_names(), catalog.regions["zone"].to_pylist(), strict=True))
    current = [zone_of[row["current_region"]] for row in GOOD.values() if row["current_region"]]
    covered = sum(zone in zones for zone in current)

    assert zones <= set(zone_of.values())
    assert 0.75 <= covered / len(current) < 1.0


def test_the_example_stays_small() -> None:
    pictures = (".png", ".svg")
    files = [path for path in FOLDER.rglob("*") if path.is_file() and path.suffix not in pictures]
    assert sum(path.stat().st_size for path in files if "__pycache__" not in path.parts) < 140_000
