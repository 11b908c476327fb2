"""Fits recover what was planted, say where they come from, and cover every device."""

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencarbon.errors import FitError
from opencarbon.estimation.fitting import pooling
from opencarbon.estimation.fitting import pooling_priors as priors
from opencarbon.estimation.fitting.fit_evidence import log10_alpha_at_utilisation
from opencarbon.estimation.fitting.fits import Profile, fit_devices
from opencarbon.estimation.fitting.paper_fits import published_paper_fits
from opencarbon.estimation.fitting.pooling_evidence import Place, Run
from opencarbon.estimation.hours import HIGHEST_UTILISATION, fitted_device_hours
from opencarbon.physics.throughput import device_hours, log10_alpha, mean_tflop_per_s
from opencarbon.tables.contracts import PUBLISHED

PEAKS = {
    "Google TPU v3": ("tpu-v3", 123.0),
    "NVIDIA A100 SXM4 40GB": ("ampere", 312.0),
    "NVIDIA A100 SXM4 80GB": ("ampere", 312.0),
    "NVIDIA B200": ("blackwell", 2250.0),
    "NVIDIA H100 PCIe 80GB": ("hopper", 756.0),
    "NVIDIA H100 SXM5 80GB": ("hopper", 989.0),
    "NVIDIA K80": ("kepler", 8.73),
}
DEVICES = pa.table(
    {
        "device": list(PEAKS),
        "generation": [generation for generation, _ in PEAKS.values()],
        "peak_dense_tflop_per_s": [peak for _, peak in PEAKS.values()],
    }
)
A100, H100 = "NVIDIA A100 SXM4 80GB", "NVIDIA H100 SXM5 80GB"


def run(
    device: str, utilisation: float, *, family: str = "", flop: float = 1e23, **changes: Any
) -> dict[str, Any]:
    hours = flop / (utilisation * PEAKS[device][1] * 1e12 * 3600.0)
    name = f"{device}/{family}/{utilisation}/{flop}"
    return {
        "run": name,
        "model": name,
        "family": family or name,
        "device": device,
        "devices": None,
        "device_hours": hours,
        "training_flop": flop,
        "flop_basis": "counted",
        "hours_scope": None,
        "used": True,
        "reason": None,
        "source_id": "papers",
    } | changes


def runs_of(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=PUBLISHED["training_runs"].schema())


def fitted(runs: pa.Table, profile: Profile = "calibrated") -> dict[str, dict[str, Any]]:
    return {row["device"]: row for row in fit_devices(runs, DEVICES, profile=profile).to_pylist()}


def utilisations(row: dict[str, Any]) -> tuple[float, float, float]:
    """Utilisation at the slow end, the centre and the fast end of a fit."""
    alphas = [row["log10_alpha_low"], row["log10_alpha"], row["log10_alpha_high"]]
    low, middle, high = mean_tflop_per_s(row["reference_training_flop"], alphas) / PEAKS[row["device"]][1]
    return float(low), float(middle), float(high)


MIXED = runs_of(
    run(A100, 0.40, family="Ash", flop=2e23),
    run(A100, 0.45, family="Ash", flop=8e22),
    run(A100, 0.30, family="Birch", flop=5e23),
    run("NVIDIA A100 SXM4 40GB", 0.28, family="Cedar"),
    run("Google TPU v3", 0.35, family="Douglas", source_id="epoch-ai-models"),
    run("Google TPU v3", 0.33, family="Elm", flop=3e22),
    run(H100, 0.36, family="Ash", flop=3e24),
    run(H100, 0.30, family="Fir", flop=9e23),
)


@pytest.mark.parametrize("profile", ["calibrated", "paper"])
def test_every_device_has_a_row_of_the_contract_without_gaps(profile: Profile) -> None:
    fits = fit_devices(MIXED, DEVICES, profile=profile)
    assert [name for name in PUBLISHED["fact_device_fit"].columns if name != "run_id"] == fits.column_names
    assert sorted(PEAKS) == fits["device"].to_pylist()
    of_utilisation = {"utilisation_low", "utilisation_high", "ln_utilisation_per_decade"}
    of_utilisation |= {"reference_ideal_wall_hours", "interval_level"}
    later = {"refit_state", "refit_tflop_per_s", "refit_training_runs"}
    later |= {"measured_power_w", "measured_power_boundary"}
    for name in fits.column_names:
        if name in later or (profile == "paper" and name in of_utilisation):
            assert fits[name].null_count == len(PEAKS)
            continue
        assert fits[name].null_count == 0
        if pa.types.is_floating(fits[name].type):
            assert np.isfinite(fits[name].to_numpy()).all()


