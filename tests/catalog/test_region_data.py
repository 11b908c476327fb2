"""The shipped facts about providers, regions, zones and annual carbon intensities."""

import io
import re
from collections import Counter
from datetime import datetime, timedelta
from importlib.resources import files
from statistics import median
from typing import Any, Final
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.csv as pacsv
import pytest

from opencarbon.catalog import load_catalog

DATA: Final = files("opencarbon.catalog") / "data"
NUMBERS: Final = (
    "latitude",
    "longitude",
    "pue",
    "fleet_pue",
    "assumed_pue",
    "carbon_intensity_gco2e_per_kwh",
)
WORLD: Final = "WORLD"
DISPUTED: Final = {
    "aws:eu-north-1",
    "aws:us-west-2",
    "azure:northcentralus",
    "azure:swedencentral",
    "azure:westus",
    "gcp:me-central1",
    "gcp:us-central1",
    "gcp:us-east1",
    "gcp:us-west1",
}


def rows_of(name: str) -> list[dict[str, Any]]:
    """A data file, all text but the numbers; only the empty cell is null."""
    data = (DATA / name).read_bytes()
    header = data.split(b"\n", 1)[0].decode().split(",")
    types = {column: pa.float64() if column in NUMBERS else pa.string() for column in header}
    options = pacsv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True)
    return pacsv.read_csv(io.BytesIO(data), convert_options=options).to_pylist()


REGIONS: Final = rows_of("regions.csv")
PROVIDERS: Final = {row["provider"]: row for row in rows_of("providers.csv")}
ZONES: Final = {row["zone"]: row for row in rows_of("zones.csv")}
ANNUAL: Final = rows_of("annual_intensity.csv")
SOURCES: Final = {row["source_id"]: row for row in rows_of("sources-grid.csv")}


def test_every_provider_has_many_regions() -> None:
    counts = Counter(row["provider"] for row in REGIONS)

    assert set(PROVIDERS) == set(counts)
    assert all(count >= 30 for count in counts.values())
    assert len(REGIONS) >= 90


def test_a_region_is_named_once_by_its_provider_and_in_lower_case() -> None:
    names = [row["region"] for row in REGIONS]

    assert sorted(set(names)) == names
    assert all(re.fullmatch(rf"{row['provider']}:[a-z0-9-]+", row["region"]) for row in REGIONS)


def test_every_region_has_a_zone_but_the_two_of_aws_in_china() -> None:
    assert [row["region"] for row in REGIONS if row["zone"] is None] == [
        "aws:cn-north-1",
        "aws:cn-northwest-1",
    ]


def test_every_zone_of_a_region_is_known_and_of_the_same_country() -> None:
    unlike = [
        row for row in REGIONS if row["zone"] and ZONES[row["zone"]]["country_code"] != row["country_code"]
    ]

    assert unlike == []


def test_a_region_without_a_zone_lies_in_a_country_that_is_one_zone_with_a_mean() -> None:
    countries = {row["country_code"] for row in REGIONS if row["zone"] is None}
    whole = {row["country_code"]: zone for zone, row in ZONES.items() if row["is_whole_country"] == "true"}

    assert countries <= set(whole)
    assert {whole[country] for country in countries} <= {row["zone"] for row in ANNUAL}


def test_every_zone_and_the_world_has_annual_means() -> None:
    assert {*ZONES, WORLD} == {row["zone"] for row in ANNUAL}


def test_zones_have_the_two_latest_years_once_each() -> None:
    years = Counter((row["zone"], row["year"]) for row in ANNUAL if row["zone"] != WORLD)

    assert years == {(zone, year): 1 for zone in ZONES for year in ("2024", "2025")}


def test_annual_means_are_plausible_and_of_one_factor_type() -> None:
    assert all(10.0 <= row["carbon_intensity_gco2e_per_kwh"] <= 900.0 for row in ANNUAL)
    assert {row["emission_factor_type"] for row in ANNUAL} == {"lifecycle"}


def test_only_the_world_is_not_consumption_based() -> None:
    other = [row["zone"] for row in ANNUAL if row["accounting_basis"] != "consumption_flow_traced"]

    assert other == [WORLD]


def test_annual_means_keep_licence_and_attribution() -> None:
    zones = {row["source_id"] for row in ANNUAL if row["zone"] != WORLD}
    notice = (files("opencarbon.catalog") / "LICENSE-annual-intensity.md").read_text(encoding="utf-8")

    assert {SOURCES[source]["licence"] for source in zones} == {"ODbL-1.0"}
    assert all("Electricity Maps" in SOURCES[source]["attribution"] for source in zones)
    assert all(f"`{source}`" in notice for source in {row["source_id"] for row in ANNUAL})
    assert "https://opendatacommons.org/licenses/odbl/1-0/" in notice


