"""Power fractions pooled over measured runs: closed forms, scopes, sources left out."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from opencarbon.catalog import Catalog, load_catalog
from opencarbon.errors import FitError
from opencarbon.estimation.energy.power import DEFAULT_HOST_FRACTION, HALF_WIDTH
from opencarbon.estimation.energy.power_fractions import (
    BETWEEN_DEVICES,
    BETWEEN_SOURCES,
    POWER_FRACTIONS_SOURCE,
    WITHIN_SOURCE,
    devices_with_power_fractions,
    leave_one_source_out,
    power_fractions,
)
from opencarbon.tables.contracts import PUBLISHED
from tests.estimation.worlds import devices, table

Z80 = 1.2815515655446004
A100, H100 = "NVIDIA A100 SXM4 80GB", "NVIDIA H100 SXM5 80GB"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def run(name: str, device: str, power_w: float, group: str, **changes: Any) -> dict[str, Any]:
    tdp = {row["device"]: row["tdp_w"] for row in devices()}
    row = {"run": name, "device": device, "tdp_w": tdp.get(device, 100.0), "device_hours": 10.0}
    row |= {"power_w": power_w, "power_boundary": "board", "evidence": "measured", "source_group": group}
    return row | {"source_id": f"paper-{group}"} | changes


def measured(*runs: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(runs))


def world(**host_power_w: float) -> pa.Table:
    rows = [row | {"host_power_w": host_power_w.get(row["device"][-1])} for row in devices()]
    return table(rows, PUBLISHED["dim_device"].schema())


def by_device(found: pa.Table) -> dict[str, dict[str, Any]]:
    return {row["device"]: row for row in found.to_pylist()}


def changed(runs: pa.Table, change: Any) -> pa.Table:
    return pa.Table.from_pylist([row | change(row) for row in runs.to_pylist()], schema=runs.schema)


class TestFraction:
    def test_one_run_is_the_centre_of_every_device_and_less_certain_elsewhere(self) -> None:
        found = by_device(power_fractions(measured(run("x", "Chip A", 200.0, "g")), world(A=150.0)))

        new_run = BETWEEN_SOURCES**2 + WITHIN_SOURCE**2
        here = math.sqrt(2 * new_run)
        there = math.sqrt(2 * (BETWEEN_DEVICES**2 + new_run))
        for device, tdp, host, sd in (("Chip A", 400, 150, here), ("Chip B", 300, 90, there)):
            row = found[device]
            assert pytest.approx(0.5) == row["power_fraction_board"]
            assert pytest.approx(0.5 * tdp + host) == row["power_w"]
            assert pytest.approx(0.5 * tdp * math.exp(-Z80 * sd) + host) == row["power_low_w"]
            assert pytest.approx(0.5 * tdp * math.exp(Z80 * sd) + host) == row["power_high_w"]
            assert pytest.approx(row["power_w"] / tdp) == row["power_fraction_server"]

    def test_two_devices_of_one_source_are_weighed_by_what_differs(self) -> None:
        runs = (run("x", "Chip A", 400 * 0.4, "g"), run("y", "Chip B", 300 * 0.9, "g"))
        found = by_device(power_fractions(measured(*runs), world()))

        share = BETWEEN_DEVICES**2 / (BETWEEN_DEVICES**2 + WITHIN_SOURCE**2)
        mean = (math.log(0.4) + math.log(0.9)) / 2
        assert pytest.approx(math.exp(mean)) == found["Chip C"]["power_fraction_board"]
        assert (
            pytest.approx(math.exp(mean + share * (math.log(0.4) - mean)))
            == found["Chip A"]["power_fraction_board"]
        )

    def test_many_runs_of_one_source_do_not_outvote_another(self) -> None:
        many = [run(f"x{number}", "Chip A", 400 * 0.4, "many") for number in range(10_000)]
        found = by_device(power_fractions(measured(*many, run("y", "Chip A", 400 * 0.8, "one")), world()))

        weight = BETWEEN_SOURCES**2 / (2 * BETWEEN_SOURCES**2 + WITHIN_SOURCE**2)
        expected = math.log(0.4) + weight * math.log(2.0)
        assert pytest.approx(math.exp(expected), rel=1e-3) == found["Chip A"]["power_fraction_board"]

    def test_the_host_of_the_measured_server_goes_and_the_own_host_comes(self) -> None:
        for boundary, board in (("server", (250 - 120) / 400), ("board", 250 / 400), ("chip", 250 / 400)):
            runs = measured(run("x", "Chip A", 250.0, "g", power_boundary=boundary))
            found = by_device(power_fractions(runs, world(A=60.0)))["Chip A"]

            assert pytest.approx(board) == found["power_fraction_board"]
            assert pytest.approx(board * 400 + 60) == found["power_w"]

    def test_a_host_share_that_nobody_states_is_a_share_of_the_tdp(self) -> None:
        runs = measured(run("x", "Chip C", 200.0, "g", power_boundary="server"))
        found = by_device(power_fractions(runs, world()))["Chip C"]

        assert pytest.approx((200 - DEFAULT_HOST_FRACTION * 250) / 250) == found["power_fraction_board"]
        assert pytest.approx(200.0) == found["power_w"]

    def test_the_order_of_runs_does_not_matter(self, catalog: Catalog) -> None:
        rows = catalog.measured_power.to_pylist()
        shuffled = [rows[at] for at in np.random.default_rng(7).permutation(len(rows))]
        runs = pa.Table.from_pylist(shuffled, schema=catalog.measured_power.schema)

        assert power_fractions(runs, catalog.devices).equals(
            power_fractions(catalog.measured_power, catalog.devices)
        )

    def test_a_higher_level_is_a_wider_interval_about_the_same_power(self, catalog: Catalog) -> None:
        found = [
            power_fractions(catalog.measured_power, catalog.devices, level=level).to_pylist()
            for level in (0.5, 0.8, 0.95)
        ]

        for narrow, middle, wide in zip(*found, strict=True):
            assert wide["power_low_w"] < middle["power_low_w"] < narrow["power_low_w"] < narrow["power_w"]
            assert narrow["power_w"] < narrow["power_high_w"] < middle["power_high_w"] < wide["power_high_w"]
            assert narrow["power_w"] == middle["power_w"] == wide["power_w"]

    def test_rows_for_sensitivity_play_no_part(self, catalog: Catalog) -> None:
        poisoned = changed(
            catalog.measured_power,
            lambda row: {"power_w": row["power_w"] * (1.0 if row["evidence"] == "measured" else 100.0)},
        )

        assert power_fractions(poisoned, catalog.devices).equals(
            power_fractions(catalog.measured_power, catalog.devices)
        )

    @pytest.mark.parametrize(
        ("runs", "words"),
        [
            ([run("x", "Chip A", 200.0, "g", evidence="sensitivity")], "no power was measured"),
            ([run("x", "Chip Z", 200.0, "g")], "measured power of x: 'Chip Z' is no device"),
            ([run("x", "Chip A", 120.0, "g", power_boundary="server")], "not above the host share of 120 W"),
        ],
    )
    def test_what_cannot_be_used_says_why(self, runs: list[dict[str, Any]], words: str) -> None:
        with pytest.raises(FitError, match=words):
            power_fractions(measured(*runs), world())


class TestStatus:
    def test_power_is_measured_only_where_the_same_silicon_at_the_same_tdp_was(
        self, catalog: Catalog
    ) -> None:
        found = power_fractions(catalog.measured_power, catalog.devices).to_pylist()

        assert {
            row["device"]: row["measured_runs"] for row in found if row["power_status"] == "measured"
        } == {
            "Google TPU v2": 3,
            "Google TPU v3": 3,
            "Google TPU v4": 2,
            "NVIDIA P100 SXM2 16GB": 2,
            "NVIDIA P40": 3,
            "NVIDIA V100 SXM2 16GB": 9,
            "NVIDIA V100 SXM2 32GB": 9,
            "NVIDIA A100 SXM4 40GB": 1,
            A100: 1,
            "NVIDIA A800 SXM4 80GB": 1,
        }
        assert {row["power_status"] for row in found} == {"measured", "assumed"}

    def test_a_card_of_the_same_die_shares_the_fraction_but_is_assumed(self, catalog: Catalog) -> None:
        found = by_device(power_fractions(catalog.measured_power, catalog.devices))
        card, other = found["NVIDIA V100 SXM2 32GB"], found["NVIDIA V100 PCIe 32GB"]

        assert card["power_fraction_board"] == other["power_fraction_board"]
        assert ("measured", "assumed") == (card["power_status"], other["power_status"])
        assert card["power_fraction_board"] != found["NVIDIA P40"]["power_fraction_board"]

    def test_no_h100_is_measured_whatever_is_cited_of_it(self, catalog: Catalog) -> None:
        found = by_device(power_fractions(catalog.measured_power, catalog.devices))
        filled = by_device(devices_with_power_fractions(catalog.devices, catalog.measured_power))

        hopper = [name for name, row in filled.items() if row["generation"] == "hopper"]
        assert {"assumed"} == {found[name]["power_status"] for name in hopper}
        assert {"assumed"} == {filled[name]["power_status"] for name in hopper}
        assert (0.78, "board", "morrison-2025-power") == tuple(
            filled[H100][key] for key in ("power_fraction", "power_boundary", "power_source_id")
        )


class TestDevices:
    def test_a_stated_fraction_wins_and_the_others_are_filled(self) -> None:
        before = world(A=150.0)
        after = devices_with_power_fractions(before, measured(run("x", "Chip C", 125.0, "g")))

        assert before.slice(0, 2).equals(after.slice(0, 2))
        filled = after.to_pylist()[2]
        assert pytest.approx(0.5 + DEFAULT_HOST_FRACTION) == filled["power_fraction"]
        assert ("server", "measured", POWER_FRACTIONS_SOURCE) == tuple(
            filled[key] for key in ("power_boundary", "power_status", "power_source_id")
        )

    def test_a_fraction_of_the_user_wins_over_the_measured(self, catalog: Catalog) -> None:
        rows = [
            row | ({"power_fraction": 0.5, "power_boundary": "board"} if row["device"] == A100 else {})
            for row in catalog.devices.to_pylist()
        ]
        theirs = replace(catalog, devices=pa.Table.from_pylist(rows, schema=catalog.devices.schema))
        filled = by_device(devices_with_power_fractions(theirs.devices, theirs.measured_power))

        assert (0.5, "board") == (filled[A100]["power_fraction"], filled[A100]["power_boundary"])


class TestEvidence:
    def test_half_widths_are_those_of_the_devices_of_the_catalog(self, catalog: Catalog) -> None:
        found = power_fractions(catalog.measured_power, catalog.devices).to_pylist()

        for status in ("measured", "assumed"):
            widths = [
                math.log(row["power_high_w"] / row["power_low_w"]) / 2
                for row in found
                if row["power_status"] == status
            ]
            assert pytest.approx(float(np.median(widths)), abs=0.005) == HALF_WIDTH[f"{status}_fraction"]

    def test_deviations_are_those_of_the_measured_runs(self, catalog: Catalog) -> None:
        stated = (BETWEEN_DEVICES, BETWEEN_SOURCES, WITHIN_SOURCE)
        least = restricted_likelihood(catalog, *stated)

        for at in (0, 2):
            for factor in (0.7, 1.4):
                other = [value * (factor if at == place else 1.0) for place, value in enumerate(stated)]
                assert restricted_likelihood(catalog, *other) < least
        v100 = [math.log(160.70 / 300), math.log((320 - 90) / 300), math.log((330 - 90) / 300)]
        assert pytest.approx(BETWEEN_SOURCES, abs=0.03) == np.std(v100, ddof=1)


class TestLeaveOneSourceOut:
    def test_no_source_has_a_part_in_its_own_prediction(self, catalog: Catalog) -> None:
        names = ["run", "predicted_power_w", "predicted_power_low_w", "predicted_power_high_w"]
        before = leave_one_source_out(catalog.measured_power, catalog.devices).select(names).to_pylist()

        for group in ("google", "openai", "dodge-2022"):
            poisoned = changed(
                catalog.measured_power,
                lambda row, group=group: {
                    "power_w": row["power_w"] * (100.0 if row["source_group"] == group else 1.0)
                },
            )
            after = leave_one_source_out(poisoned, catalog.devices).select([*names, "source_group"])
            pairs = list(zip(before, after.to_pylist(), strict=True))
            assert [old for old, new in pairs if new["source_group"] == group] == [
                {name: new[name] for name in names} for _, new in pairs if new["source_group"] == group
            ]
            moved = [old["predicted_power_w"] != new["predicted_power_w"] for old, new in pairs]
            assert moved == [new["source_group"] != group for _, new in pairs]

    def test_a_run_is_predicted_at_the_boundary_of_its_measurement(self) -> None:
        runs = measured(
            run("x", "Chip A", 200.0, "one"),
            run("y", "Chip A", 300.0, "two", power_boundary="server"),
            run("z", "Chip A", 100.0, "two"),
        )
        found = leave_one_source_out(runs, world(A=150.0)).to_pylist()

        assert ["x", "y", "z"] == [row["run"] for row in found]
        assert pytest.approx([math.sqrt(180 * 100), 200 + 120, 200]) == [
            row["predicted_power_w"] for row in found
        ]
        assert [200.0, 300.0, 100.0] == [row["power_w"] for row in found]

    def test_a_higher_level_is_a_wider_interval(self, catalog: Catalog) -> None:
        narrow, wide = (
            leave_one_source_out(catalog.measured_power, catalog.devices, level=level).to_pylist()
            for level in (0.8, 0.9)
        )

        assert all(b["predicted_power_low_w"] < a["predicted_power_low_w"] for a, b in zip(narrow, wide))
        assert all(b["predicted_power_high_w"] > a["predicted_power_high_w"] for a, b in zip(narrow, wide))

    def test_one_source_alone_cannot_be_tested(self) -> None:
        with pytest.raises(FitError, match="one source alone"):
            leave_one_source_out(measured(run("x", "Chip A", 200.0, "g")), world())


def restricted_likelihood(catalog: Catalog, devices: float, sources: float, within: float) -> float:
    """Restricted log-likelihood of the measured runs under the three deviations, up to a constant."""
    rows = [row for row in catalog.measured_power.to_pylist() if row["evidence"] == "measured"]
    host = {row["device"]: row["host_power_w"] for row in catalog.devices.to_pylist()}
    value = np.array(
        [
            math.log(
                (
                    row["power_w"]
                    - (row["power_boundary"] == "server") * (host[row["device"]] or 0.30 * row["tdp_w"])
                )
                / row["tdp_w"]
            )
            for row in rows
        ]
    )
    device, group = (np.array([row[name] for row in rows]) for name in ("device", "source_group"))
    covariance = (
        devices**2 * (device[:, None] == device)
        + sources**2 * (group[:, None] == group)
        + within**2 * np.eye(len(rows))
    )
    inverse = np.linalg.inv(covariance)
    weight = inverse.sum()
    off = value - (inverse @ value).sum() / weight
    return float(-0.5 * (np.linalg.slogdet(covariance)[1] + math.log(weight) + off @ inverse @ off))
