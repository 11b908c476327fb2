"""Words that the page and the terminal use alike."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from opencarbon.publishing.numbers import NOT_KNOWN

ACTIONS: Final[Mapping[str, str]] = {
    "move": "move",
    "delay": "delay",
    "move_and_delay": "move and delay",
    "run_now": "run as planned",
    "none": "no advice",
}
"""Action -> words."""


def moment(value: datetime | None) -> str:
    """Write a moment of UTC, to the minute.

    Parameters
    ----------
    value : datetime or None

    Returns
    -------
    str
        Such as ``Mon 16 Nov 00:00``; a dash where there is none.
    """
    return NOT_KNOWN if value is None else f"{value:%a %d %b %H:%M}"
