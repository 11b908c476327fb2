"""The catalog as it is loaded, with the user's files over it."""

import csv
import tomllib
from importlib.resources import files
from pathlib import Path

import pyarrow.compute as pc
import pytest

from opencarbon.catalog import Catalog, load_catalog, squeeze
from opencarbon.catalog.files import catalog_sha256
from opencarbon.catalog.pue import UNKNOWN_PUE
from opencarbon.errors import ConfigError
from opencarbon.tables.conform import conform, foreign_key_violations
from opencarbon.tables.contracts import PUBLISHED

DATA = files("opencarbon.catalog") / "data"
A100 = "NVIDIA A100 SXM4 80GB"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def row(catalog: Catalog, table: str, name: str) -> dict[str, object]:
    rows = {"device": catalog.devices, "region": catalog.regions, "zone": catalog.zones}[table].to_pylist()
    return next(row for row in rows if row[table] == name)


class TestAsShipped:
    def test_every_table_keeps_its_contract_and_every_source_is_declared(self, catalog: Catalog) -> None:
        tables = {
            "dim_device": catalog.devices,
            "dim_region": catalog.regions,
            "dim_zone": catalog.zones,
            "dim_source": catalog.sources,
        }

        for name, table in tables.items():
            assert conform(table, PUBLISHED[name]).equals(table)
        assert [] == foreign_key_violations(tables, PUBLISHED)

    def test_no_row_of_the_files_is_lost(self, catalog: Catalog) -> None:
        entries = tomllib.loads((DATA / "devices.toml").read_text(encoding="utf-8"))["device"]
        regions, counted = (
            list(csv.DictReader((DATA / name).read_text(encoding="utf-8").splitlines()))
            for name in ("regions.csv", "training_compute.csv")
        )

        assert len(entries) == catalog.devices.num_rows
        assert len(regions) == catalog.regions.num_rows
        assert len(counted) == catalog.training_compute.num_rows

    def test_a_device_is_found_by_any_spelling_of_its_name(self, catalog: Catalog) -> None:
        for spelling in (A100, "nvidia-a100-sxm4-80gb", "NVIDIA A100  SXM4 / 80GB"):
            assert (A100, 1.0) == catalog.device_units[squeeze(spelling)]

    def test_every_device_is_found_by_its_own_name(self, catalog: Catalog) -> None:
        for device in catalog.device_names():
            assert (device, 1.0) == catalog.device_units[squeeze(device)]

    def test_parts_of_a_device_count_as_parts(self, catalog: Catalog) -> None:
        assert ("Google TPU v3", 0.5) == catalog.device_units[squeeze("TPU v3 core")]

    def test_zones_that_look_like_yes_no_or_nothing_are_text(self, catalog: Catalog) -> None:
        zones = catalog.zones["zone"].to_pylist()

        assert None not in zones
        assert {"NO", "NO-NO1"} & set(zones)
        assert all(isinstance(zone, str) and zone for zone in zones)

    def test_the_latest_annual_intensity_of_each_zone_is_taken(self, catalog: Catalog) -> None:
        latest: dict[str, int] = {}
        for line in catalog.annual.to_pylist():
            latest[line["zone"]] = max(line["year"], latest.get(line["zone"], 0))

        found = {
            zone["zone"]: zone["annual_year"] for zone in catalog.zones.to_pylist() if zone["annual_year"]
        }
        assert latest == found

    def test_every_offered_device_is_one_of_the_catalog(self, catalog: Catalog) -> None:
        offered = {device for devices in catalog.offers.values() for device in devices}

        assert set() == offered - set(catalog.device_names())

    def test_every_region_with_intensities_has_a_zone_of_the_catalog(self, catalog: Catalog) -> None:
        zones = catalog.regions["zone"].drop_null()

        assert pc.all(pc.is_in(zones, value_set=catalog.zones["zone"].combine_chunks())).as_py()


