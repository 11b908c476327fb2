"""The rank of the advised place among those that are shown."""

import numpy as np
import pytest

from opencarbon.estimation.planning import picks
from opencarbon.estimation.planning.schedules import BEST, NOW, STAY


@pytest.mark.parametrize("form", [STAY, NOW], ids=["as it is shown", "at another start"])
@pytest.mark.parametrize("nudge", [-1e-15, 0.0, 1e-15])
def test_a_place_whose_cost_is_rounded_otherwise_is_not_ahead_of_itself(nudge: float, form: int) -> None:
    advice = picks._Advice(
        column=np.array([3]), form=np.array([form]), region=np.array([3]), cost=np.array([4.0 + 4.0 * nudge])
    )
    rank, advised = picks._insert(
        advice,
        np.arange(5),
        np.array([[1.0, 2.0, 3.0, 4.0, 5.0]]),
        np.array([[BEST, BEST, BEST, STAY, BEST]]),
        np.array([[0, 1, 2]]),
    )

    assert [[1, 2, 3, 4]] == rank.tolist()
    assert [[False, False, False, True]] == advised.tolist()
