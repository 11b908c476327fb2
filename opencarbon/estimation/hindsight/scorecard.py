"""Outcomes of past advice in a few sums."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True, slots=True)
class Scorecard:
    """What came of past advice, as one night tells it.

    Parameters
    ----------
    finished_jobs, followed_jobs, measured_jobs : int
        Jobs that ended, those of them that followed the advice, and those of them whose saving is known.
    saving_kgco2e, claimed_saving_kgco2e : float
        What the jobs whose saving is known saved, and what the advice for them claimed [kgCO2e].
    regret_kgco2e : float
        What they emitted beyond the best in hindsight [kgCO2e].
    if_followed_jobs : int
        Jobs whose runs are not known.
    saving_if_followed_kgco2e, claimed_if_followed_kgco2e : float
        What these would have saved if they followed the advice, and what it claimed for them [kgCO2e].
    """

    finished_jobs: int = 0
    followed_jobs: int = 0
    measured_jobs: int = 0
    saving_kgco2e: float = 0.0
    claimed_saving_kgco2e: float = 0.0
    regret_kgco2e: float = 0.0
    if_followed_jobs: int = 0
    saving_if_followed_kgco2e: float = 0.0
    claimed_if_followed_kgco2e: float = 0.0

    def sentences(self) -> Iterator[str]:
        """The sums in words.

        Yields
        ------
        str
            One for jobs that ended and one for jobs whose runs are not known, where there are any.
        """
        if self.finished_jobs:
            unknown = self.finished_jobs - self.measured_jobs
            others = f" ({unknown:,} not measured yet or without a baseline)" if unknown else ""
            yield (
                f"of {_jobs(self.finished_jobs, 'finished')} {self.followed_jobs:,} followed the advice{others}: "
                f"{self.saving_kgco2e:,.0f} kgCO2e saved of {self.claimed_saving_kgco2e:,.0f} claimed; "
                f"regret {self.regret_kgco2e:,.0f} kgCO2e"
            )
        if self.if_followed_jobs:
            yield (
                f"{_jobs(self.if_followed_jobs, 'advised')} of which no run is known: "
                f"{self.saving_if_followed_kgco2e:,.0f} kgCO2e saved of {self.claimed_if_followed_kgco2e:,.0f} claimed, "
                "if the advice was followed"
            )


def scorecard_of(outcomes: pa.Table) -> Scorecard:
    """Sum outcomes up.

    Parameters
    ----------
    outcomes : pa.Table
        ``fact_advice_outcome``.

    Returns
    -------
    Scorecard
    """
    status = outcomes["outcome_status"]
    is_hypothetical = pc.equal(status, pa.scalar("if_followed"))
    finished, hypothetical = outcomes.filter(pc.invert(is_hypothetical)), outcomes.filter(is_hypothetical)
    both = pc.and_(finished["saving_kgco2e"].is_valid(), finished["claimed_saving_kgco2e"].is_valid())
    measured = finished.filter(both)
    return Scorecard(
        finished_jobs=finished.num_rows,
        followed_jobs=finished.filter(pc.equal(finished["outcome_status"], pa.scalar("followed"))).num_rows,
        measured_jobs=measured.num_rows,
        saving_kgco2e=_sum(measured, "saving_kgco2e"),
        claimed_saving_kgco2e=_sum(measured, "claimed_saving_kgco2e"),
        regret_kgco2e=_sum(measured, "regret_kgco2e"),
        if_followed_jobs=hypothetical.num_rows,
        saving_if_followed_kgco2e=_sum(hypothetical, "saving_if_followed_kgco2e"),
        claimed_if_followed_kgco2e=_sum(hypothetical, "claimed_saving_kgco2e"),
    )


def _jobs(count: int, words: str) -> str:
    return f"{count:,} {words} {'job' if count == 1 else 'jobs'}"


def _sum(rows: pa.Table, column: str) -> float:
    return float(pc.sum(rows[column]).as_py() or 0.0)
