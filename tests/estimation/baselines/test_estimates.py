"""What holds for every method: rows, nulls, totals and intervals."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opencarbon.estimation.baselines import METHODS, Method, estimate_by_method
from opencarbon.estimation.baselines.estimates import NO_INTENSITY, OWN_INTENSITY
from opencarbon.tables.inputs import PLANNED_JOBS
from opencarbon.tables.reproduction import METHOD_ESTIMATE
from tests.estimation.baselines.contexts import A100, Row, catalog_context, estimate, estimates, planned
from tests.estimation.worlds import table

QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
COUNTS_EMBODIED = {"calibrated", "opencarboneval", "llmcarbon", "llmcarbon-as-published", "bloom"}
OWN_WORLD = {"green-algorithms", "cumulator", "codecarbon", "eco2ai", "carbontracker"}
OF_A_RUN = [
    name
    for name in METHOD_ESTIMATE.columns
    if name.startswith(("device_hours", "wall_hours", "pue", "energy", "facility", "carbon", "intensity"))
    or name.endswith("_kgco2e")
]
"""Columns that say something of a run: null where a method cannot estimate it."""

WORK: st.SearchStrategy[Row] = st.one_of(
    st.builds(lambda hours: {"device_hours": hours}, st.floats(1e-3, 1e7)),
    st.builds(lambda hours: {"wall_hours": hours}, st.floats(1e-3, 1e4)),
    st.builds(lambda flop: {"training_flop": 10.0**flop}, st.floats(12, 26)),
    st.builds(
        lambda size, tokens: {"parameters": 10.0**size, "training_tokens": 10.0**tokens},
        st.floats(6, 13),
        st.floats(6, 13),
    ),
    st.builds(
        lambda hours, flop, size: {
            "device_hours": hours,
            "training_flop": 10.0**flop,
            "parameters": 10.0**size,
        },
        st.floats(1e-3, 1e7),
        st.floats(12, 26),
        st.floats(6, 13),
    ),
)
REST = st.fixed_dictionaries(
    {
        "device": st.sampled_from(
            [A100, "Google TPU v2", "Google TPU v4", "NVIDIA K80", "NVIDIA H100 SXM5 80GB"]
        ),
        "device_count": st.sampled_from([0.5, 1.0, 8.0, 1024.0]),
        "current_region": st.sampled_from([None, "aws:us-east-1", "gcp:europe-west4", "azure:centralus"]),
        "repeats": st.sampled_from([1, 1, 4]),
        "power_w": st.sampled_from([None, None, 512.0]),
        "dataset_gb": st.sampled_from([None, 0.0, 700.0]),
        "carbon_intensity_gco2e_per_kwh": st.sampled_from([None, None, 0.0, 57.0]),
        "utilisation": st.sampled_from([None, 0.4]),
    }
)
JOBS = st.lists(st.builds(lambda work, rest: planned(**(work | rest)), WORK, REST), min_size=1, max_size=6)
EVERY_METHOD = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def nulls(row: Row, names: Sequence[str]) -> set[bool]:
    return {row[name] is None for name in names}


@EVERY_METHOD
class TestRows:
    def test_stand_in_the_order_given_with_the_columns_of_the_contract(self, method: Method) -> None:
        rows = [
            planned(device_hours=1.0, device=device) | {"job_id": name, "row": at}
            for at, (name, device) in enumerate((("z", A100), ("a", "Google TPU v2"), ("m", A100)))
        ]

        found = estimate_by_method(table(rows, PLANNED_JOBS.schema()), method, catalog_context())

        assert METHOD_ESTIMATE.schema() == found.schema
        assert ["z", "a", "m"] == found["job_id"].to_pylist()
        assert {method.name} == set(found["method"].to_pylist())
        assert {method.source_id} == set(found["method_source_id"].to_pylist())
        assert [A100, "Google TPU v2", A100] == found["device"].to_pylist()

    def test_of_no_jobs_are_none(self, method: Method) -> None:
        found = estimate_by_method(PLANNED_JOBS.schema().empty_table(), method, catalog_context())

        assert (0, METHOD_ESTIMATE.schema()) == (found.num_rows, found.schema)


@EVERY_METHOD
class TestEveryJob:
    @QUICK
    @given(jobs=JOBS, is_predicting=st.booleans())
    def test_has_figures_or_a_reason_and_null_never_becomes_zero(
        self, method: Method, jobs: list[Row], is_predicting: bool
    ) -> None:
        for job, row in zip(jobs, estimates(method.name, *jobs, is_predicting=is_predicting), strict=True):
            assert (row["method_status"] == "not_applicable") == (row["device_hours"] is None)
            if row["device_hours"] is None:
                assert row["reason"]
                assert {True} == nulls(row, [*OF_A_RUN, "hours_source"])
                continue
            assert row["hours_source"] in ("stated", "predicted")
            assert min(row["device_hours"], row["wall_hours"], row["power_w"], row["energy_kwh"]) > 0
            known = job["current_region"] or job["carbon_intensity_gco2e_per_kwh"] is not None
            assert (row["carbon_intensity_gco2e_per_kwh"] is None) == (
                not known and method.name not in OWN_WORLD
            )
            assert 1 == len(
                nulls(
                    row,
                    ["carbon_intensity_gco2e_per_kwh", "operational_kgco2e", "pue", "facility_energy_kwh"],
                )
            )
            zero = job["carbon_intensity_gco2e_per_kwh"] == 0
            assert row["operational_kgco2e"] is None or (row["operational_kgco2e"] == 0) == zero

    @QUICK
    @given(jobs=JOBS)
    def test_totals_operational_and_embodied_emissions(self, method: Method, jobs: list[Row]) -> None:
        for row in estimates(method.name, *jobs):
            operational, embodied = row["operational_kgco2e"], row["embodied_kgco2e"]
            if method.name not in COUNTS_EMBODIED:
                assert embodied is None
                assert operational == row["total_kgco2e"]
            elif operational is None or embodied is None:
                assert row["total_kgco2e"] is None
            else:
                assert row["total_kgco2e"] == pytest.approx(operational + embodied)

    @QUICK
    @given(jobs=JOBS)
    def test_lies_between_the_ends_of_its_intervals(self, method: Method, jobs: list[Row]) -> None:
        ends = [(name, name.replace("_low", ""), name.replace("_low", "_high")) for name in LOWS]
        for row in estimates(method.name, *jobs):
            for low, central, high in ends:
                assert (row[low] is None) == (row[high] is None)
                if row[low] is not None:
                    assert row[low] <= row[central] <= row[high]

    @QUICK
    @given(jobs=JOBS, dice=st.randoms(use_true_random=False))
    def test_is_estimated_for_itself_whatever_stands_beside_it(
        self, method: Method, jobs: list[Row], dice: Any
    ) -> None:
        order = list(range(len(jobs)))
        dice.shuffle(order)

        together = estimates(method.name, *jobs)
        shuffled = estimates(method.name, *(jobs[at] for at in order))

        for at, row in zip(order, shuffled, strict=True):
            expected = together[at] | {"job_id": row["job_id"]}
            assert expected == {
                name: pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
                for name, value in row.items()
            }


LOWS = [name for name in METHOD_ESTIMATE.columns if "_low" in name]


class TestPlaces:
    def test_of_a_site_with_a_known_pue_have_it_in_methods_that_take_that_of_the_region(self) -> None:
        job = planned(device_hours=100.0, parameters=1e9)

        for method in ("calibrated", "llmcarbon"):
            region, site = (estimates(method, job, site_pue=[pue])[0] for pue in (np.nan, 1.37))
            assert (estimates(method, job)[0]["pue"], 1.37) == (region["pue"], site["pue"])
            assert site["facility_energy_kwh"] == pytest.approx(site["energy_kwh"] * 1.37)
        for method, own in (("tdp", 1.1), ("green-algorithms", 1.2), ("opencarboneval", 1.0)):
            assert own == estimates(method, job, site_pue=[1.37])[0]["pue"]

    def test_that_are_unknown_have_no_pue_unless_sites_are_asked_for(self) -> None:
        job = planned(device_hours=100.0, parameters=1e9, current_region=None)

        for method, own in (("calibrated", 1.56), ("opencarboneval", 1.0), ("llmcarbon", 1.56), ("tdp", 1.1)):
            (row,), (asked,) = (estimates(method, job, site_pue=pue) for pue in (None, [np.nan]))
            assert (None, None) == (row["pue"], row["facility_energy_kwh"])
            assert own == asked["pue"]
            assert asked["facility_energy_kwh"] == pytest.approx(row["energy_kwh"] * own)
            assert asked["operational_kgco2e"] is None

    def test_a_measured_pue_is_surer_than_an_assumed_one(self) -> None:
        job = planned(device_hours=100.0, power_w=400.0, current_region=None)

        (assumed,), (measured,) = (estimates("calibrated", job, site_pue=[pue]) for pue in (np.nan, 1.1))

        widths = [row["facility_energy_high_kwh"] / row["facility_energy_kwh"] for row in (assumed, measured)]
        assert [0.10, 0.02] == pytest.approx(np.log(widths).tolist())

    def test_the_default_region_stands_in_for_those_of_jobs_that_name_none(self) -> None:
        context = replace(catalog_context(), default_region="gcp:europe-west4")

        row = estimate("tdp", context=context, device_hours=1.0, current_region=None)

        assert ("gcp:europe-west4", "annual", None) == (
            row["baseline_region"],
            row["intensity_kind"],
            row["reason"],
        )


class TestReasons:
    def test_about_the_intensity_are_not_given_where_there_is_no_figure(self) -> None:
        row = estimate("green-algorithms", training_flop=1e20, current_region=None)

        assert "needs known device-hours: give device_hours or wall_hours" == row["reason"]

    def test_of_the_method_and_about_the_intensity_stand_together(self) -> None:
        row = estimate("llmcarbon", device="NVIDIA K80", device_hours=1.0, current_region=None)

        assert (
            f"knows no die of the device: no embodied emissions, and no total; {NO_INTENSITY}"
            == row["reason"]
        )

    def test_say_that_the_intensity_is_the_methods_own(self) -> None:
        assert OWN_INTENSITY == estimate("eco2ai", device_hours=1.0, current_region=None)["reason"]