@pytest.mark.parametrize("profile", ["calibrated", "paper"])
def test_the_slow_end_is_below_the_centre_and_the_centre_below_the_fast_end(profile: Profile) -> None:
    for row in fitted(MIXED, profile).values():
        low, middle, high = utilisations(row)
        assert row["log10_alpha_low"] < row["log10_alpha"] < row["log10_alpha_high"]
        assert low < middle < high


def test_a_planted_utilisation_is_recovered_from_many_families() -> None:
    rng = np.random.default_rng(7)
    planted = 0.36 * np.exp(0.3 * rng.standard_normal(400))
    runs = runs_of(*(run(A100, value, family=f"family {i}") for i, value in enumerate(planted)))
    low, middle, high = utilisations(fitted(runs)[A100])
    assert pytest.approx(0.36, rel=0.05) == middle
    new = 0.36 * np.exp(0.3 * rng.standard_normal(4000))
    assert 0.77 <= np.mean((low <= new) & (new <= high)) <= 0.83


@pytest.mark.parametrize("families", [6, 31])
@pytest.mark.parametrize("level", [0.6, 0.8])
def test_the_interval_holds_the_promised_share_of_new_families(families: int, level: float) -> None:
    rng = np.random.default_rng(11)
    inside, nights = 0, 400
    spread = math.hypot(priors.BETWEEN_FAMILIES, priors.BETWEEN_ORGANISATIONS, priors.WITHIN_FAMILY)
    place = Place(A100, "ampere")
    for _ in range(nights):
        values = math.log(0.3) + 0.2 * rng.standard_normal() + spread * rng.standard_normal(families)
        seen = [
            Run(place, f"organisation {i}", f"family {i}", float(value)) for i, value in enumerate(values[1:])
        ]
        found = pooling.predicted(seen, [place], with_slope=False)
        inside += int(abs(values[0] - found.centre[0]) <= found.half_width(level)[0])
    assert abs(inside / nights - level) < 0.065


def test_a_family_counts_once_however_many_runs_it_has() -> None:
    once = runs_of(run(A100, 0.2, family="Ash"), run(A100, 0.4, family="Birch"))
    often = runs_of(
        *(run(A100, 0.2, family="Ash", flop=1e23 * (1 + i)) for i in range(30)),
        run(A100, 0.4, family="Birch"),
    )
    assert utilisations(fitted(once)[A100])[1] == pytest.approx(
        utilisations(fitted(often)[A100])[1], rel=0.06
    )


def test_more_runs_of_a_family_narrow_the_interval() -> None:
    birch = run(A100, 0.4, family="Birch")
    once = utilisations(fitted(runs_of(run(A100, 0.4, family="Ash"), birch))[A100])
    ash = (run(A100, 0.4, family="Ash", flop=1e23 * (1 + i)) for i in range(30))
    often = utilisations(fitted(runs_of(*ash, birch))[A100])
    assert often[2] / often[0] < 0.999 * once[2] / once[0]


def test_a_family_that_is_fast_everywhere_says_less_of_its_devices() -> None:
    def a100(family_there: str) -> float:
        rows = (
            run(A100, 0.5, family="Ash"),
            run(H100, 0.5, family=family_there),
            run(H100, 0.25, family="Fir"),
        )
        return utilisations(fitted(runs_of(*rows))[A100])[1]

    assert a100("Ash") < 0.99 * a100("Birch")


def test_runs_far_from_all_others_count_less() -> None:
    near = [run(A100, 0.3 + 0.01 * i, family=f"family {i}") for i in range(8)]
    before = utilisations(fitted(runs_of(*near))[A100])[1]
    after = utilisations(fitted(runs_of(*near, run(A100, 0.01, family="far")))[A100])[1]
    plain = math.exp(
        np.mean([math.log(0.3 + 0.01 * i) for i in range(8)] + [math.log(0.01)])
    )  # what a plain mean of logs gives
    assert plain < 0.75 * before < after < before


