"""Nights remember their fits: what moves too far, or stands on a damaged table, waits for a person."""

import shutil
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from opencarbon import pipeline
from opencarbon.catalog import load_catalog
from opencarbon.cli.tables import summary_lines
from opencarbon.estimation.fitting.fit_evidence import log10_alpha_at_utilisation
from opencarbon.estimation.hours import fitted_device_hours
from opencarbon.pipeline import Outcome
from opencarbon.pipeline.fit_memory import previous_fits, refit_of_night
from opencarbon.pipeline.refits import refit_devices
from opencarbon.publishing.parquet import read_table
from opencarbon.settings import Settings, load_settings
from opencarbon.sources.store.fits import StoredFits, keep_fits
from opencarbon.tables.events import Event
from opencarbon.tables.inputs import DEVICE_FITS
from tests.epoch_table import H100, MI300X, Row, as_csv, rows, with_cells
from tests.example import tree, write_queue
from tests.pipeline.nights import AS_OF, a_night, publish, settings_for

DAY = timedelta(days=1)


@dataclass(frozen=True)
class World:
    """A table of models, a queue whose hours are predicted, a store and a release."""

    folder: Path
    profile: str = "calibrated"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def fits_kept(self) -> list[str]:
        return sorted(path.name for path in self.store.rglob("device_fits/**/*.parquet"))

    def settings(self) -> Settings:
        models: dict[str, object] = {"models_url": str(self.folder / "models.csv")}
        return settings_for(self.folder, epoch_ai=models, estimate={"profile": self.profile})

    def write(self, models: list[Row] | bytes | None) -> None:
        if models is not None:
            content = models if isinstance(models, bytes) else as_csv(models)
            (self.folder / "models.csv").write_bytes(content)

    def night(self, day: int, models: list[Row] | bytes | None = None) -> "Fitted":
        """A whole night, published."""
        self.write(models)
        outcome = publish(self.settings(), self.folder / "queue.parquet", as_of_utc=AS_OF + day * DAY)
        fits, runs = (read_table(outcome.directory, name) for name in ("fact_device_fit", "training_runs"))
        return Fitted(fits, runs, outcome.events, outcome)

    def refit(self, day: int, models: list[Row] | bytes | None = None) -> "Fitted":
        """The refit of a night that goes no further."""
        self.write(models)
        with a_night(self.settings(), self.folder / "queue.parquet", as_of_utc=AS_OF + day * DAY) as night:
            found = refit_of_night(night, load_catalog((), ()), None)
        return Fitted(found.fits, found.runs, tuple(found.events))


@dataclass(frozen=True)
class Fitted:
    """What came of a refit, and of the night if it was published."""

    table: pa.Table
    runs: pa.Table
    events: tuple[Event, ...]
    published: Outcome | None = None

    @property
    def outcome(self) -> Outcome:
        assert self.published is not None
        return self.published

    @property
    def fits(self) -> dict[str, dict[str, Any]]:
        return {row["device"]: row for row in self.table.to_pylist()}

    def states(self) -> set[str]:
        return {row["refit_state"] for row in self.fits.values()}

    def warnings(self, code: str) -> dict[str | None, str]:
        return {
            event.subject: event.detail
            for event in self.events
            if (event.severity, event.code) == ("warning", code)
        }

    def reasons(self) -> dict[str, str | None]:
        found = self.runs.to_pylist()
        return {row["model"]: row["reason"] for row in found if str(row["model"]).startswith("Model-")}

    def tables(self) -> dict[str, bytes]:
        """Files of the run but its record, which says how long it took."""
        folder = Path(self.outcome.directory.path)
        files = (path for path in folder.rglob("*") if path.is_file() and path.name != "release.json")
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}

    def job_hours(self) -> list[float | None]:
        """Device-hours of the queue's jobs, on the MI300X, the H100 and an A100."""
        return read_table(self.outcome.directory, "fact_job_estimate")["device_hours"].to_pylist()

    def hours(self) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
        """Predicted hours of every device, of small and large runs on few and many devices."""
        devices, names = load_catalog((), ()).devices, self.table["device"]
        predicted = [
            fitted_device_hours(
                self.table,
                devices,
                device=names,
                training_flop=np.full(len(names), flop),
                device_count=np.full(len(names), count),
            ).central
            for flop in (1e21, 1e23, 1e25)
            for count in (8.0, 512.0, np.nan)
        ]
        return dict(zip(map(str, names.to_pylist()), np.stack(predicted, axis=1), strict=True))


