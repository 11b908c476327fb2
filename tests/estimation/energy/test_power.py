"""Mean power and embodied emissions of a device, in both profiles."""

import pytest

from opencarbon.catalog import load_catalog
from opencarbon.catalog.catalog import PAPER_SOURCE, PaperDevice
from opencarbon.estimation.energy.power import PowerColumns, power_of_devices
from opencarbon.tables.contracts import PUBLISHED
from opencarbon.tables.inputs import PLANNED_JOBS
from tests.estimation.worlds import devices, job, table

PAPER = {"Chip A": PaperDevice(20.0, 50.0, 500.0, 1.5), "Chip B": PaperDevice(1.0, 2.0, 310.0, None)}
EVERY = tuple(job(device=device) for device in ("Chip A", "Chip B", "Chip C"))
YEARS = 6 * 8760.0


def power(*jobs: dict[str, object], paper: dict[str, PaperDevice] | None = None) -> PowerColumns:
    return power_of_devices(
        table(jobs, PLANNED_JOBS.schema()),
        table(devices(), PUBLISHED["dim_device"].schema()),
        lifetime_h=YEARS,
        fleet_utilisation=0.85,
        paper=paper,
    )


def test_power_is_a_fraction_of_the_design_power_with_the_host_unless_that_is_in_it() -> None:
    found = power(*EVERY)

    assert pytest.approx([400 * 0.7 + 150, 300 * 1.1, 250 * (0.75 + 0.30)]) == found.power_w.tolist()
    assert ["measured_fraction", "measured_fraction", "assumed_fraction"] == found.source.tolist()
    assert ["estimated", "estimated", "assumed"] == found.status.tolist()
    assert [0.34, 0.34, 0.39] == found.up.tolist() == found.down.tolist()


def test_measured_power_of_the_manifest_is_taken_as_it_is_in_both_profiles() -> None:
    for paper in (None, PAPER):
        found = power(job(power_w=333.0), paper=paper)

        assert [333.0] == found.power_w.tolist()
        assert ("manifest", None, "measured", 0.0) == (
            found.source[0],
            found.source_id[0],
            found.status[0],
            found.up[0],
        )


def test_embodied_emissions_are_spread_over_the_hours_at_work() -> None:
    found = power(*EVERY).embodied_kgco2e_per_device_hour

    assert (
        pytest.approx([150 / (YEARS * 0.85), 138 / (YEARS * 0.85), 90 / (YEARS * 0.85)])
        == found["central"].tolist()
    )
    assert pytest.approx(0.6 * found["central"]) == found["low"]
    assert pytest.approx(2.1 * found["central"]) == found["high"]


def test_the_paper_takes_its_own_figures_where_it_has_them_and_one_year_elsewhere() -> None:
    found = power(*EVERY, paper=PAPER)
    embodied = found.embodied_kgco2e_per_device_hour

    assert [500.0, 310.0, 250.0] == found.power_w.tolist()
    assert ["tdp"] * 3 == found.source.tolist()
    assert [PAPER_SOURCE, PAPER_SOURCE, "maker"] == found.source_id.tolist()
    assert [0.0] * 3 == found.up.tolist()
    assert pytest.approx([0.0015, 138 / 8760, 90 / 8760]) == embodied["central"].tolist()
    assert 0.0015 == embodied["low"][0] == embodied["high"][0]


def test_the_catalog_carries_the_papers_eight_families() -> None:
    known = load_catalog().paper_devices
    tdp = {name: device.tdp_w for name, device in known.items()}
    per_hour = {name: device.embodied_g_per_device_hour for name, device in known.items()}

    assert {
        "Google TPU v2": 280,
        "Google TPU v3": 450,
        "Google TPU v4": 300,
        "NVIDIA K80": 300,
        "NVIDIA P100 SXM2 16GB": 300,
        "NVIDIA V100 SXM2 32GB": 300,
        "NVIDIA A100 SXM4 80GB": 400,
        "NVIDIA A100 PCIe 40GB": 400,
        "NVIDIA H100 SXM5 80GB": 700,
        "NVIDIA H100 PCIe 80GB": 700,
    }.items() <= tdp.items()
    assert {
        "Google TPU v2": None,
        "Google TPU v3": 0.8,
        "NVIDIA V100 PCIe 16GB": 1.1,
        "NVIDIA A100 SXM4 80GB": 1.5,
        "NVIDIA H100 SXM5 80GB": 1.7,
    }.items() <= per_hour.items()