def test_a_device_without_runs_takes_the_utilisation_of_its_generation() -> None:
    fits = fitted(MIXED)
    own, peer = fits[H100], fits["NVIDIA H100 PCIe 80GB"]
    assert (own["fit_source"], own["fit_status"], own["training_runs"]) == ("device_runs", "estimated", 2)
    assert (
        peer["fit_source"],
        peer["fit_status"],
        peer["training_runs"],
    ) == ("pooled_generation", "assumed", 2)
    own_low, own_middle, own_high = utilisations(own)
    low, middle, high = utilisations(peer)
    assert pytest.approx(own_middle, rel=0.1) == middle
    assert high / low > own_high / own_low
    assert pytest.approx(own["reference_training_flop"] * 756.0 / 989.0) == peer["reference_training_flop"]


def test_a_generation_without_runs_takes_the_utilisation_of_all_with_a_wider_interval() -> None:
    fits = fitted(MIXED)
    row = fits["NVIDIA B200"]
    assert (row["fit_source"], row["fit_status"], row["training_runs"]) == ("pooled_all", "assumed", 8)
    low, middle, high = utilisations(row)
    assert 0.28 < middle < 0.40
    peer_low, _, peer_high = utilisations(fits["NVIDIA H100 PCIe 80GB"])
    assert high / low > peer_high / peer_low


def test_the_source_is_that_of_most_runs_behind_the_fit() -> None:
    fits = fitted(MIXED)
    assert fits["NVIDIA B200"]["fit_source_id"] == "papers"
    assert fits["Google TPU v3"]["fit_source_id"] == "epoch-ai-models"  # a tie: the first by name


def test_no_end_of_a_fit_passes_the_peak_of_an_old_device() -> None:
    runs = runs_of(
        *(run(A100, 0.9, family=f"family {i}") for i in range(6)), run("NVIDIA K80", 0.93, family="x")
    )
    row = fitted(runs)["NVIDIA K80"]
    low, middle, high = utilisations(row)
    assert 0.0 < low < middle < high
    assert high <= HIGHEST_UTILISATION * (1.0 + 1e-9)
    assert row["tflop_per_s"] <= 8.73


@pytest.mark.parametrize("profile", ["calibrated", "paper"])
def test_the_order_of_runs_and_devices_changes_nothing(profile: Profile) -> None:
    backwards = MIXED.take(list(range(MIXED.num_rows))[::-1])
    shuffled = DEVICES.take([3, 1, 6, 0, 2, 5, 4])
    assert fit_devices(MIXED, DEVICES, profile=profile).equals(
        fit_devices(backwards, shuffled, profile=profile)
    )


@pytest.mark.parametrize("profile", ["calibrated", "paper"])
def test_runs_that_are_not_used_or_of_other_devices_take_no_part(profile: Profile) -> None:
    others = runs_of(
        run(A100, 0.01, family="Gum", used=False, reason="A reason."),
        run(A100, 0.01, family="Holly") | {"device": "Abacus 3000"},
    )
    both = pa.concat_tables([MIXED, others])
    assert fit_devices(MIXED, DEVICES, profile=profile).equals(fit_devices(both, DEVICES, profile=profile))


@settings(max_examples=40, deadline=None)
@given(st.floats(0.13, 0.6), st.floats(1.05, 1.5))
def test_faster_runs_give_a_faster_fit(utilisation: float, factor: float) -> None:
    slow = fitted(runs_of(run(A100, utilisation, family="Ash"), run(H100, 0.3, family="Fir")))
    fast = fitted(runs_of(run(A100, utilisation * factor, family="Ash"), run(H100, 0.3, family="Fir")))
    assert fast[A100]["log10_alpha"] > slow[A100]["log10_alpha"]


def test_two_families_on_one_device_give_the_figures_worked_by_hand() -> None:
    # Families at ln .2 and ln .45, each on its own: own variance .25^2 + .34^2 + .16^2, common variance that of the
    # vague mean, the device and its generation.
    runs = runs_of(run(A100, 0.2, family="Ash"), run(A100, 0.45, family="Birch"))
    row = fitted(runs)[A100]
    own, common = 0.25**2 + 0.34**2 + 0.16**2, 25.0 + 0.04 + 0.04
    middle = math.log(1 / 3) + (math.log(0.3) - math.log(1 / 3)) * common / (common + own / 2)
    assert pytest.approx(math.exp(middle), rel=1e-9) == row["utilisation"]
    half_gap = 0.5 * math.log(0.45 / 0.2)
    squares = 2 * half_gap**2 / own + math.log(0.3 * 3) ** 2 / (common + own / 2)
    left = common - common**2 / (common + own / 2)
    spread = math.sqrt((own + left) * (10 + squares) / 12)
    wide = 1.35621733 * spread  # t, 12 degrees of freedom, 90 %
    assert pytest.approx(wide, rel=1e-7) == math.log(row["utilisation_high"] / row["utilisation"])
    assert pytest.approx(wide, rel=1e-7) == math.log(row["utilisation"] / row["utilisation_low"])


