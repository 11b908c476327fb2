"""Hours and fits that are in the store before the night: it uses them, and asks nothing that it does not have to."""

from collections import Counter
from datetime import datetime, timedelta

import pytest

from opencarbon import pipeline
from opencarbon.errors import SourceUnavailableError
from opencarbon.pipeline import Ingested, Refitted
from opencarbon.pipeline.past_hours import pull_past_grid
from opencarbon.settings import Settings, load_settings
from opencarbon.sources.electricity_maps.past import Span
from tests.epoch_table import MI300X, as_csv, rows
from tests.grid_server import HOUR
from tests.live.nights import AS_OF, ASKED, DELAY, ZONES, Published, Site

DAY = timedelta(days=1)
FORECASTS = dict.fromkeys(ZONES, "forecast")


def settings(site: Site) -> Settings:
    return load_settings(site.config())


def ingest(site: Site, now_utc: datetime = AS_OF + DELAY) -> Ingested:
    site.grid.now_utc = now_utc
    return pipeline.ingest(settings(site), now_utc=now_utc)


def refit(site: Site, as_of_utc: datetime = AS_OF) -> Refitted:
    return pipeline.refit(settings(site), as_of_utc=as_of_utc, now_utc=as_of_utc + DELAY)


def forget(site: Site) -> None:
    site.grid.requests.clear()
    site.files.requests.clear()


def asked_of(site: Site) -> Counter[str]:
    """How often each zone of the queue was asked for."""
    return Counter({zone: len(site.grid.asked(zone)) for zone in ASKED})


def hours_of(night: Published) -> list[dict[str, object]]:
    return [
        {name: value for name, value in row.items() if name != "run_id"}
        for row in night.rows("fact_grid_intensity_hourly")
        if row["zone"] in ASKED
    ]


