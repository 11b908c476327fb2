"""What came of the parts of a night that may fail alone: its partitions, and the zones of the grid."""

from dataclasses import dataclass
from typing import Final

_LONGEST: Final = 300
"""Characters of a problem: it stands in every row of ``rejected_job`` that it cost."""


@dataclass(frozen=True, slots=True)
class PartitionOutcome:
    """What came of estimating and planning one partition.

    Parameters
    ----------
    partition : int
    jobs : int
        Planned jobs of the partition, estimated or not; 0 where they could not even be read.
    seconds : float
        How long it took [s].
    problem : str or None
        Why its jobs have no estimates, in a line.
    """

    partition: int
    jobs: int
    seconds: float
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class ZoneOutcome:
    """What a night knows of the intensity of one zone.

    Parameters
    ----------
    zone : str
    asked : bool
        Electricity Maps was asked for it.
    hours : int
        Full hours ahead that are known before what is usual or an annual mean stands in [h].
    kind : str
        ``intensity_kind`` that the first hour beyond the running one is planned on.
    problem : str or None
        Why the zone gave less than it should, in a line.
    """

    zone: str
    asked: bool
    hours: int
    kind: str
    problem: str | None = None


def problem_line(problem: BaseException) -> str:
    """An exception in one line of bounded length.

    Parameters
    ----------
    problem : BaseException

    Returns
    -------
    str
    """
    line = " ".join(f"{type(problem).__name__}: {problem}".split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
