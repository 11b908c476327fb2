"""What work costs, as CPU time of this process and all its threads: other processes of the machine hardly move it."""

import os
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from rich.console import Console
from rich.table import Table

JOBS: Final = int(os.environ.get("OPENCARBON_BENCHMARK_JOBS", "4000"))
"""Jobs that the engines are asked about: a few thousand, unless the scaling is wanted."""


Answer = TypeVar("Answer")


ROUNDS: Final = 3 if JOBS <= 10_000 else 1


def cpu_seconds(work: Callable[[], Answer], rounds: int = ROUNDS) -> tuple[Answer, float]:
    """What work gives, and the least CPU time of a few rounds [s]."""
    seconds = []
    for _ in range(rounds):
        began = time.process_time()
        answer = work()
        seconds.append(time.process_time() - began)
    return answer, min(seconds)


def print_table(title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table, the first column to the left and figures to the right."""
    table = Table(title=title, title_justify="left")
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    Console().print("\n", table, sep="")


def show_ratios(title: str, jobs: int, seconds: dict[str, float]) -> None:
    """Print CPU times and their ratios to the first."""
    base = next(iter(seconds.values()))
    rows = [
        (name, f"{taken:.3f}", f"{taken / jobs * 1e6:.1f}", f"{taken / base:.1f}")
        for name, taken in seconds.items()
    ]
    print_table(f"{title}, {jobs:,} jobs", ("engine", "CPU s", "s per million", "ratio"), rows)
