"""Manifests by methods to a file: the profiles over again, rows of every job together, in the order of the jobs."""

import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from opencarbon import pipeline
from opencarbon.estimation.baselines import METHODS, method_named
from opencarbon.pipeline import methods
from opencarbon.pipeline.context import load_context
from opencarbon.pipeline.methods import write_method_estimates
from opencarbon.tables.reproduction import METHOD_ESTIMATE
from tests.example import EXAMPLE, write_queue
from tests.pipeline.nights import AS_OF, a_night, settings_for

A100, H100 = "NVIDIA A100 SXM4 80GB", "NVIDIA H100 SXM5 80GB"

Row = dict[str, Any]


def write_jobs(path: Path, rows: list[Row]) -> Path:
    """Write jobs that state what they state, on eight A100 in aws:us-east-1."""
    jobs: list[Row] = [
        {"device": A100, "device_count": 8.0, "current_region": "aws:us-east-1", "repeats": 1} | row
        for row in rows
    ]
    columns = {
        name: pa.array([job.get(name) for job in jobs]) for name in {name for job in jobs for name in job}
    }
    pq.write_table(pa.table(columns), path)
    return path


def mixed(path: Path) -> Path:
    """Every way to state work, power, intensity, throughput and place."""
    return write_jobs(
        path,
        [
            {"job_id": "hours", "device_hours": 100.0},
            {"job_id": "wall", "wall_hours": 12.5, "device_count": 7.0, "repeats": 3},
            {"job_id": "flop", "training_flop": 1e21, "device": H100, "repeats": 5},
            {"job_id": "tokens", "parameters": 7e9, "training_tokens": 2e12},
            {
                "job_id": "experts",
                "parameters": 1.8e12,
                "active_parameters": 2.8e11,
                "training_tokens": 1.3e13,
            },
            {"job_id": "forward", "forward_flop_per_sample": 1e12, "samples": 1e9, "device": "TPU v3"},
            {"job_id": "power", "training_flop": 1e20, "power_w": 512.0},
            {"job_id": "power-hours", "device_hours": 77.0, "power_w": 333.0},
            {
                "job_id": "fixed",
                "training_flop": 1e20,
                "carbon_intensity_gco2e_per_kwh": 57.0,
                "current_region": None,
            },
            {"job_id": "fixed-there", "device_hours": 5.0, "carbon_intensity_gco2e_per_kwh": 57.0},
            {"job_id": "clean", "training_flop": 1e20, "carbon_intensity_gco2e_per_kwh": 0.0},
            {"job_id": "utilised", "training_flop": 1e22, "utilisation": 0.4},
            {"job_id": "both", "training_flop": 1e22, "utilisation": 0.4, "device_hours": 50.0},
            {"job_id": "alpha", "training_flop": 1e22, "log10_alpha_low": 20.0, "log10_alpha_high": 50.0},
            {"job_id": "nowhere", "training_flop": 1e21, "current_region": None},
            {"job_id": "nowhere-hours", "device_hours": 10.0, "current_region": None},
            {"job_id": "later", "wall_hours": 30.0, "earliest_start_utc": AS_OF + timedelta(hours=29.5)},
            {"job_id": "running", "wall_hours": 30.0, "state": "running"},
            {"job_id": "old", "training_flop": 1e18, "device": "Google TPU v2", "parameters": 1e8},
            {"job_id": "vast", "parameters": 1e18, "training_tokens": 1e20, "wall_hours": 1.0},
            {"job_id": "tiny", "parameters": 1.0, "training_tokens": 1.0, "wall_hours": 1e-9},
        ],
    )


def by_methods(
    folder: Path, *manifests: Path, names: tuple[str, ...] = tuple(METHODS), **sections: Any
) -> pa.Table:
    with a_night(settings_for(folder, **sections), *manifests) as night:
        rows, _, _ = write_method_estimates(
            night, [method_named(name) for name in names], folder / "m.parquet"
        )
    table = pq.ParquetFile(folder / "m.parquet").read()
    assert table.num_rows == rows
    return table


