"""Measured power of the own fleet: the mean that is meant, and where it goes."""

from typing import Any

import pyarrow as pa
import pytest

from opencarbon.catalog import load_catalog
from opencarbon.estimation.energy.own_power import (
    POWER_FRACTION_BOUNDS,
    devices_with_own_power,
    fits_with_own_power,
    own_power,
)
from opencarbon.estimation.energy.power import power_of_devices
from opencarbon.tables.contracts import PUBLISHED
from opencarbon.tables.inputs import DEVICE_FITS, PLANNED_JOBS, RUN_HISTORY
from tests.estimation.worlds import devices, job, table

WORLD = table(devices(), PUBLISHED["dim_device"].schema())
"""Chip A 400 W, Chip B 300 W, Chip C 250 W."""


def measured(*runs: tuple[str, float, float | None, str | None]) -> dict[str, dict[str, Any]]:
    return {row["device"]: row for row in power_table(*runs).to_pylist()}


def power_table(*runs: tuple[str, float, float | None, str | None]) -> pa.Table:
    names = ("device", "device_hours", "power_w", "power_boundary")
    rows = [dict(zip(names, run, strict=True)) for run in runs]
    return own_power(pa.Table.from_pylist(rows, schema=RUN_HISTORY.schema()), WORLD)


def fits_of(*devices: str) -> pa.Table:
    return pa.Table.from_pylist([{"device": name} for name in devices], schema=DEVICE_FITS.schema())


def test_the_mean_power_of_a_device_is_its_energy_over_its_hours() -> None:
    found = measured(("Chip A", 30.0, 500.0, "server"), ("Chip A", 10.0, 300.0, "server"))["Chip A"]

    assert (450.0, "server", 2, 40.0) == (
        found["measured_power_w"],
        found["measured_power_boundary"],
        found["measured_runs"],
        found["measured_device_hours"],
    )


def test_runs_of_the_widest_boundary_count_alone() -> None:
    runs = (("Chip A", 90.0, 200.0, "chip"), ("Chip A", 80.0, 300.0, "board"))

    assert (300.0, "board") == tuple(measured(*runs)["Chip A"].values())[1:3]
    assert (500.0, "server") == tuple(measured(*runs, ("Chip A", 1.0, 500.0, "server"))["Chip A"].values())[
        1:3
    ]


def test_runs_without_energy_say_nothing_of_power() -> None:
    assert {} == measured(("Chip A", 30.0, None, None))


def test_power_that_no_device_at_work_draws_does_not_count() -> None:
    least, most = (400.0 * bound for bound in POWER_FRACTION_BOUNDS)
    kept = (("Chip A", 1.0, least, "board"), ("Chip A", 1.0, most, "board"))

    assert (40.0, 800.0) == (least, most)
    assert 2 == measured(*kept, ("Chip A", 9.0, 39.9, "board"))["Chip A"]["measured_runs"]
    assert 2 == measured(*kept, ("Chip A", 9.0, 800.1, "board"))["Chip A"]["measured_runs"]


def test_fits_carry_the_power_of_their_device_and_null_for_the_others() -> None:
    power = power_table(("Chip B", 5.0, 270.0, "board"))

    found = fits_with_own_power(fits_of("Chip A", "Chip B"), power)

    assert [None, 270.0] == found["measured_power_w"].to_pylist()
    assert [None, "board"] == found["measured_power_boundary"].to_pylist()
    assert found.schema.equals(DEVICE_FITS.schema())


def estimated(boundary: str, **more: Any) -> Any:
    fits = fits_with_own_power(fits_of("Chip A", "Chip C"), power_table(("Chip C", 5.0, 220.0, boundary)))
    return power_of_devices(
        table((job(device="Chip C", **more), job(device="Chip A")), PLANNED_JOBS.schema()),
        devices_with_own_power(WORLD, fits),
        lifetime_h=52560.0,
        fleet_utilisation=0.85,
    )


def test_own_power_at_the_server_is_the_power_of_the_device() -> None:
    found = estimated("server")

    assert pytest.approx(220.0) == found.power_w[0]
    assert ("own_runs", "own-history", "estimated") == (found.source[0], found.source_id[0], found.status[0])
    assert found.source[1] != "own_runs"
    assert 0.28 == found.up[0] == found.down[0]


def test_below_the_server_the_share_of_the_host_is_added() -> None:
    for boundary in ("chip", "board"):
        assert estimated(boundary).power_w[0] > 230.0


def test_power_that_the_manifest_states_goes_over_that_of_the_own_runs() -> None:
    found = estimated("server", power_w=199.0)

    assert (199.0, "manifest") == (found.power_w[0], found.source[0])


def test_fits_without_own_power_leave_the_devices_as_they_are() -> None:
    catalog = load_catalog((), ())
    names = [str(name) for name in catalog.devices["device"].to_pylist()]

    assert catalog.devices.equals(devices_with_own_power(catalog.devices, fits_of(*names)))
    older = fits_of(*names).drop_columns(["measured_power_w", "measured_power_boundary"])
    assert catalog.devices.equals(devices_with_own_power(catalog.devices, older))