def assert_moves_are_said(before: Fitted, after: Fitted) -> None:
    old, new = before.hours(), after.hours()
    for device, row in after.fits.items():
        if row["refit_state"] in ("kept", "moved", "held"):
            limit = 1.25 if row["refit_state"] == "moved" else 1.0
            assert np.abs(np.log(new[device] / old[device])).max() <= np.log(limit) + 1e-9, device


def assert_nothing_moved(before: Fitted, after: Fitted) -> None:
    assert {"held"} == after.states()
    assert_moves_are_said(before, after)


@pytest.fixture(scope="module")
def first_world(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Fitted]:
    world = World(tmp_path_factory.mktemp("first"))
    write_queue(
        world.folder / "queue.parquet",
        device=[MI300X, H100, "NVIDIA A100 SXM4 80GB"],
        wall_hours=None,
        training_flop=[1e21, 1e21, 1e21],
    )
    return world, world.night(0, rows())


@pytest.fixture
def world(tmp_path: Path, first_world: tuple[World, Fitted]) -> World:
    """A copy of the world after its first night."""
    shutil.copytree(first_world[0].folder, tmp_path / "world", symlinks=True)
    return World(tmp_path / "world")


@pytest.fixture
def first(first_world: tuple[World, Fitted]) -> Fitted:
    return first_world[1]


def accept(world: World, moment_utc: datetime) -> None:
    """Store the refit on the models at hand as a person accepts it."""
    settings = world.settings()
    refit = refit_devices(load_catalog((), ()), settings, settings.epoch_ai.models_url, None)
    stored = StoredFits(refit.fits, moment_utc, refit.models, refit.legible_models, "accepted")
    keep_fits(settings.store.root, stored, profile=world.profile)


class TestHolding:
    def test_the_first_night_has_nothing_to_compare_with(self, first: Fitted, world: World) -> None:
        assert {"first"} == first.states()
        assert ("device_runs", 5) == (
            first.fits[MI300X]["fit_source"],
            first.fits[MI300X]["training_runs"],
        )
        assert {} == first.warnings("held")
        assert 1 == len(world.fits_kept)

    def test_a_refit_that_changes_nothing_keeps_every_fit(self, first: Fitted, world: World) -> None:
        second = world.refit(1)

        assert {"kept"} == second.states()
        assert_moves_are_said(first, second)

    def test_a_device_that_moves_too_far_is_held_night_after_night_until_it_is_accepted(
        self, first: Fitted, world: World
    ) -> None:
        second, third = world.night(1, rows(mi300x=0.13)), world.night(2)

        for before, held in ((first, second), (second, third)):
            assert "held" == held.fits[MI300X]["refit_state"]
            assert first.fits[MI300X]["utilisation"] == held.fits[MI300X]["utilisation"]
            assert held.fits[MI300X]["refit_tflop_per_s"] < 0.7 * first.fits[MI300X]["tflop_per_s"]
            assert 5 == held.fits[MI300X]["refit_training_runs"]
            assert first.job_hours()[0] == held.job_hours()[0]
            assert_moves_are_said(before, held)
        said = second.warnings("held")[MI300X]
        assert "moves predicted hours by +" in said
        assert "more than 25 % either way), runs 5 to 5" in said
        assert "the fit of the night of 2026-11-16T00:00Z is used until `opencarbon fit --accept`" in said
        assert f"held: {said}" in list(summary_lines(second.outcome))

        refit = second.fits[MI300X]["refit_tflop_per_s"]
        accept(world, AS_OF + 2 * DAY + timedelta(hours=1))
        fourth = world.night(3)

        assert ("kept", refit) == (
            fourth.fits[MI300X]["refit_state"],
            pytest.approx(fourth.fits[MI300X]["tflop_per_s"]),
        )
        assert {} == fourth.warnings("held")
        slower, known = fourth.job_hours()[0], first.job_hours()[0]
        assert slower is not None
        assert known is not None
        assert slower > 1.25 * known

    @pytest.mark.parametrize("slowed", [18, 19])
    def test_a_refit_that_is_wrong_for_a_third_of_the_devices_is_used_for_none(
        self, first: Fitted, world: World, slowed: int
    ) -> None:
        catalog = load_catalog((), ())
        fits = first.table.drop_columns(["run_id"]).to_pylist()
        count = len(fits) * slowed // 55
        for row in fits[:count]:
            row["log10_alpha"] = float(
                log10_alpha_at_utilisation(
                    row["reference_training_flop"],
                    row["utilisation"] / 2,
                    row["tflop_per_s"] / row["utilisation"],
                )
            )
        known = StoredFits(pa.Table.from_pylist(fits, schema=DEVICE_FITS.schema()), AS_OF, 0, 0)

        found = refit_devices(catalog, world.settings(), str(world.folder / "models.csv"), known)

        codes = [event.code for event in found.events if event.severity == "warning"]
        alphas = dict(
            zip(found.fits["device"].to_pylist(), found.fits["log10_alpha"].to_pylist(), strict=True)
        )
        if slowed == 18:
            assert ["held"] * count == codes
        else:
            assert ["refit_refused"] == codes
            assert {row["device"]: row["log10_alpha"] for row in fits} == alphas
            assert {change.state for change in found.changes} <= {"held", "kept"}

    def test_the_form_of_the_paper_is_held_too_and_kept_apart(self, world: World) -> None:
        paper = replace(world, profile="paper")
        first = paper.night(1)

        second = paper.refit(2, rows(mi300x=0.13))

        assert {"first"} == first.states()
        assert "held" == second.fits[MI300X]["refit_state"]
        assert_moves_are_said(first, second)

    def test_offline_nights_between_others_keep_what_the_others_learned(
        self, first: Fitted, world: World
    ) -> None:
        settings = load_settings(None, {"store": {"root": str(world.store)}})
        previous, _ = previous_fits(settings, AS_OF + DAY)

        offline = refit_devices(load_catalog((), ()), settings, None, previous)

        assert {"held"} == set(offline.fits["refit_state"].to_pylist())
        assert [("info", "offline")] == [(event.severity, event.code) for event in offline.events]
        assert_moves_are_said(first, Fitted(offline.fits, offline.runs, ()))