def by_profile(folder: Path, manifest: Path, profile: str, **sections: Any) -> pa.Table:
    with a_night(settings_for(folder, estimate={"profile": profile}, **sections), manifest) as night:
        pipeline.write_job_table(night, "fact_job_estimate", folder / f"{profile}.parquet")
    return pq.ParquetFile(folder / f"{profile}.parquet").read()


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-12)
    return bool(one == other)


class TestProfiles:
    @pytest.mark.parametrize(
        ("profile", "method"), [("calibrated", "calibrated"), ("paper", "opencarboneval")]
    )
    @pytest.mark.parametrize("queue", ["mixed", "example"])
    def test_are_their_methods_in_every_column_that_both_have(
        self, tmp_path: Path, profile: str, method: str, queue: str
    ) -> None:
        manifest = mixed(tmp_path / "q.parquet") if queue == "mixed" else EXAMPLE / "jobs.parquet"
        files = [str(EXAMPLE / "intensity.parquet")] if queue == "example" else []
        sections = {"store": {"files": files}}

        estimated = by_methods(tmp_path, manifest, names=(method,), **sections)
        published = by_profile(tmp_path, manifest, profile, **sections)

        shared = [
            name for name in estimated.column_names if name in published.column_names and name != "method"
        ]
        assert 30 == len(shared)
        for name in shared:
            pairs = zip(
                published["job_id"].to_pylist(),
                published[name].to_pylist(),
                estimated[name].to_pylist(),
                strict=True,
            )
            assert [] == [pair for pair in pairs if not same(*pair[1:])], name


class TestRows:
    def test_stand_method_by_method_for_each_job_in_the_order_of_the_manifests(self, tmp_path: Path) -> None:
        first = write_queue(tmp_path / "a.parquet", job_id=["z", "y", "x"])
        second = write_queue(tmp_path / "b.parquet", job_id=["c", "b", "a"])

        table = by_methods(tmp_path, first, second, names=("tdp", "calibrated", "svr"))

        assert METHOD_ESTIMATE.schema() == table.schema.remove_metadata()
        assert [job for job in "zyxcba" for _ in range(3)] == table["job_id"].to_pylist()
        assert ["tdp", "calibrated", "svr"] * 6 == table["method"].to_pylist()

    def test_are_the_same_however_many_jobs_are_estimated_at_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        manifests = mixed(tmp_path / "q.parquet"), write_queue(tmp_path / "r.parquet")
        names = ("calibrated", "llmcarbon", "bloom")
        together = by_methods(tmp_path, *manifests, names=names)

        monkeypatch.setattr(methods, "_JOBS_PER_BLOCK", 2)

        assert together.equals(by_methods(tmp_path, *manifests, names=names))

    def test_of_more_jobs_than_a_block_keep_their_order(self, tmp_path: Path) -> None:
        count = 8_200
        names = [f"job {count - at}" for at in range(count)]
        jobs = pa.table(
            {
                "job_id": names,
                "device": ["A100"] * count,
                "device_count": [1.0] * count,
                "device_hours": [float(at + 1) for at in range(count)],
            }
        )
        pq.write_table(jobs, tmp_path / "q.parquet")

        table = by_methods(tmp_path, tmp_path / "q.parquet", names=("mlco2", "tdp"))

        assert [name for name in names for _ in range(2)] == table["job_id"].to_pylist()
        assert jobs["device_hours"].equals(
            table.filter(pc.equal(table["method"], pa.scalar("tdp")))["device_hours"]
        )

    def test_of_jobs_that_break_a_rule_are_left_out_and_counted(self, tmp_path: Path) -> None:
        manifest = write_queue(tmp_path / "q.parquet", device=["H1000", A100, A100])

        settings = settings_for(tmp_path, publish={"max_rejected_pct": 50})
        with a_night(settings, manifest) as night:
            rows, jobs, _ = write_method_estimates(night, [method_named("tdp")], tmp_path / "m.parquet")

        assert (2, 1) == (rows, jobs.rejected)

    def test_alone_are_written_and_nothing_is_published(self, tmp_path: Path) -> None:
        by_methods(tmp_path / "out", write_queue(tmp_path / "q.parquet"), names=("tdp",))

        assert ["m.parquet"] == [path.name for path in (tmp_path / "out").iterdir()]


