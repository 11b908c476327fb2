"""PUE of regions whose own figure nobody publishes: where it stands in from, and the ends it may lie between."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

UNKNOWN_PUE: Final = 1.56
"""PUE where nobody states one: mean of data centres in the Uptime Institute Global Data Center Survey 2024."""

HIGHEST_UNKNOWN_PUE: Final = 1.79
"""Highest PUE taken for a provider that publishes none: the highest mean of a part of the world, Africa and the Middle
East, in the Uptime Institute Global Data Center Survey 2020 (read in an account of its chart, hostkey.medium.com/
in-2020-europe-is-still-the-leader-in-data-center-energy-efficiency-ab94e8f2c324; Europe has the lowest, 1.46)."""


def with_pue_ends(regions: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add ``pue_low`` and ``pue_high``: the ends between which the PUE of a region lies.

    A measured PUE is both ends. One that is not may be anything from the lowest to the highest measured figure of its
    provider; for a provider that publishes none, from the lowest of all providers to :data:`HIGHEST_UNKNOWN_PUE`. The
    figure that is used lies between the ends, so it widens them where need be.

    Parameters
    ----------
    regions : iterable of dict
        Rows with ``provider``, ``pue`` and ``pue_status``; a row without a PUE gets no ends.

    Returns
    -------
    list of dict
    """
    rows = list(regions)
    measured: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row.get("pue_status") == "measured" and row.get("pue") is not None:
            measured[row["provider"]].append(float(row["pue"]))
    lowest = min((min(known) for known in measured.values()), default=1.0)
    ended = []
    for row in rows:
        pue = row.get("pue")
        if pue is None:
            known = []
        elif row.get("pue_status") == "measured":
            known = [float(pue)]
        else:
            known = [float(pue), *measured.get(row["provider"], [lowest, HIGHEST_UNKNOWN_PUE])]
        ended.append(row | {"pue_low": min(known, default=None), "pue_high": max(known, default=None)})
    return ended