@pytest.mark.parametrize(("column", "limit"), [("latitude", 90.0), ("longitude", 180.0)])
def test_coordinates_are_on_the_globe(column: str, limit: float) -> None:
    assert all(-limit <= row[column] <= limit for row in REGIONS)


def test_coordinates_lie_in_the_hemisphere_of_their_time_zone() -> None:
    """An exchanged or unsigned coordinate puts a region more than 3.5 h from its clock."""
    far = []
    for row in REGIONS:
        if row["zone"] is None:
            continue
        january = datetime(2026, 1, 15, tzinfo=ZoneInfo(ZONES[row["zone"]]["time_zone"]))
        offset_h = (january.utcoffset() or timedelta()) / timedelta(hours=1)
        if abs(offset_h - row["longitude"] / 15.0) > 3.5:
            far.append(row["region"])

    assert far == []


def test_power_usage_effectiveness_is_plausible_and_its_standing_is_said() -> None:
    assert all(1.0 <= row["pue"] <= 2.0 for row in REGIONS)
    assert {row["pue_status"] for row in REGIONS} == {"measured", "assumed"}


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_an_assumed_pue_is_the_median_of_what_the_provider_publishes(
    provider: str,
) -> None:
    own = [row for row in REGIONS if row["provider"] == provider]
    published = [row["pue"] for row in own if row["pue_status"] == "measured"]
    assumed = {row["pue"] for row in own if row["pue_status"] == "assumed"}

    assert len(published) >= 10
    assert assumed == {round(median(published), 3)} == {PROVIDERS[provider]["assumed_pue"]}


@pytest.mark.parametrize(
    ("provider", "low", "high"), [("aws", 1.07, 1.46), ("azure", 1.12, 1.30), ("gcp", 1.05, 1.14)]
)
def test_the_ends_of_a_pue_are_those_that_the_provider_publishes(
    provider: str, low: float, high: float
) -> None:
    """AWS by region for 2024, Microsoft by geography and Google by campus for 2025."""
    rows = [row for row in load_catalog().regions.to_pylist() if row["provider"] == provider]
    ends = {
        row["pue_status"]: (row["pue_low"], row["pue_high"]) for row in rows if row["pue_status"] == "assumed"
    }

    assert {"assumed": (low, high)} == ends
    assert all(
        row["pue_low"] == row["pue"] == row["pue_high"] for row in rows if row["pue_status"] == "measured"
    )


def test_the_nine_disputed_zones_are_flagged_with_the_other_candidate_and_a_reason() -> None:
    flagged = {row["region"]: row for row in REGIONS if row["alternative_zone"]}

    assert set(flagged) == DISPUTED
    assert all(row["zone_note"] and row["alternative_zone"] != row["zone"] for row in flagged.values())
    assert {row["alternative_zone"] for row in flagged.values()} <= set(ZONES)


def test_zone_and_country_keys_that_other_formats_take_for_something_else_stay_text() -> None:
    norway = {row["zone"] for row in REGIONS if row["country_code"] == "NO"}

    assert norway == {"NO-NO1", "NO-NO2"}
    assert all(isinstance(zone, str) and re.fullmatch(r"[A-Z]{2}(-[A-Z0-9]+)*", zone) for zone in ZONES)
    assert all(re.fullmatch("[A-Z]{2}", row["country_code"]) for row in [*REGIONS, *ZONES.values()])


def test_a_country_of_several_zones_is_not_called_whole() -> None:
    per_country = Counter(row["country_code"] for row in ZONES.values())
    whole = [row for row in ZONES.values() if row["is_whole_country"] == "true"]

    assert {row["is_whole_country"] for row in ZONES.values()} == {"true", "false"}
    assert [row["zone"] for row in whole if per_country[row["country_code"]] > 1] == []
    assert [row["zone"] for row in whole if row["zone"] != row["country_code"]] == []


def test_every_time_zone_exists() -> None:
    assert all(ZoneInfo(row["time_zone"]).key == row["time_zone"] for row in ZONES.values())


def test_every_source_resolves_and_says_its_licence() -> None:
    named = {row["source_id"] for row in [*REGIONS, *ZONES.values(), *ANNUAL, *PROVIDERS.values()]}
    named |= {row["pue_source_id"] for row in PROVIDERS.values()}

    assert named <= set(SOURCES)
    assert all(
        SOURCES[source][column] for source in SOURCES for column in ("title", "licence", "retrieved_date")
    )
    assert all(SOURCES[source]["url"].startswith("https://") for source in named)
