"""A refit changes no prediction beyond its limits without saying so."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencarbon.estimation.fitting.fit_changes import FitChange, Limits, hold_changes, keep_previous
from opencarbon.estimation.fitting.fit_evidence import log10_alpha_at_utilisation
from opencarbon.estimation.hours import fitted_device_hours
from opencarbon.physics.throughput import device_hours
from opencarbon.tables.conform import conform
from opencarbon.tables.inputs import DEVICE_FITS

A100, H100, V100 = "NVIDIA A100 SXM4 80GB", "NVIDIA H100 SXM5 80GB", "NVIDIA V100 SXM2 16GB"
PEAKS = {A100: 312.0, H100: 989.0, V100: 125.0}
LIMITS = Limits(max_change_pct=25.0, min_runs_kept_pct=50.0)
FLOP = 1e23


def devices(**peaks: float) -> pa.Table:
    known = PEAKS | peaks
    return pa.table({"device": list(known), "peak_dense_tflop_per_s": list(known.values())})


def fit(device: str = A100, utilisation: float = 0.4, **changes: Any) -> dict[str, Any]:
    """A fit by utilisation, without a slope, at the dense peak of `PEAKS` or that of `peak`."""
    peak = changes.pop("peak", PEAKS[device])
    ends = np.minimum(np.array([0.7, 1.0, 1.2]) * utilisation, 0.95)
    low, middle, high = log10_alpha_at_utilisation(FLOP, ends, peak).tolist()
    return {
        "device": device,
        "log10_alpha": middle,
        "log10_alpha_low": low,
        "log10_alpha_high": high,
        "reference_training_flop": FLOP,
        "tflop_per_s": utilisation * peak,
        "utilisation": utilisation,
        "utilisation_low": utilisation * 0.7,
        "utilisation_high": utilisation * 1.2,
        "ln_utilisation_per_decade": 0.0,
        "reference_ideal_wall_hours": 100.0,
        "training_runs": 10,
        "fit_source": "device_runs",
        "fit_status": "estimated",
        "fit_source_id": "papers",
    } | changes


def by_alpha(log10_alpha: float, **changes: Any) -> dict[str, Any]:
    """A fit in the form of the paper."""
    nulls = dict.fromkeys(("utilisation_low", "utilisation_high", "ln_utilisation_per_decade"))
    return fit(log10_alpha=log10_alpha) | nulls | changes


def table(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(sorted(rows, key=lambda row: str(row["device"])), schema=DEVICE_FITS.schema())


def one(after: dict[str, Any], before: dict[str, Any], **options: Any) -> tuple[dict[str, Any], FitChange]:
    fits, changes = hold_changes(table(after), table(before), devices(), LIMITS, **options)
    return conform(fits, DEVICE_FITS).to_pylist()[0], changes[0]


def hours(row: dict[str, Any], known: pa.Table, flop: float, count: float) -> float:
    fits = table(row)
    predicted = fitted_device_hours(
        fits, known, device=fits["device"], training_flop=np.array([flop]), device_count=np.array([count])
    )
    return float(predicted.central[0])


class TestHours:
    def test_hours_that_move_within_the_limit_are_taken(self) -> None:
        row, change = one(fit(utilisation=0.33), fit(utilisation=0.40))

        assert ("moved", 0.33) == (row["refit_state"], row["utilisation"])
        assert (None, None) == (row["refit_tflop_per_s"], row["refit_training_runs"])
        assert (change.hours_before, change.hours_after) == pytest.approx(
            (1e23 / (0.40 * 312e12 * 3600), 1e23 / (0.33 * 312e12 * 3600))
        )

    @pytest.mark.parametrize("utilisation", [0.31, 0.51])
    def test_hours_that_move_farther_either_way_are_held_at_the_previous_fit(
        self, utilisation: float
    ) -> None:
        row, change = one(fit(utilisation=utilisation, training_runs=11), fit(utilisation=0.40))

        assert fit(utilisation=0.40) == {name: row[name] for name in fit()}
        assert ("held", utilisation * 312.0, 11) == (
            row["refit_state"],
            row["refit_tflop_per_s"],
            row["refit_training_runs"],
        )
        assert (True, False) == (change.moves_too_far, change.loses_runs)

    def test_the_limit_is_a_factor_of_one_and_a_quarter_either_way(self) -> None:
        for factor, state in ((1.249, "moved"), (1.251, "held")):
            assert state == one(fit(utilisation=0.4 / factor), fit(utilisation=0.4))[1].state
            assert state == one(fit(utilisation=0.4 * factor), fit(utilisation=0.4))[1].state

    def test_fits_by_alpha_are_compared_at_the_previous_flop(self) -> None:
        before, after = by_alpha(60.0), by_alpha(55.0, reference_training_flop=1e26)

        _, change = one(after, before)

        assert FLOP == change.training_flop
        assert (change.hours_before, change.hours_after) == pytest.approx(
            (device_hours(FLOP, 60.0), device_hours(FLOP, 55.0))
        )

    def test_a_fit_by_utilisation_is_compared_with_one_by_alpha_that_an_older_version_left(self) -> None:
        before = by_alpha(60.0)
        same = FLOP / 312e12 / 3600 / float(device_hours(FLOP, 60.0))

        assert "moved" == one(fit(utilisation=same), before)[1].state
        row, change = one(fit(utilisation=same / 1.3), before)
        assert ("held", None) == (change.state, row["ln_utilisation_per_decade"])

    def test_a_slope_that_moves_short_or_long_runs_alone_is_held_too(self) -> None:
        # 0.2 per decade: a factor of exp(0.4) two decades below the reference, none at it
        _, change = one(fit(ln_utilisation_per_decade=0.2), fit())

        assert "held" == change.state
        assert change.hours_after is not None
        assert change.hours_before is not None
        assert np.exp(0.4) == pytest.approx(change.hours_after / change.hours_before)
        assert "moved" == one(fit(ln_utilisation_per_decade=0.1), fit())[1].state  # exp(0.2)

    def test_an_equal_refit_is_kept(self) -> None:
        assert "kept" == one(fit(), fit())[0]["refit_state"]
        assert "moved" == one(fit(training_runs=11), fit())[0]["refit_state"]


class TestRuns:
    @pytest.mark.parametrize(("runs", "state"), [(5, "moved"), (4, "held")])
    def test_a_device_keeps_half_its_runs_or_is_held(self, runs: int, state: str) -> None:
        row, change = one(fit(training_runs=runs), fit(training_runs=10))

        assert (state, state == "held") == (change.state, change.loses_runs)
        assert (10 if state == "held" else runs) == row["training_runs"]

    def test_runs_of_peers_do_not_stand_in_for_runs_of_the_device(self) -> None:
        pooled = fit(training_runs=80, fit_source="pooled_all")

        row, change = one(pooled, fit(training_runs=3))

        assert ("held", 0, 80) == (change.state, change.runs_after, row["refit_training_runs"])

    def test_first_runs_of_a_device_lose_nothing(self) -> None:
        pooled = fit(training_runs=80, fit_source="pooled_all")

        assert "moved" == one(fit(training_runs=1), pooled)[1].state

    def test_an_interval_of_the_paper_names_no_runs_and_loses_none(self) -> None:
        published = by_alpha(60.0, training_runs=0, fit_source="paper_table_1")

        assert "kept" == one(published, published)[1].state


class TestAcceptance:
    def test_takes_what_is_beyond_a_limit_and_says_so(self) -> None:
        row, _ = one(fit(utilisation=0.2), fit(), accept=True)

        assert ("accepted", 0.2, None) == (row["refit_state"], row["utilisation"], row["refit_tflop_per_s"])

    def test_says_nothing_else_of_what_is_within_them(self) -> None:
        assert "moved" == one(fit(utilisation=0.39), fit(), accept=True)[0]["refit_state"]

    def test_stays_said_until_the_fit_moves(self) -> None:
        accepted = fit(utilisation=0.2, refit_state="accepted")

        assert "accepted" == one(fit(utilisation=0.2), accepted)[0]["refit_state"]
        assert "moved" == one(fit(utilisation=0.21), accepted)[0]["refit_state"]

    def test_what_was_held_is_taken_once_it_is_near_again(self) -> None:
        held, _ = one(fit(utilisation=0.2), fit())

        assert "held" == one(fit(utilisation=0.2), held)[0]["refit_state"]
        assert "kept" == one(fit(), held)[0]["refit_state"]


class TestDevices:
    def test_without_earlier_fits_every_device_is_the_first_of_its_kind(self) -> None:
        fits, changes = hold_changes(table(fit(A100), fit(H100)), None, devices(), LIMITS)

        assert ["first", "first"] == fits["refit_state"].to_pylist()
        assert ["first", "first"] == [change.state for change in changes]

    def test_devices_that_come_and_go_are_said_and_not_held(self) -> None:
        fits, changes = hold_changes(
            table(fit(A100), fit(H100, 0.1)), table(fit(A100), fit(V100)), devices(), LIMITS
        )

        assert [A100, H100] == fits["device"].to_pylist()
        assert {A100: "kept", H100: "first", V100: "gone"} == {one.device: one.state for one in changes}

    def test_a_peak_that_changes_in_the_catalog_moves_no_hours_until_it_is_accepted(self) -> None:
        known = devices(**{A100: 624.0})
        after = fit(utilisation=0.4, peak=624.0)

        fits, changes = hold_changes(table(after), table(fit(utilisation=0.4)), known, LIMITS)

        row = fits.to_pylist()[0]
        assert "held" == changes[0].state
        assert (0.2, 0.14) == pytest.approx((row["utilisation"], row["utilisation_low"]))
        assert hours(fit(utilisation=0.4), devices(), FLOP, 500.0) == pytest.approx(
            hours(row, known, FLOP, 500.0)
        )


class TestRefusal:
    def test_every_device_keeps_its_fit_and_a_new_one_takes_the_refit(self) -> None:
        known = devices()

        fits = keep_previous(table(fit(A100), fit(V100, 0.3)), table(fit(A100, 0.9), fit(H100, 0.5)), known)

        rows = {row["device"]: row for row in conform(fits, DEVICE_FITS).to_pylist()}
        assert {A100: 0.4, V100: 0.3, H100: 0.5} == {name: row["utilisation"] for name, row in rows.items()}
        assert {A100: "held", V100: "held", H100: "first"} == {
            name: row["refit_state"] for name, row in rows.items()
        }
        assert rows[A100]["refit_tflop_per_s"] is None


UTILISATIONS = st.floats(0.01, 0.9)
SLOPES = st.floats(-0.1, 0.3)


@given(
    before=st.tuples(UTILISATIONS, SLOPES, st.integers(1, 100)),
    after=st.tuples(UTILISATIONS, SLOPES, st.integers(1, 100)),
    wall_hours=st.floats(0.01, 8000.0),
    limit=st.floats(1.0, 200.0),
)
def test_no_prediction_in_use_moves_beyond_its_limit_and_none_loses_its_runs(
    before: tuple[float, float, int], after: tuple[float, float, int], wall_hours: float, limit: float
) -> None:
    old, new = (
        fit(utilisation=utilisation, ln_utilisation_per_decade=slope, training_runs=runs)
        for utilisation, slope, runs in (before, after)
    )

    fits, _ = hold_changes(table(new), table(old), devices(), Limits(limit, 50.0))

    used = fits.to_pylist()[0]
    count = FLOP / (312e12 * 3600) / wall_hours
    ratio = hours(used, devices(), FLOP, count) / hours(old, devices(), FLOP, count)
    assert abs(np.log(ratio)) <= np.log1p(limit / 100.0) + 1e-9
    assert used["training_runs"] >= 0.5 * old["training_runs"]
    if used["refit_state"] == "held":
        assert ratio == pytest.approx(1.0)