def test_the_paper_pools_variants_and_takes_six_tenths_of_a_deviation() -> None:
    alphas = (12.0, 20.0, 31.0)
    devices = (A100, A100, "NVIDIA A100 SXM4 40GB")
    flops = (1e22, 1e23, 1e24)
    runs = runs_of(
        *(
            run(device, 0.3, flop=flop, device_hours=float(device_hours(flop, alpha)))
            for device, flop, alpha in zip(devices, flops, alphas, strict=True)
        )
    )
    for device in (A100, "NVIDIA A100 SXM4 40GB"):
        row = fitted(runs, "paper")[device]
        assert pytest.approx(21.0, rel=1e-9) == row["log10_alpha"]
        assert pytest.approx(21.0 - 0.6 * np.std(alphas), rel=1e-9) == row["log10_alpha_low"]
        assert pytest.approx(21.0 + 0.6 * np.std(alphas), rel=1e-9) == row["log10_alpha_high"]
        assert (row["training_runs"], row["fit_source"]) == (3, "device_runs")
        assert pytest.approx(1e23) == row["reference_training_flop"]


def test_one_run_is_too_few_for_the_paper() -> None:
    runs = runs_of(run(H100, 0.3), run(A100, 0.4), run(A100, 0.35))
    row = fitted(runs, "paper")[H100]
    assert (row["fit_source"], row["fit_status"], row["training_runs"]) == ("pooled_all", "assumed", 3)


def test_published_intervals_take_the_place_of_fits_and_other_devices_keep_theirs() -> None:
    fits = fit_devices(MIXED, DEVICES, profile="paper")
    table = published_paper_fits(
        fits,
        DEVICES,
        published_log10_alpha={A100: (20.0, 50.0), "NVIDIA Z": (1.0, 2.0)},
        source_id="the-paper",
    )
    rows = {row["device"]: row for row in table.to_pylist()}
    paper = rows[A100]
    assert (paper["log10_alpha_low"], paper["log10_alpha"], paper["log10_alpha_high"]) == (20.0, 35.0, 50.0)
    assert (
        paper["fit_source"],
        paper["fit_status"],
        paper["fit_source_id"],
        paper["training_runs"],
    ) == ("paper_table_1", "assumed", "the-paper", 0)
    assert float(mean_tflop_per_s(paper["reference_training_flop"], 35.0)) == paper["tflop_per_s"]
    others = [row for row in fits.to_pylist() if row["device"] != A100]
    assert others == [row for row in table.to_pylist() if row["device"] != A100]


def test_without_a_usable_run_the_error_says_what_to_do() -> None:
    with pytest.raises(FitError, match="none of 1 training runs can be used"):
        fit_devices(runs_of(run(A100, 0.3, used=False)), DEVICES)


def test_a_device_without_a_peak_is_named() -> None:
    broken = pa.table({"device": ["Abacus"], "generation": ["clay"], "peak_dense_tflop_per_s": [0.0]})
    with pytest.raises(FitError, match="'Abacus' has no dense peak"):
        fit_devices(MIXED, broken)


def test_a_known_utilisation_gives_the_alpha_of_its_hours() -> None:
    flop, utilisation = np.array([1e20, 1e23, 1e25]), np.array([0.1, 0.3, 0.6])
    alphas = log10_alpha_at_utilisation(flop, utilisation, 312.0)
    hours = flop / (utilisation * 312e12 * 3600.0)
    np.testing.assert_allclose(device_hours(flop, alphas), hours, rtol=1e-11)
    np.testing.assert_allclose(alphas, log10_alpha(flop, hours), rtol=1e-12)


def test_an_unknown_utilisation_stays_unknown_and_none_at_all_is_refused() -> None:
    assert math.isnan(float(log10_alpha_at_utilisation(1e23, math.nan, 312.0)))
    with pytest.raises(ValueError, match="greater than 0"):
        log10_alpha_at_utilisation(1e23, 0.0, 312.0)