class TestDevicesOfTheUser:
    def test_a_device_is_added_with_its_aliases(self, tmp_path: Path) -> None:
        text = (
            '[[device]]\ndevice = "ACME T1"\nvendor = "ACME"\ntdp_w = 300\npeak_dense_tflop_per_s = 100\n'
            'aliases = ["acme-one"]\npart_aliases = { "acme core" = 0.25 }\n'
        )

        catalog = load_catalog([write(tmp_path, "d.toml", text)])

        assert (300.0, "user-catalog") == tuple(
            row(catalog, "device", "ACME T1")[key] for key in ("tdp_w", "source_id")
        )
        assert ("ACME T1", 1.0) == catalog.device_units[squeeze("Acme One")]
        assert ("ACME T1", 0.25) == catalog.device_units[squeeze("ACME core")]

    def test_an_override_keeps_what_it_does_not_state_and_says_whose_it_is(self, tmp_path: Path) -> None:
        shipped = row(load_catalog(), "device", A100)

        catalog = load_catalog([write(tmp_path, "d.toml", f'[[device]]\ndevice = "{A100}"\ntdp_w = 350.0\n')])

        assert shipped | {"tdp_w": 350.0, "source_id": "user-catalog"} == row(catalog, "device", A100)
        assert (A100, 1.0) == catalog.device_units[squeeze(A100)]

    def test_a_later_file_goes_over_an_earlier_one(self, tmp_path: Path) -> None:
        paths = [
            write(tmp_path, f"{tdp}.toml", f'[[device]]\ndevice = "{A100}"\ntdp_w = {tdp}\n')
            for tdp in (300, 200)
        ]

        assert 200.0 == row(load_catalog(paths), "device", A100)["tdp_w"]

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("[[device]]\ntdp_w = 1\n", "entry 1: add the key device"),
            ('[[device]]\ndevice = "X"\n', "vendor"),
            (
                f'[[device]]\ndevice = "{A100}"\ntdp_watt = 3\n',
                "unknown name 'tdp_watt'; did you mean 'tdp_w'",
            ),
            (f'[[device]]\ndevice = "{A100}"\ntdp_w = "a lot"\n', "tdp_w"),
            (f'[[device]]\ndevice = "{A100}"\ntdp_w = -5\n', "below 0"),
            (f'[[device]]\ndevice = "{A100}"\naliases = "A1"\n', "aliases is a list"),
            (f'[[device]]\ndevice = "{A100}"\npart_aliases = ["A1"]\n', "part_aliases gives"),
            (f'[[device]]\ndevice = "{A100}"\nsource_id = "my-notes"\n', "'my-notes'"),
            (f'[[device]]\ndevice = "{A100}"\npublished_tdp_w = 3\n', "give all of"),
            (f'[device]\ndevice = "{A100}"\n', r"\[\[device\]\]"),
            ("devices = []\n", "unknown name 'devices'; did you mean 'device'"),
            ("[[device]\n", "cannot be used"),
        ],
    )
    def test_a_file_that_cannot_be_meant_is_refused(self, tmp_path: Path, text: str, words: str) -> None:
        with pytest.raises(ConfigError, match=words):
            load_catalog([write(tmp_path, "d.toml", text)])

    def test_a_spelling_for_two_devices_is_refused(self, tmp_path: Path) -> None:
        text = '[[device]]\ndevice = "X"\nvendor = "V"\ntdp_w = 1\npeak_dense_tflop_per_s = 1\naliases = ["V100 SXM2 16GB"]\n'

        with pytest.raises(ConfigError, match=r"stands for .* and for X"):
            load_catalog([write(tmp_path, "d.toml", text)])

    def test_a_file_that_is_not_there_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"none\.toml cannot be used"):
            load_catalog([str(tmp_path / "none.toml")])


