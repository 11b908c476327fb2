"""Own runs sharpen the predictions of a fleet, and the curve says over which fleets."""

from typing import Any

import pytest

from opencarbon.estimation.evaluation import evaluation_rows, fleet_errors
from tests.estimation.evaluation.samples import A100, H100, catalog, facts, run, table

WORLD = [run(f"other-{at}", A100, 0.4 + 0.01 * (at % 3), organisation=f"o{at}") for at in range(10)]


def fleet(name: str, size: int, device: str = A100, utilisation: float = 0.2) -> list[dict[str, Any]]:
    return [
        run(f"{name}-{at}", device, utilisation, family=name, organisation=f"makers of {name}")
        for at in range(size)
    ]


def errors(runs: list[dict[str, Any]]) -> dict[tuple[str, str, int], dict[str, Any]]:
    found = fleet_errors(evaluation_rows(table(runs), catalog().devices), facts()).to_pylist()
    return {(row["split"], row["fleets_counted"], row["runs_given"]): row for row in found}


@pytest.fixture(scope="module")
def curve() -> dict[tuple[str, str, int], dict[str, Any]]:
    return errors([*WORLD, *fleet("slow", 4), *fleet("pair", 2, utilisation=0.15)])


@pytest.mark.parametrize("split", ["family", "organisation"])
def test_the_more_own_runs_of_a_slow_fleet_are_given_the_less_it_errs(
    curve: dict[tuple[str, str, int], dict[str, Any]], split: str
) -> None:
    line = [curve[split, "same_fleets", given] for given in range(4)]
    assert [row["fleets"] for row in line] == [1, 1, 1, 1]
    means = [row["mean_error"] for row in line]
    assert means == sorted(means, reverse=True)
    assert means[0] > 0.4  # half the utilisation of all others, ln 2 less what the fit allows for
    assert means[3] < 0.5 * means[0]


def test_fleets_are_counted_that_have_a_run_left(
    curve: dict[tuple[str, str, int], dict[str, Any]],
) -> None:
    line = [curve["family", "at_least_one_left", given] for given in range(4)]
    assert [row["fleets"] for row in line] == [2, 2, 1, 1]
    assert line[0]["mean_error_one_less"] is None
    assert line[1]["mean_error_one_less"] == line[0]["mean_error"]  # the same two fleets
    assert line[2]["mean_error_one_less"] == curve["family", "same_fleets", 1]["mean_error"]


def test_the_hours_of_the_rest_of_a_fleet_have_no_part_in_its_predictions_without_own_runs() -> None:
    # Twice the hours of all runs of the fleet move its error by ln 2, as the prediction stays.
    runs = [*WORLD, *fleet("slow", 2)]
    doubled = [
        row | {"device_hours": row["device_hours"] * (2.0 if row["family"] == "slow" else 1.0)}
        for row in runs
    ]
    before, after = (errors(one)["family", "at_least_one_left", 0]["mean_error"] for one in (runs, doubled))
    assert after - before == pytest.approx(0.6931, abs=1e-4)


def test_one_run_or_two_devices_are_no_fleet() -> None:
    two_devices = [
        run("a-0", A100, family="a", organisation="a"),
        run("a-1", H100, family="a", organisation="a"),
    ]
    assert errors([*WORLD, *two_devices]) == {}
