"""Whether it is worth asking a service on, remembered for all threads."""

import threading
from collections.abc import Sequence
from typing import Final

from opencarbon.tables.events import Event

_SPENT: Final = "budget"

STOPPING_CODES: Final = frozenset({"auth", "rate_limit", "unavailable", _SPENT})
"""Codes of events after which every zone may fail: refusal, throttling, silence, a budget that is spent."""

_FAILURES_IN_A_ROW: Final = 5
"""Zones that may fail one after the other, by refusal, throttling or silence, before the rest is not asked."""


class Circuit:
    """Stops asking once a token is refused before any zone worked, a budget is spent, or five zones in a row fail.

    A refusal after a zone worked is that zone's own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._worked = False
        self._in_a_row = 0
        self._stopped_by: Event | None = None

    def stopped_by(self) -> Event | None:
        """The failure after which nothing more is to be asked; None as long as it is worth asking.

        Returns
        -------
        Event or None
        """
        with self._lock:
            return self._stopped_by

    def not_asked(self, zone: str) -> Event | None:
        """What to say of a zone that is not worth asking for any more; None as long as it is.

        Parameters
        ----------
        zone : str

        Returns
        -------
        Event or None
        """
        stopped_by = self.stopped_by()
        if stopped_by is None:
            return None
        words = f"not asked, after zone {stopped_by.subject} failed: {stopped_by.detail}"
        return Event("warning", stopped_by.source, zone, stopped_by.code, words)

    def record(self, events: Sequence[Event], *, worked: bool) -> None:
        """Note how asking for a zone went.

        Parameters
        ----------
        events : sequence of Event
            What went wrong.
        worked : bool
            Whether it brought anything.
        """
        fatal = next((event for event in events if event.code in STOPPING_CODES), None)
        spent = next((event for event in events if event.code == _SPENT), None)
        with self._lock:
            if spent is not None:
                self._stopped_by = self._stopped_by or spent
                return
            if worked or fatal is None:
                self._worked = self._worked or worked
                self._in_a_row = 0
                return
            self._in_a_row += 1
            refused = fatal.code == "auth" and not self._worked
            if self._stopped_by is None and (refused or self._in_a_row >= _FAILURES_IN_A_ROW):
                self._stopped_by = fatal
