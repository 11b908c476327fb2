"""How often and how long an HTTP client tries: limits of one call, and a rate limit that threads share."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_SECONDS_PER_MINUTE: Final = 60.0


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """How long and how often a client tries, and how much it accepts.

    Parameters
    ----------
    connect_s, read_s : float
        Longest wait for a connection and for the next piece of an answer [s].
    total_s : float
        Time after which a call makes no further attempt and reads no further, counted from its first slot of the
        rate limit [s].
    attempts : int
        Requests made at most for one call.
    wait_initial_s, wait_max_s, wait_jitter_s : float
        Exponential back-off between attempts [s].
    retry_after_max_s : float
        Longest wait that a ``Retry-After`` header is granted [s].
    max_bytes : int
        Longest answer accepted, after decompression.
    """

    connect_s: float = 5.0
    read_s: float = 20.0
    total_s: float = 90.0
    attempts: int = 4
    wait_initial_s: float = 0.5
    wait_max_s: float = 10.0
    wait_jitter_s: float = 1.0
    retry_after_max_s: float = 60.0
    max_bytes: int = 64 * 1024 * 1024


class TokenBucket:
    """Hands out the moments at which requests may leave; threads may share it.

    Parameters
    ----------
    per_minute : float
        Requests per minute in the long run.
    burst : int, optional
        Requests that may leave at once after a rest.
    clock : callable, optional
        Monotonic time [s].
    sleep : callable, optional
        Waits for a number of seconds.

    Raises
    ------
    ValueError
        If ``per_minute`` is not above 0 or ``burst`` is below 1.

    Notes
    -----
    The generic cell rate algorithm (ITU-T I.371, annex A): one number, the time at which the bucket is full again.
    """

    def __init__(
        self,
        per_minute: float,
        *,
        burst: int = 1,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not per_minute > 0:
            raise ValueError(f"per_minute must be above 0, not {per_minute}")
        if burst < 1:
            raise ValueError(f"burst must be at least 1, not {burst}")
        self._interval_s = _SECONDS_PER_MINUTE / per_minute
        self._slack_s = (burst - 1) * self._interval_s
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._full_at = clock()

    def acquire(self) -> None:
        """Wait for the next moment at which a request may leave, and take it."""
        with self._lock:
            now = self._clock()
            wait_s = max(0.0, self._full_at - self._slack_s - now)
            self._full_at = max(self._full_at, now) + self._interval_s
        if wait_s > 0:
            self._sleep(wait_s)

    def hold(self, seconds: float) -> None:
        """Let no request leave for a while, because the service asked for it.

        Parameters
        ----------
        seconds : float
            From now [s]. Requests that already have their moment are not held.
        """
        with self._lock:
            self._full_at = max(self._full_at, self._clock() + seconds + self._slack_s)


class RequestBudget:
    """Requests that may still be made; threads may share it, and so may clients.

    Parameters
    ----------
    most : int
        Requests in all, those that are tried again among them.

    Raises
    ------
    ValueError
        If ``most`` is below 1.
    """

    def __init__(self, most: int) -> None:
        if most < 1:
            raise ValueError(f"most must be at least 1, not {most}")
        self.most = most
        self._left = most
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Take one request.

        Returns
        -------
        bool
            Whether there was one.
        """
        with self._lock:
            if not self._left:
                return False
            self._left -= 1
            return True

    @property
    def taken(self) -> int:
        """Requests that were taken."""
        return self.most - self._left
