"""Sums that are added up batch by batch are those over all rows at once, to the last bit."""

from functools import reduce

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from opencarbon.estimation.running_sums import sums_by_key


def batches(count: int, seed: int) -> list[pa.Table]:
    """Values of many orders of magnitude, so that the order of additions shows."""
    random = np.random.default_rng(seed)
    keys = [(scope, f"name {number}") for scope in ("team", "region", "device") for number in range(20)]
    made = []
    for _ in range(count):
        taken = random.permutation(len(keys))[: random.integers(0, len(keys))]
        values = random.normal(size=(len(taken), 2)) * 10.0 ** random.integers(-9, 9, (len(taken), 2))
        made.append(
            pa.table(
                {
                    "scope": pa.array([keys[at][0] for at in taken], pa.string()),
                    "name": pa.array([keys[at][1] for at in taken], pa.string()),
                    "up": pa.array(values[:, 0]),
                    "down": pa.array(values[:, 1]),
                    "jobs": pa.array(random.integers(0, 9, len(taken)), pa.int64()),
                }
            )
        )
    return made


@pytest.mark.parametrize("seed", range(5))
def test_the_sums_are_those_of_pandas_to_the_last_bit(seed: int) -> None:
    tables = batches(30, seed)
    whole = pd.concat([table.to_pandas() for table in tables]).groupby(["scope", "name"], sort=True).sum()
    sums = sums_by_key(iter(tables), ("scope", "name"))
    assert list(sums.index) == list(whole.index)
    assert (sums.to_numpy() == whole.to_numpy(dtype=np.float64)).all()
    assert not (sums.to_numpy() == sum_of_sums(tables).to_numpy(dtype=np.float64)).all()


def sum_of_sums(tables: list[pa.Table]) -> pd.DataFrame:
    """The same without what rounding loses: what a plain running sum would give."""
    frames = [table.to_pandas().set_index(["scope", "name"]) for table in tables]
    return reduce(lambda total, frame: total.add(frame, fill_value=0.0), frames).sort_index()[
        ["up", "down", "jobs"]
    ]


def test_a_key_that_stands_twice_in_a_batch_is_refused() -> None:
    table = pa.table({"scope": ["team", "team"], "up": [1.0, 2.0]})
    with pytest.raises(ValueError, match=r"a key \(scope\) stands twice in a batch"):
        sums_by_key([table], ("scope",))


def test_no_batch_is_no_row() -> None:
    assert sums_by_key([], ("scope", "name")).empty
