"""The release of the example queue, table by table, as its readers see it."""

import json

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from opencarbon.publishing.parquet import part_paths
from opencarbon.tables.conform import conform, foreign_key_violations, schema_with
from opencarbon.tables.contracts import PUBLISHED
from tests.example import EXAMPLE, Release, publish_example

CARRIED = {"dim_job": [pa.field("source", pa.string()), pa.field("figure", pa.string())]}
JOB_TABLES = ("fact_job_estimate", "rec_job", "fact_job_region", "fact_job_segment")


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The same night, published to another place."""
    return publish_example(tmp_path_factory.mktemp("again") / "elsewhere" / "release")


def fields(table: pa.Table) -> list[tuple[str, pa.DataType]]:
    return [(field.name, field.type) for field in table.schema]


@pytest.mark.parametrize("name", PUBLISHED)
class TestEveryTable:
    def test_keeps_its_contract(self, example: Release, name: str) -> None:
        table = example.table(name)

        assert conform(table, PUBLISHED[name], extra=CARRIED.get(name, [])).equals(table)
        assert fields(schema_with(PUBLISHED[name], CARRIED.get(name, [])).empty_table()) == fields(table)

    def test_is_read_back_equal_by_pyarrow_duckdb_and_polars(self, example: Release, name: str) -> None:
        expected = example.table(name).combine_chunks()
        path = str(example.latest / name / "*.parquet")

        by_pyarrow = pq.read_table(example.latest / name).replace_schema_metadata(None)
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            by_duckdb = connection.sql(f"FROM '{path}'").to_arrow_table()
        by_polars = pl.read_parquet(path).to_arrow()

        for table in (by_pyarrow, by_duckdb, by_polars):
            assert expected.column_names == table.column_names
            assert table.cast(expected.schema).combine_chunks().equals(expected)

    def test_has_the_same_bytes_when_the_night_is_run_again_elsewhere(
        self, example: Release, again: Release, name: str
    ) -> None:
        first, second = (
            [path.read_bytes() for path in part_paths(where.latest, name)] for where in (example, again)
        )

        assert first == second

    def test_names_the_run_in_its_data_and_nowhere_else(self, example: Release, name: str) -> None:
        run_id = example.latest.resolve().name
        ends_with_run = name.startswith(("fact_", "rec_", "run_", "rejected_"))

        table = example.table(name)
        assert ends_with_run == (table.column_names[-1] == "run_id")
        if ends_with_run:
            assert {run_id} == set(table["run_id"].to_pylist()) or table.num_rows == 0
        for path in part_paths(example.latest, name):
            footer = pq.read_metadata(path)
            shown = str(footer.metadata) + str(footer.schema.to_arrow_schema().metadata)
            assert run_id not in shown
            assert str(example.root) not in shown

    def test_types_are_those_that_every_reader_knows(self, example: Release, name: str) -> None:
        known = {
            *(pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.date32()),
            pa.timestamp("us", tz="UTC"),
        }

        assert {field.type for field in example.table(name).schema} <= known


def test_both_records_of_the_release_are_the_same_too_but_for_how_long_it_took(
    example: Release, again: Release
) -> None:
    assert 1 == len({(made.latest / "datapackage.json").read_bytes() for made in (example, again)})
    records = [json.loads((made.latest / "release.json").read_bytes()) for made in (example, again)]
    for record in records:
        for name in ("durations_s", "peak_memory_bytes"):
            assert record["facts"].pop(name)
        for partition in record["facts"]["partition_outcomes"]:
            assert partition.pop("seconds") > 0
    assert records[0] == records[1]


def test_every_foreign_key_resolves(example: Release) -> None:
    tables = {name: example.table(name) for name in PUBLISHED}

    assert [] == foreign_key_violations(tables, PUBLISHED)
    assert sum(len(contract.references) for contract in PUBLISHED.values()) > 20


class TestRun:
    def test_says_when_how_and_over_what(self, example: Release) -> None:
        (run,) = example.table("dim_run").to_pylist()

        assert "2026-11-16T00:00:00+00:00" == run["as_of_utc"].isoformat()
        assert ("calibrated", "lifecycle") == (run["profile"], run["emission_factor_type"])
        assert pq.read_metadata(EXAMPLE / "jobs.parquet").num_rows == run["jobs_read"]
        assert example.table("rejected_job")["row"].unique().to_pylist() == [46, 47]
        assert 2 == run["jobs_rejected"]
        assert run["run_id"] == f"20261116T0000Z-{run['inputs_sha256'][:8]}"
        assert run["run_id"] == example.latest.resolve().name

    def test_rows_of_the_record_are_those_of_the_tables(self, example: Release) -> None:
        record = json.loads((example.root / "v1/manifest.json").read_text(encoding="utf-8"))

        counted = {name: table["rows"] for name, table in record["tables"].items()}
        assert {name: example.table(name).num_rows for name in PUBLISHED} == counted


class TestJobs:
    def test_every_accepted_job_is_estimated_and_advised_once_in_the_order_of_the_manifest(
        self, example: Release
    ) -> None:
        given = pq.read_table(EXAMPLE / "jobs.parquet")["job_id"].to_pylist()
        rejected = set(example.table("rejected_job")["job_id"].to_pylist())
        expected = [job_id for job_id in given if job_id not in rejected]

        for name in ("dim_job", "fact_job_estimate", "rec_job"):
            assert expected == example.table(name)["job_id"].to_pylist()

    def test_carried_columns_stand_beside_their_jobs(self, example: Release) -> None:
        given = {row["job_id"]: row["source"] for row in pq.read_table(EXAMPLE / "jobs.parquet").to_pylist()}

        for row in example.table("dim_job").to_pylist():
            assert given[row["job_id"]] == row["source"]

    def test_exactly_one_place_of_a_planned_job_is_advised(self, example: Release) -> None:
        places = example.frame("fact_job_region")
        advice = example.frame("rec_job").set_index("job_id")

        advised = places[places["is_advised"]].set_index("job_id")
        assert advised.index.is_unique
        assert set(advice.index[advice["action"] != "none"]) == set(advised.index)
        assert (advice.loc[advised.index, "advised_region"] == advised["region"]).all()
        assert (advice.loc[advised.index, "advised_start_utc"] == advised["start_utc"]).all()

    def test_no_job_is_advised_to_start_before_it_may_or_to_end_after_its_deadline(
        self, example: Release
    ) -> None:
        jobs = example.frame("dim_job").merge(example.frame("rec_job"), on="job_id")
        planned = jobs[jobs["action"] != "none"]
        as_of = example.frame("dim_run")["as_of_utc"][0]

        assert (planned["advised_start_utc"] >= as_of).all()
        bound = planned[planned["earliest_start_utc"].notna()]
        assert (bound["advised_start_utc"] >= bound["earliest_start_utc"]).all()
        ok = planned[(planned["plan_status"] == "ok") & planned["finish_by_utc"].notna()]
        assert len(ok) > 20
        assert (ok["advised_finish_high_utc"] <= ok["finish_by_utc"]).all()

    def test_segments_hold_the_hours_of_a_pausable_job_within_its_window(self, example: Release) -> None:
        jobs = example.frame("fact_job_estimate").set_index("job_id")
        advice = example.frame("rec_job").set_index("job_id")
        segments = example.frame("fact_job_segment")

        for job_id, stretches in segments.groupby("job_id"):
            hours = (stretches["finish_utc"] - stretches["start_utc"]).dt.total_seconds().sum() / 3600
            assert jobs.loc[job_id, "wall_hours"] == pytest.approx(hours, rel=1e-6)
            assert advice.loc[job_id, "advised_start_utc"] == stretches["start_utc"].min()
            assert advice.loc[job_id, "advised_finish_utc"] == stretches["finish_utc"].max()
            assert (stretches["start_utc"].to_numpy()[1:] > stretches["finish_utc"].to_numpy()[:-1]).all()


class TestMadeUpIntensities:
    """What the made-up series touches says ``example``."""

    def test_hours_of_the_series_are_published_as_examples(self, example: Release) -> None:
        given = pq.read_table(EXAMPLE / "intensity.parquet")
        hours = example.frame("fact_grid_intensity_hourly")

        marked = hours[hours["intensity_kind"] == "example"]
        assert set(given["zone"].to_pylist()) == set(marked["zone"])
        assert {"example-intensity"} == set(marked["source_id"])

    def test_estimates_and_places_within_its_hours_are_examples(self, example: Release) -> None:
        hours = example.frame("fact_grid_intensity_hourly")
        marked = hours[hours["intensity_kind"] == "example"]
        last = marked.groupby("zone")["hour_start_utc"].max()
        zones = example.frame("dim_region").set_index("region")["zone"]
        estimates = example.frame("fact_job_estimate").rename(
            columns={"baseline_region": "region", "baseline_start_utc": "start_utc"}
        )
        places = example.frame("fact_job_region")

        for frame in (estimates[estimates["intensity_kind"] != "fixed"], places):
            zone = frame["region"].map(zones)
            touched = frame["start_utc"] <= zone.map(last)
            assert touched.sum() > 20
            assert {"example"} == set(frame.loc[touched, "intensity_kind"])
            assert "example" not in set(frame.loc[~touched, "intensity_kind"])

    def test_regions_ranked_on_it_are_examples(self, example: Release) -> None:
        hours = example.frame("fact_grid_intensity_hourly")
        marked = set(hours.loc[hours["intensity_kind"] == "example", "zone"])
        zones = example.frame("dim_region").set_index("region")["zone"]
        regions = example.frame("rec_region").set_index("region")

        touched = regions.index.map(zones).isin(marked)
        assert {"example"} == set(regions.loc[touched, "intensity_kind"])
        assert "example" not in set(regions.loc[~touched, "intensity_kind"].dropna())

    def test_every_zone_of_it_that_matters_has_a_warning(self, example: Release) -> None:
        events = example.table("run_event")
        warned = events.filter(pc.equal(events["code"], pa.scalar("example_intensity")))

        assert {"warning"} == set(warned["severity"].to_pylist())
        assert set(warned["subject"].to_pylist()) <= set(
            pq.read_table(EXAMPLE / "intensity.parquet")["zone"].to_pylist()
        )
        assert warned.num_rows > 10


class TestRegions:
    def test_ranks_are_complete_within_each_kind_of_intensity(self, example: Release) -> None:
        regions = example.frame("rec_region")

        ranked = regions[regions["rank"].notna()]
        for _, group in ranked.groupby("intensity_kind"):
            assert list(range(1, len(group) + 1)) == sorted(group["rank"])

    def test_jobs_and_device_hours_are_those_advised_there(self, example: Release) -> None:
        advice = example.frame("rec_job").merge(example.frame("fact_job_estimate"), on="job_id")
        advised = advice[advice["advised_region"].notna()].groupby("advised_region")
        regions = example.frame("rec_region").set_index("region")

        assert advised.size().to_dict() == regions.loc[regions["jobs"] > 0, "jobs"].to_dict()
        for region, hours in advised["device_hours"].sum().items():
            assert hours == pytest.approx(regions.loc[region, "device_hours"])


def test_embodied_figures_of_several_sources_are_published_beside_the_one_in_use(example: Release) -> None:
    name = "NVIDIA H100 SXM5 80GB"
    figures = example.frame("dim_device_embodied").set_index("device").loc[name]
    device = example.frame("dim_device").set_index("device").loc[name]

    assert {"die_only", "vendor_footprint", "bottom_up", "flat_rate"} == set(figures["embodied_method"])
    assert (14.652, 575.1) == (
        figures["device_embodied_kgco2e"].min(),
        figures["device_embodied_kgco2e"].max(),
    )
    in_use = figures[figures["source_id"] == device["embodied_source_id"]]
    assert [device["embodied_central_kgco2e"]] == in_use["device_embodied_kgco2e"].tolist()


def test_the_dictionary_names_every_column_of_every_table(example: Release) -> None:
    rows = example.table("meta_columns").to_pylist()

    named = {(row["table"], row["column"]) for row in rows}
    assert {(name, column) for name in PUBLISHED for column in example.table(name).column_names} == named
    assert all(row["description"] for row in rows)


def test_latest_is_a_link_that_a_move_of_the_release_survives(example: Release) -> None:
    assert not example.latest.readlink().is_absolute()