def many_families(count: int = 40, seed: int = 3) -> pa.Table:
    """Runs whose utilisation falls with fewer ideal wall-hours."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(count):
        device = [A100, H100, "Google TPU v3"][i % 3]
        decades = rng.uniform(-2, 1)
        flop = 10 ** rng.uniform(20, 24)
        devices = flop / (PEAKS[device][1] * 3.6e15) / 10 ** (2 + decades)
        value = min(0.3 * math.exp(0.35 * decades + 0.3 * rng.standard_normal()), 0.9)
        rows.append(
            run(device, value, family=f"family {i}", flop=flop, devices=devices, hours_scope="billed")
        )
    return runs_of(*rows)


MANY = many_families()


def test_a_slope_that_the_runs_show_is_found_and_one_that_they_do_not_is_left_out() -> None:
    assert fitted(MANY)[A100]["ln_utilisation_per_decade"] == pytest.approx(0.35, abs=0.12)
    rng = np.random.default_rng(5)
    columns = MANY.to_pydict() | {"devices": rng.permutation(MANY["devices"].to_numpy()).tolist()}
    without = pa.table(columns, schema=MANY.schema)
    assert abs(fitted(without)[A100]["ln_utilisation_per_decade"]) < 0.12


def test_runs_that_slow_down_with_length_give_no_slope_by_which_more_flop_take_fewer_hours() -> None:
    rows = []
    for i in range(40):
        wall_hours = 10 ** (3 * i / 39)
        value, flop = 0.5 * wall_hours**-0.25, wall_hours * 64 * PEAKS[A100][1] * 3.6e15
        rows.append(run(A100, value, family=f"family {i}", flop=flop, devices=64.0, hours_scope="billed"))
    fits = fit_devices(runs_of(*rows), DEVICES)
    assert set(fits["ln_utilisation_per_decade"].to_pylist()) == {0.0}
    # 64 devices do 6.2e23 FLOP in just under a year at their peak; beyond one, their number is taken for a placeholder
    assert hours_of(fits, 6.2e23, 8625.0)[A100] < hours_of(fits, 6.4e23, 8903.0)[A100]


def test_few_families_do_not_decide_on_a_slope() -> None:
    assert {row["ln_utilisation_per_decade"] for row in fitted(MANY.slice(0, 15)).values()} == {0.0}


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(PEAKS)),
    st.floats(1e17, 1e26),
    st.floats(1.0, 10.0),
    st.one_of(st.just(math.nan), st.floats(1.0, 1e5)),
)
def test_more_flop_never_takes_fewer_hours(device: str, flop: float, factor: float, count: float) -> None:
    for fits in (FITS_OF_MANY, PAPER_FITS_OF_MANY):
        hours = fitted_device_hours(
            *(fits, DEVICES),
            device=pa.array([device, device]),
            training_flop=np.array([flop, factor * flop]),
            device_count=np.array([count, count]),
        )
        for column in (hours.low, hours.central, hours.high):
            assert column[1] >= column[0] * (1 - 1e-12)


FITS_OF_MANY = fit_devices(MANY, DEVICES)
PAPER_FITS_OF_MANY = fit_devices(MANY, DEVICES, profile="paper")


@settings(max_examples=30, deadline=None)
@given(st.floats(0.5, 0.99), st.floats(0.5, 0.99), st.sampled_from([4, 40]))
def test_a_wider_level_gives_a_wider_interval(one: float, other: float, families: int) -> None:
    runs = MANY.slice(0, families)
    lower, higher = sorted((one, other))
    narrow, wide = (fit_devices(runs, DEVICES, level=level).to_pylist() for level in (lower, higher))
    for inner, outer in zip(narrow, wide, strict=True):
        assert outer["utilisation_low"] <= inner["utilisation_low"] < inner["utilisation"]
        assert inner["utilisation_high"] <= outer["utilisation_high"]
        assert inner["utilisation"] == outer["utilisation"]
        assert (inner["interval_level"], outer["interval_level"]) == (lower, higher)


def hours_of(fits: pa.Table, flop: float, ideal_wall_hours: float) -> dict[str, float]:
    """Central device-hours of one run on every device, as long everywhere."""
    count = np.array([flop / (peak * 3.6e15) / ideal_wall_hours for _, peak in PEAKS.values()])
    hours = fitted_device_hours(
        *(fits, DEVICES),
        device=pa.array(list(PEAKS)),
        training_flop=np.full(len(PEAKS), flop),
        device_count=count,
    )
    return dict(zip(PEAKS, hours.central.tolist(), strict=True))


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sorted(PEAKS)),
    st.floats(0.05, 0.8),
    st.floats(2.0, 900.0),
    st.sampled_from([0, 5, 12, 40]),
)
def test_an_added_run_of_a_new_family_moves_its_own_device_most(
    device: str, utilisation: float, ideal_wall_hours: float, families: int
) -> None:
    runs = pa.concat_tables([MIXED, MANY.slice(0, families)])
    flop = 1e23
    count = flop / (PEAKS[device][1] * 3.6e15) / ideal_wall_hours
    new = run(device, utilisation, family="Zelkova", flop=flop, devices=count, hours_scope="billed")
    before = hours_of(fit_devices(runs, DEVICES), flop, ideal_wall_hours)
    after = hours_of(fit_devices(pa.concat_tables([runs, runs_of(new)]), DEVICES), flop, ideal_wall_hours)
    moved = {name: abs(math.log(after[name] / before[name])) for name in PEAKS}
    assert moved[device] >= max(moved.values()) * (1 - 1e-9) - 1e-12


def own(device: str, utilisation: float, project: str = "site") -> dict[str, Any]:
    return run(device, utilisation, family=project, flop=3e22, hours_scope="billed") | {
        "source_id": "own-history",
        "organisation": "own fleet",
    }


def test_own_runs_make_the_fit_that_of_the_own_fleet() -> None:
    before = fitted(MANY)
    halves = []
    for count in (1, 2, 3):
        rows = fitted(
            pa.concat_tables([MANY, runs_of(*(own(A100, 0.5, f"project {i}") for i in range(count)))])
        )
        here = rows[A100]
        assert (here["fit_source"], here["training_runs"], here["fit_status"]) == (
            "own_runs",
            count,
            "estimated",
        )
        assert rows[H100]["fit_source"] == "device_runs"
        # the fleet's effect goes with it to its other devices, though less
        assert before[H100]["utilisation"] < rows[H100]["utilisation"] < 0.5
        halves.append(math.log(here["utilisation_high"] / here["utilisation"]))
        slope, flop = here["ln_utilisation_per_decade"], 3e22
        assert slope > 0
        hours = hours_of(pa.Table.from_pylist(list(rows.values())), flop, 100.0)[A100]
        alone = hours_of(pa.Table.from_pylist(list(before.values())), flop, 100.0)[A100]
        assert hours < alone
    assert halves[0] > halves[1] > halves[2]


def test_a_fleet_that_is_far_from_all_others_is_believed_once_its_runs_agree() -> None:
    def of_actual(count: int) -> float:
        same = [own(A100, 0.03) | {"run": f"own/{i}"} for i in range(count)]
        return float(fitted(pa.concat_tables([MANY, runs_of(*same)]))[A100]["utilisation"]) / 0.03

    above = [of_actual(count) for count in (1, 3, 30, 300)]
    assert above[0] > above[1] > above[2] > above[3] > 1.0
    assert above[0] > 2.0  # one such run may be a wrong figure
    assert above[3] < 1.5  # hundreds are not


def test_measured_throughput_alone_does_not_pass_for_hours_that_were_billed() -> None:
    billed = [run(A100, 0.3, family=f"family {i}", hours_scope="billed") for i in range(3)]
    fast = [run(A100, 0.6, family=f"bench {i}") for i in range(3)]
    as_billed = fitted(runs_of(*billed, *(row | {"hours_scope": "billed"} for row in fast)))[A100]
    as_throughput = fitted(runs_of(*billed, *(row | {"hours_scope": "throughput"} for row in fast)))[A100]
    assert 0.3 < as_throughput["utilisation"] < as_billed["utilisation"]


def test_own_runs_leave_the_slope_to_the_published_ones_however_many_they_are() -> None:
    rng = np.random.default_rng(2)
    rows = []
    for i in range(300):
        flop = 10 ** rng.uniform(18, 23)
        rows.append(
            own(A100, 0.4, f"project {i % 3}") | {"run": f"own/{i}", "training_flop": flop, "devices": 8.0}
        )
        rows[-1]["device_hours"] = flop / (0.4 * 312 * 3.6e15)
    before, after = fitted(MANY), fitted(pa.concat_tables([MANY, runs_of(*rows)]))
    assert after[A100]["ln_utilisation_per_decade"] == before[A100]["ln_utilisation_per_decade"]
    moved = {
        name: abs(math.log(after[name]["utilisation"] / before[name]["utilisation"]))
        for name in (A100, H100, "Google TPU v3", "NVIDIA K80")
    }
    assert moved[A100] == max(moved.values())
