"""Pausing schedules whose resumes cost energy, by trying run and rest in every hour, in plain Python."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, eq=False)
class Pausing:
    """A job that pauses at hour boundaries: whole hours, a part of one more, its window, and what an hour costs."""

    whole: int
    part: float
    earliest: float
    finish: float
    first: int
    end: int
    restart_h: float
    worth: Callable[[int], float]

    def schedules(self) -> Iterator[list[tuple[float, float]]]:
        """The best with the part last, and with the part first."""
        if math.isfinite(self.rest(self.first, self.whole, self.part > 0, "fresh")):
            runs = self._runs(self.first, self.part > 0, "fresh")
            yield [*runs[:-1], (runs[-1][0], runs[-1][0] + self.part)] if self.part else runs
        led = [
            (self.part * self.worth(hour) + self.rest(hour + 1, self.whole, False, "running"), hour)
            for hour in range(math.floor(self.earliest), self.end - self.whole)
            if self.part and hour + 1 - self.part >= self.earliest - 1e-9
        ]
        if led and math.isfinite(min(led)[0]):
            hour = min(led)[1]
            yield [(hour + 1 - self.part, hour + 1.0), *self._runs(hour + 1, False, "running")]

    @cached_property
    def _known(self) -> dict[tuple[int, int, bool, str], float]:
        return {}

    def rest(self, hour: int, left: int, part_left: bool, state: str) -> float:
        """Least cost from an hour on, the part last; the state is that of the hour before."""
        if not left and not part_left:
            return 0.0
        if hour > self.end:
            return math.inf
        key = (hour, left, part_left, state)
        if key not in self._known:
            self._known[key] = min(self._run(*key), self._idle(*key))
        return self._known[key]

    def _idle(self, hour: int, left: int, part_left: bool, state: str) -> float:
        return self.rest(hour + 1, left, part_left, "fresh" if state == "fresh" else "resting")

    def _run(self, hour: int, left: int, part_left: bool, state: str) -> float:
        resume_h = self.restart_h if state == "resting" else 0.0
        if left and hour < self.end:
            return (1.0 + resume_h) * self.worth(hour) + self.rest(hour + 1, left - 1, part_left, "running")
        if not left and hour + self.part <= self.finish + 1e-9:
            return (self.part + resume_h) * self.worth(hour)
        return math.inf

    def _runs(self, hour: int, part_left: bool, state: str) -> list[tuple[float, float]]:
        """The hours that run, from one on."""
        runs, left = [], self.whole
        while left or part_left:
            key = (hour, left, part_left, state)
            if self._run(*key) <= self._idle(*key):
                runs.append((float(hour), hour + 1.0))
                left, part_left, state = (left - 1, part_left, "running") if left else (0, False, state)
            elif state == "running":
                state = "resting"
            hour += 1
        return runs
