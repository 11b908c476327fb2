"""Power of devices as a night estimates with it and publishes it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from opencarbon.catalog import Catalog, load_catalog
from opencarbon.estimation.energy.power_fractions import POWER_FRACTIONS_SOURCE, power_fractions
from opencarbon.pipeline.context import build_context
from opencarbon.pipeline.fits import collect_runs, fit_for_profile
from opencarbon.settings import Settings
from opencarbon.tables.conform import conform
from opencarbon.tables.contracts import PUBLISHED
from opencarbon.tables.inputs import GRID_INTENSITY

A100, H100, TPU_V3 = "NVIDIA A100 SXM4 80GB", "NVIDIA H100 SXM5 80GB", "Google TPU v3"


def devices_of_a_night(catalog: Catalog) -> dict[str, dict[str, Any]]:
    fits = fit_for_profile(collect_runs(catalog, None)[0], catalog, "calibrated")
    as_of, grid = datetime(2026, 11, 16, tzinfo=UTC), GRID_INTENSITY.schema().empty_table()
    found = build_context(Settings(), as_of, catalog, grid, fits).catalog.devices
    assert conform(found, PUBLISHED["dim_device"]).equals(found)
    return {row["device"]: row for row in found.to_pylist()}


def test_every_device_shows_the_fraction_its_estimates_take_and_where_it_is_from() -> None:
    catalog = load_catalog()
    found = devices_of_a_night(catalog)
    pooled = {
        row["device"]: row for row in power_fractions(catalog.measured_power, catalog.devices).to_pylist()
    }

    assert pooled[TPU_V3]["power_fraction_server"] == found[TPU_V3]["power_fraction"]
    for name, row in found.items():
        cited = row["power_source_id"] == "morrison-2025-power"
        assert cited or (
            ("server", POWER_FRACTIONS_SOURCE, pooled[name]["power_status"])
            == (row["power_boundary"], row["power_source_id"], row["power_status"])
        )
    assert "assumed" == found[H100]["power_status"]


def test_a_fraction_in_a_file_of_the_user_wins(tmp_path: Path) -> None:
    path = tmp_path / "devices.toml"
    path.write_text(
        f'[[device]]\ndevice = "{A100}"\npower_fraction = 0.5\npower_boundary = "board"\n'
        'power_status = "measured"\n',
        encoding="utf-8",
    )
    found = devices_of_a_night(load_catalog([str(path)]))

    assert (0.5, "board", "measured", 150.0) == tuple(
        found[A100][key] for key in ("power_fraction", "power_boundary", "power_status", "host_power_w")
    )
    assert found["NVIDIA A100 SXM4 40GB"]["power_fraction"] == pytest.approx(0.998, abs=0.001)
