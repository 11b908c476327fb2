"""Where jobs may run, and what moving their data emits."""

from typing import Any

import numpy as np
import pytest

from opencarbon.estimation.planning.candidates import AllowedRegions, transfer_kgco2e
from opencarbon.tables.inputs import PLANNED_JOBS
from tests.estimation.worlds import OFFERS, REGIONS, job, table

NAMES = np.array([region[0] for region in REGIONS], dtype=object)
PLACES = AllowedRegions(
    names=NAMES,
    providers=np.array([name.split(":")[0] for name in NAMES], dtype=object),
    countries=np.array([region[2] for region in REGIONS], dtype=object),
    offers=OFFERS,
)
ONE, TWO = ({name for name in NAMES if name.startswith(f"{provider}:")} for provider in ("one", "two"))


def allowed(default: str | None = None, **changes: Any) -> set[str]:
    mask = PLACES.mask(table([job(**changes)], PLANNED_JOBS.schema()), default)
    return set(NAMES[mask[0]])


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        (ONE | TWO, {"allowed_regions": "*"}),
        (TWO, {"allowed_regions": "two:*"}),
        ({"two:cc", "two:cc-no-zone", "one:cc-x"}, {"allowed_regions": "country:CC"}),
        ({"one:bb", "two:ee"}, {"allowed_regions": "one:bb;two:ee"}),
        ({"one:aa-west"}, {"allowed_regions": ""}),
        (ONE, {"allowed_regions": None}),
        (TWO, {"allowed_regions": None, "current_region": "two:bb"}),
        ({"two:bb"}, {"allowed_regions": None, "current_region": "two:bb", "device": "Chip B"}),
        (ONE, {"allowed_regions": None, "current_region": None, "device": "Chip B"}),
        (ONE | TWO, {"allowed_regions": None, "current_region": None}),
        (set(), {"allowed_regions": "", "current_region": None}),
    ],
    ids=[
        "everywhere",
        "a provider",
        "a country",
        "a list",
        "empty: where it is",
        "null: its provider, whose devices are not known",
        "null: its provider, which offers the device",
        "null: its provider, which does not offer the device: where it is",
        "null and nowhere: every provider that may offer the device",
        "null and nowhere: every provider that offers the device",
        "empty and nowhere",
    ],
)
def test_allowed_regions_are_read_as_the_contract_says(expected: set[str], changes: dict[str, Any]) -> None:
    assert expected == allowed(**changes)


def test_a_job_that_names_no_region_is_in_the_default_one() -> None:
    assert {"two:ff"} == allowed("two:ff", allowed_regions="", current_region=None)
    assert ONE | {"two:ff"} == allowed("two:ff", allowed_regions=None, current_region=None, device="Chip B")
    assert {"one:aa-west"} == allowed("two:ff", allowed_regions="")


def test_every_job_has_its_own_row() -> None:
    wishes = ["one:*", None, "", "one:*", "country:CC"]
    jobs = table(
        [job(number, allowed_regions=wish) for number, wish in enumerate(wishes)], PLANNED_JOBS.schema()
    )
    mask = PLACES.mask(jobs)

    assert [allowed(allowed_regions=wish) for wish in wishes] == [set(NAMES[row]) for row in mask]
    assert (0, len(NAMES)) == PLACES.mask(jobs.slice(0, 0)).shape


def test_moving_data_takes_network_energy_at_the_networks_intensity() -> None:
    jobs = table([job(dataset_gb=size) for size in (1000.0, 1000.0, None, 0.0)], PLANNED_JOBS.schema())
    leaves = np.array([True, False, True, True])

    assert [pytest.approx(0.47), 0.0, 0.0, 0.0] == transfer_kgco2e(jobs, leaves, 470.0).tolist()


def test_an_unknown_network_never_makes_moving_free() -> None:
    jobs = table([job(dataset_gb=size) for size in (1000.0, None)], PLANNED_JOBS.schema())

    assert [True, False] == np.isnan(transfer_kgco2e(jobs, np.array([True, True]), float("nan"))).tolist()