class TestCorruptTables:
    @pytest.mark.parametrize(
        "models",
        [
            pytest.param(b"", id="an empty file"),
            pytest.param(as_csv(rows()[:0]), id="a header alone"),
            pytest.param(as_csv(rows())[: len(as_csv(rows())) // 2], id="half a download"),
            pytest.param(as_csv(rows()[:10]), id="a download cut at the end of a line"),
            pytest.param(b"<!doctype html><title>Sign in</title>", id="a web page"),
            pytest.param(
                as_csv(
                    with_cells(
                        rows(),
                        Parameters=lambda row: row["Training compute (FLOP)"],
                        Training_compute=lambda row: row["Parameters"],
                    )
                ),
                id="swapped columns",
            ),
            pytest.param(
                as_csv(with_cells(rows(), Training_time=lambda row: f"about {row['Training time (hours)']}")),
                id="text in numbers",
            ),
            pytest.param(
                as_csv(
                    with_cells(
                        rows(), Training_time=lambda row: str(100 * float(row["Training time (hours)"]))
                    )
                ),
                id="hours in percent",
            ),
            pytest.param(
                as_csv(with_cells(rows(), Training_hardware=lambda row: f"New {row['Training hardware']}")),
                id="every device renamed",
            ),
        ],
    )
    def test_a_table_that_is_wrong_leaves_every_fit_as_it_was_and_is_said(
        self, first: Fitted, world: World, models: bytes
    ) -> None:
        second = world.refit(1, models)

        assert_nothing_moved(first, second)
        said = [event for event in second.events if event.source == "epoch_ai"]
        assert ["warning"] == [event.severity for event in said]
        assert "the fits of the night of 2026-11-16T00:00Z are used for every device" in said[0].detail
        assert "published runs of the catalog" not in said[0].detail

    def test_the_night_after_is_as_if_nothing_had_happened(self, first: Fitted, world: World) -> None:
        second = world.night(1, b"")

        third = world.refit(2, rows())

        assert_nothing_moved(first, second)
        assert first.job_hours() == second.job_hours()
        assert {"kept"} == third.states()
        assert_moves_are_said(first, third)

    @pytest.mark.parametrize("factor", [100.0, 0.01])
    def test_a_hundredfold_outlier_is_left_out_by_name(
        self, first: Fitted, world: World, factor: float
    ) -> None:
        models = rows()
        models[0] |= {"Training time (hours)": str(factor * float(models[0]["Training time (hours)"]))}

        second = world.refit(1, models)

        assert {"Model-0-7B"} == {model for model, reason in second.reasons().items() if reason}
        assert_moves_are_said(first, second)

    def test_text_in_one_number_leaves_out_its_row_by_name(self, first: Fitted, world: World) -> None:
        models = rows()
        models[7] |= {"Training time (hours)": "a few weeks"}

        second = world.refit(1, models)

        assert {"Model-7-7B"} == {model for model, reason in second.reasons().items() if reason}
        assert_moves_are_said(first, second)

    def test_a_device_renamed_keeps_its_fit_and_its_rows_are_named(self, first: Fitted, world: World) -> None:
        second = world.refit(1, with_cells(rows(), MI300X, Training_hardware=lambda _: "AMD Instinct MX-300"))

        held = second.fits[MI300X]
        assert ("held", 5) == (held["refit_state"], held["training_runs"])
        assert "keeps 0 of 5 runs" in second.warnings("held")[MI300X]
        assert 5 == sum(reason is not None for reason in second.reasons().values())
        assert_moves_are_said(first, second)

    def test_without_earlier_fits_devices_are_fitted_on_the_catalog(self, world: World) -> None:
        shutil.rmtree(world.store)
        shutil.rmtree(world.folder / "release")

        second = world.refit(1, b"")

        assert {"first"} == second.states()
        assert "devices are fitted on the published runs of the catalog" in second.warnings("shape")[None]

    def test_a_store_that_is_lost_leaves_the_published_fits(self, first: Fitted, world: World) -> None:
        shutil.rmtree(world.store)

        assert_nothing_moved(first, world.refit(1, b""))


class TestIdentity:
    def test_the_same_night_again_is_the_same_run_to_the_byte(self, world: World) -> None:
        second = world.night(1, rows(mi300x=0.13))
        kept, published = world.fits_kept, second.tables()

        assert "unchanged" == world.night(1).outcome.status
        shutil.rmtree(world.folder / "release")
        again = world.night(1)

        assert "published" == again.outcome.status
        assert published == again.tables()
        assert kept == world.fits_kept

    def test_a_publisher_that_dies_before_it_keeps_its_fits_does_no_harm(self, world: World) -> None:
        second = world.night(1, rows(mi300x=0.36))
        kept = world.fits_kept
        latest = next(path for path in world.store.rglob("*.parquet") if path.name == kept[-1])
        latest.unlink()

        assert (second.outcome.run_id, "unchanged") == (world.night(1).outcome.run_id, "unchanged")
        assert kept == world.fits_kept

        latest.unlink()
        third = world.night(2, rows(mi300x=0.13))

        assert "the fit of the night of 2026-11-17T00:00Z is used" in third.warnings("held")[MI300X]
        assert second.job_hours()[0] == third.job_hours()[0]
        assert kept == world.fits_kept[:2]
        assert 3 == len(world.fits_kept)

    def test_a_night_that_is_superseded_keeps_nothing(self, world: World) -> None:
        kept = world.fits_kept

        assert "superseded" == world.night(-1, rows(mi300x=0.13)).outcome.status
        assert kept == world.fits_kept

    def test_a_dry_run_and_a_single_table_keep_nothing(self, world: World) -> None:
        before = tree(world.folder)

        with a_night(world.settings(), world.folder / "queue.parquet", as_of_utc=AS_OF + DAY) as night:
            pipeline.run_night(night, dry_run=True)
            pipeline.write_job_table(night, "rec_job", Path((night.work / "out/rec_job.parquet").path))

        assert before == tree(world.folder)

    def test_a_store_that_cannot_be_written_is_said_and_stops_nothing(self, world: World) -> None:
        shutil.rmtree(world.store)
        world.store.write_bytes(b"")

        second = world.night(1)

        assert "published" == second.outcome.status
        assert {"kept"} == second.states()
        assert [event for event in second.outcome.events if event.source == "fit_store"]