class TestWhatAMethodCannotDo:
    def test_leaves_the_other_methods_and_jobs_alone(self, tmp_path: Path) -> None:
        rows = {
            (row["job_id"], row["method"]): row
            for row in by_methods(tmp_path, mixed(tmp_path / "q.parquet")).to_pylist()
        }

        lacking = {
            job: {name for name in METHODS if rows[job, name]["method_status"] == "not_applicable"}
            for job in ("hours", "flop", "tokens", "old", "vast")
        }
        family = {name for name, method in METHODS.items() if not method.predicts_hours}
        llmcarbon = {"llmcarbon", "llmcarbon-as-published"}
        assert lacking == {
            "hours": set(),
            "flop": family | llmcarbon,
            "tokens": family,
            "old": family | llmcarbon,
            "vast": set(),
        }
        assert all(row["reason"] for row in rows.values() if row["method_status"] == "not_applicable")

    def test_and_an_unknown_place_leave_carbon_null_and_energy_known(self, tmp_path: Path) -> None:
        rows = by_methods(tmp_path, mixed(tmp_path / "q.parquet"), names=("calibrated", "tdp", "codecarbon"))
        by = {(row["job_id"], row["method"]): row for row in rows.to_pylist()}

        for name in ("calibrated", "tdp"):
            row = by["nowhere-hours", name]
            assert row["energy_kwh"] > 0
            assert {None} == {row[f"{part}_kgco2e"] for part in ("operational", "total", "total_high")}
            assert "no carbon intensity" in row["reason"]
        assert 475.0 == by["nowhere-hours", "codecarbon"]["carbon_intensity_gco2e_per_kwh"]


def test_fits_that_are_given_stand_for_those_of_both_profiles(tmp_path: Path) -> None:
    manifest = mixed(tmp_path / "q.parquet")
    with a_night(settings_for(tmp_path), manifest) as night:
        pipeline.prepare(night, pipeline.read(night))
        fits = load_context(night).fits
    slower = fits
    for end in ("log10_alpha_low", "log10_alpha", "log10_alpha_high"):
        at = slower.column_names.index(end)
        slower = slower.set_column(at, fits.schema.field(end), pc.subtract(fits[end], pa.scalar(3.0)))
    pq.write_table(slower, tmp_path / "fits.parquet")
    names = ("calibrated", "opencarboneval", "constant-utilisation")

    hours: list[list[Any]] = []
    for given in (None, tmp_path / "fits.parquet"):
        with a_night(settings_for(tmp_path), manifest) as night:
            chosen = [method_named(name) for name in names]
            write_method_estimates(night, chosen, tmp_path / "m.parquet", fits=given)
        table = pq.ParquetFile(tmp_path / "m.parquet").read()
        hours.append(table.filter(pc.equal(table["job_id"], pa.scalar("tokens")))["device_hours"].to_pylist())

    before, after = hours
    assert after[0] > before[0]
    assert after[1] > before[1]
    assert after[2] == before[2]


def test_the_default_region_of_the_settings_is_that_of_jobs_that_name_none(tmp_path: Path) -> None:
    sections = {"plan": {"default_region": "gcp:europe-west4"}}

    table = by_methods(tmp_path, mixed(tmp_path / "q.parquet"), names=("green-algorithms",), **sections)

    row = next(row for row in table.to_pylist() if row["job_id"] == "nowhere-hours")
    assert ("gcp:europe-west4", 1.12, "annual") == (
        row["baseline_region"],
        row["pue"],
        row["intensity_kind"],
    )