class TestIngest:
    def test_a_night_of_the_same_hour_asks_nothing_and_plans_as_if_it_had(self, site: Site) -> None:
        made = ingest(site)
        forget(site)
        night = site.night()

        assert site.grid.requests == []
        assert night.kinds_of_jobs() == FORECASTS
        assert night.events("electricity_maps") == []
        outcomes = {zone.zone: zone for zone in made.zones}
        assert [(True, "forecast", None)] * len(ASKED) == [
            (outcomes[zone].asked, outcomes[zone].kind, outcomes[zone].problem) for zone in ASKED
        ]
        assert outcomes["FR"].hours >= 72
        assert (False, "annual") == (outcomes["PL"].hours > 0, outcomes["PL"].kind)
        assert outcomes["PL"].problem is not None
        assert {(False, "forecast")} == {(zone.asked, zone.kind) for zone in night.outcome.zones}

        by_itself = site.folder / "another-store"
        site.set("store", root=str(by_itself))
        alone = site.night()
        assert hours_of(night) == hours_of(alone)
        assert len(hours_of(night)) > 200
        assert night.outcome.run_id == alone.outcome.run_id

    def test_a_night_before_it_leaves_it_the_other_zones(self, site: Site) -> None:
        night = site.night()
        assert {(zone, True) for zone in ASKED} == {(zone.zone, zone.asked) for zone in night.outcome.zones}
        forget(site)

        made = ingest(site)

        asked = {zone.zone for zone in made.zones if zone.asked}
        assert asked.isdisjoint(ASKED)
        assert len(asked) > 20

    def test_a_zone_that_gave_no_forecast_is_asked_again_and_no_other(self, site: Site) -> None:
        site.grid.misbehave("FR", "server_error", endpoint="forecast", times=1)
        ingest(site)
        forget(site)

        night = site.night()

        assert {zone for zone, times in asked_of(site).items() if times} == {"FR"}
        assert night.kinds_of_jobs() == FORECASTS

    def test_the_next_hour_is_asked_for_again(self, site: Site) -> None:
        ingest(site)
        forget(site)
        site.night(AS_OF + HOUR)

        assert all(asked_of(site).values())

    def test_figures_of_another_kind_are_not_fresh(self, site: Site) -> None:
        ingest(site)
        forget(site)
        site.set("electricity_maps", emission_factor_type="direct")
        site.night()

        assert all(asked_of(site).values())

    def test_past_hours_that_the_store_lacks_are_fetched_where_the_plan_covers_them(self, site: Site) -> None:
        site.grid.access = ("*",)
        made = ingest(site)

        assert made.past is not None
        found = {zone.zone: zone for zone in made.past.zones}
        assert all(found[zone].missing_hours == 0 for zone in ASKED)
        again = ingest(site)
        assert again.past is not None
        assert 0 == sum(zone.fetched_hours for zone in again.past.zones if zone.zone in ASKED)
        assert 0 == sum(zone.asked for zone in again.zones if zone.zone in ASKED)

    def test_hours_are_asked_for_again_a_day_of_them_at_a_time(self, site: Site) -> None:
        site.grid.access = (
            "carbon-intensity/history",
            "carbon-intensity/forecast",
            "carbon-intensity/past-range",
        )
        span = Span(AS_OF - 3 * DAY, AS_OF)
        site.grid.now_utc = AS_OF

        def fetched(now_utc: datetime, revise_from: int) -> int:
            site.grid.now_utc = now_utc
            options = settings(site)
            return pull_past_grid(
                options, ["FR"], span, clock=lambda: now_utc, revise_from=revise_from
            ).fetched_hours

        assert 72 == fetched(AS_OF, 20)
        assert 0 == fetched(AS_OF + 10 * HOUR, 20)
        assert 20 <= fetched(AS_OF + 30 * HOUR, 20) <= 24
        assert 0 == fetched(AS_OF + 31 * HOUR, 1)

    def test_without_a_token_nothing_is_asked_and_that_is_said(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("OPENCARBON_ELECTRICITY_MAPS__TOKEN")
        made = ingest(site)

        assert site.grid.requests == []
        assert made.past is None
        assert ["no_token"] == [event.code for event in made.events]


class TestNightsOfThePast:
    def test_ask_nothing_and_know_what_was_stored_by_then(self, site: Site) -> None:
        site.night()
        forget(site)

        night = site.night(AS_OF + HOUR, now_utc=AS_OF + 3 * DAY)

        assert site.grid.requests == site.files.requests == []
        assert night.kinds_of_jobs() == FORECASTS
        assert night.events("electricity_maps") == [(None, "past_night")]


class TestRefit:
    def test_nights_of_the_day_use_it_as_it_is(self, site: Site) -> None:
        night_alone = site.night(AS_OF - DAY)
        made = refit(site, AS_OF - 2 * HOUR)
        forget(site)

        night = site.night()

        assert made.is_new
        assert site.files.requests == []
        names = [name for name in made.fits.column_names if name != "run_id"]
        assert made.fits.to_pylist() == [
            {name: row[name] for name in names} for row in night.rows("fact_device_fit")
        ]
        assert len(night.rows("training_runs")) == len(night_alone.rows("training_runs")) > 50

        forget(site)
        later = site.night(AS_OF + HOUR)
        assert site.files.requests == [], "another night in between changes nothing"
        assert (
            later.rows("fact_device_fit")[0]["refit_state"] == night.rows("fact_device_fit")[0]["refit_state"]
        )

    def test_the_same_hour_again_changes_nothing(self, site: Site) -> None:
        made = refit(site)
        kept = sorted(site.store.rglob("*.parquet"))
        forget(site)

        again = refit(site, AS_OF + timedelta(minutes=40))

        assert (True, False) == (made.is_new, again.is_new)
        assert made.fits.equals(again.fits)
        assert site.files.requests == []
        assert kept == sorted(site.store.rglob("*.parquet"))

    def test_what_it_holds_is_said_by_the_nights_of_its_day(self, site: Site) -> None:
        models = site.folder / "models.csv"
        site.set("epoch_ai", models_url=str(models))
        models.write_bytes(as_csv(rows()))
        refit(site, AS_OF - DAY)
        models.write_bytes(as_csv(rows(mi300x=0.13)))

        made = refit(site, AS_OF - HOUR)
        models.unlink()
        night = site.night()

        assert MI300X in made.held
        assert [(device, "held") for device in made.held] == night.events("fits")
        assert night.events("epoch_ai") == []

    @pytest.mark.parametrize("spoil", ["runs", "fits"])
    def test_a_damaged_one_is_as_none(self, site: Site, spoil: str) -> None:
        refit(site, AS_OF - HOUR)
        folder = {"runs": "training_runs", "fits": "device_fits"}[spoil]
        (path,) = (site.store / folder).rglob("*.parquet")
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-9])
        forget(site)

        night = site.night()

        assert len(site.files.requests) == 1
        assert night.outcome.status == "published"

    def test_the_next_day_refits_for_itself(self, site: Site) -> None:
        refit(site)
        forget(site)
        site.night(AS_OF + DAY)

        assert len(site.files.requests) == 1

    def test_a_store_that_cannot_be_written_is_an_error(self, site: Site) -> None:
        site.store.write_text("a file where the folder should be")
        with pytest.raises(SourceUnavailableError, match="cannot be written"):
            refit(site)