class TestRegionsOfTheUser:
    def test_a_region_is_added_with_what_is_assumed_marked_so(self, tmp_path: Path) -> None:
        path = write(tmp_path, "r.csv", "region,zone,country_code\nonprem:berlin,DE,DE\n")

        found = row(load_catalog([], [path]), "region", "onprem:berlin")

        expected = {
            "provider": "onprem",
            "pue": UNKNOWN_PUE,
            "pue_status": "assumed",
            "source_id": "user-catalog",
        }
        assert expected == {key: found[key] for key in expected}

    def test_a_stated_pue_is_estimated_unless_it_says_more(self, tmp_path: Path) -> None:
        path = write(tmp_path, "r.csv", "region,zone,pue,pue_status\na:b,DE,1.2,\na:c,DE,1.3,measured\n")

        catalog = load_catalog([], [path])

        assert "estimated" == row(catalog, "region", "a:b")["pue_status"]
        assert "measured" == row(catalog, "region", "a:c")["pue_status"]

    def test_a_pue_that_nobody_measured_lies_between_the_ends_of_its_provider(self, tmp_path: Path) -> None:
        """AWS measures 1.07 to 1.46; Google's 1.05 is the lowest of all providers."""
        text = "region,pue,pue_status\naws:own,1.5,\na:b,,\na:c,1.2,estimated\na:d,2.1,\nb:x,1.3,measured\nb:y,1.35,\n"

        catalog = load_catalog([], [write(tmp_path, "r.csv", text)])

        names = ("aws:eu-north-1", "aws:own", "a:b", "a:c", "a:d", "b:x", "b:y")
        assert [
            (1.1, 1.1),
            (1.07, 1.5),
            (1.05, 1.79),
            (1.05, 1.79),
            (1.05, 2.1),
            (1.3, 1.3),
            (1.3, 1.35),
        ] == [
            (found["pue_low"], found["pue_high"])
            for found in (row(catalog, "region", name) for name in names)
        ]

    def test_a_region_may_name_a_zone_that_others_file_it_under(self, tmp_path: Path) -> None:
        path = write(tmp_path, "r.csv", "region,zone,alternative_zone,country_code\na:b,DE,XX-NEW,DE\n")

        catalog = load_catalog([], [path])

        assert "XX-NEW" == row(catalog, "region", "a:b")["alternative_zone"]
        assert "XX-NEW" in catalog.zones["zone"].to_pylist()

    def test_a_known_region_is_replaced_as_a_whole(self, tmp_path: Path) -> None:
        path = write(tmp_path, "r.csv", "region,zone,pue\naws:eu-central-1,DE,1.4\n")

        catalog = load_catalog([], [path])

        found = row(catalog, "region", "aws:eu-central-1")
        assert (1.4, None, "user-catalog") == (found["pue"], found["latitude"], found["source_id"])
        assert load_catalog().regions.num_rows == catalog.regions.num_rows

    def test_the_zone_na_and_the_country_no_stay_text(self, tmp_path: Path) -> None:
        path = write(tmp_path, "r.csv", "region,zone,country_code\na:windhoek,NA,NA\na:oslo,NO,NO\na:sea,,\n")

        catalog = load_catalog([], [path])

        assert ("NA", "NA") == tuple(
            row(catalog, "region", "a:windhoek")[key] for key in ("zone", "country_code")
        )
        assert "NO" == row(catalog, "region", "a:oslo")["zone"]
        assert None is row(catalog, "region", "a:sea")["zone"]
        assert {"NA", "NO"} <= set(catalog.zones["zone"].to_pylist())

    def test_byte_order_marks_and_line_ends_of_spreadsheets_are_read(self, tmp_path: Path) -> None:
        path = tmp_path / "r.csv"
        path.write_bytes(b"\xef\xbb\xbfregion,zone\r\na:b,DE\r\n")

        assert "DE" == row(load_catalog([], [str(path)]), "region", "a:b")["zone"]

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("zone\nDE\n", "has no column region"),
            ("region;zone\na:b;DE\n", "has no column region"),
            ("region,zon\na:b,DE\n", "unknown name 'zon'; did you mean 'zone'"),
            ("region,zone\nberlin,DE\n", "row 1: region 'berlin' is not of the form provider:region"),
            ("region,zone\nAWS:berlin,DE\n", "lower case"),
            ("region,zone\n,DE\n", "row 1: region None"),
            ("region,pue\na:b,0.5\n", "below 1"),
            ("region,pue\na:b,much\n", "cannot be used"),
            ("region,pue,pue_status\na:b,1.1,guessed\n", "pue_status"),
            ("region,source_id\na:b,my-notes\n", "'my-notes'"),
        ],
    )
    def test_a_file_that_cannot_be_meant_is_refused(self, tmp_path: Path, text: str, words: str) -> None:
        with pytest.raises(ConfigError, match=words):
            load_catalog([], [write(tmp_path, "r.csv", text)])


def test_the_digest_of_the_catalog_changes_with_every_file(tmp_path: Path) -> None:
    shipped = catalog_sha256([], [])
    path = write(tmp_path, "r.csv", "region,zone\na:b,DE\n")
    added = catalog_sha256([], [path])
    write(tmp_path, "r.csv", "region,zone\na:b,FR\n")

    assert 3 == len({shipped, added, catalog_sha256([], [path])})
    assert shipped == catalog_sha256([], [])


def test_squeezed_names_differ_in_letters_and_digits_only() -> None:
    assert "nvidiaa100sxm480gb" == squeeze("NVIDIA A100-SXM4_80 GB")
    assert squeeze("TPU v4") != squeeze("TPU v4i")
