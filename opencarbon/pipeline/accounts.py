"""What a night may claim, and who is over budget."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from opencarbon.estimation.claims import POTENTIAL, Claims, claims_of
from opencarbon.estimation.totals import WHOLE_RUN, totals
from opencarbon.pipeline.summary import BUDGET, OverBudget, Summary, tonnes
from opencarbon.pipeline.work import read_parts
from opencarbon.settings import BudgetSettings, Settings
from opencarbon.sources.places import Place
from opencarbon.tables.events import Event

_NAMED: Final = 3
"""Jobs and regions that an event names one by one."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """The sums of a night and what may be claimed of them.

    Parameters
    ----------
    claims : Claims
    totals : pa.Table
        ``fact_total`` without ``run_id``.
    """

    claims: Claims
    totals: pa.Table


def accounts_of_parts(work: Place, settings: Settings, *, saving_status: str = POTENTIAL) -> Accounts:
    """Sums of a night that is not published yet.

    Parameters
    ----------
    work : Place
        Its work folder.
    settings : Settings
    saving_status : {"potential", "allocated"}, optional
        allocated: capacity was reserved for the advice.

    Returns
    -------
    Accounts
    """
    claims = claims_of(
        read_parts(work, "region_steps"),
        claim_up_to_mw=settings.plan.claim_up_to_mw,
        saving_status=saving_status,
    )
    sums, errors, places = (read_parts(work, f"total_{part}") for part in ("sums", "errors", "places"))
    return Accounts(claims, totals(sums, errors, places, claims, _budgets(settings.budget)))


def _budgets(budget: BudgetSettings) -> dict[tuple[str, str], float]:
    run = {} if budget.run_kgco2e is None else {("run", WHOLE_RUN): budget.run_kgco2e}
    return run | {("team", team): kgco2e for team, kgco2e in budget.teams.items()}


def account_events(summary: Summary, settings: Settings) -> tuple[Event, ...]:
    """What the reader should know of budgets, and of savings that are not claimed.

    Parameters
    ----------
    summary : Summary
    settings : Settings

    Returns
    -------
    tuple of Event
    """
    return (
        *_over_budget(summary),
        *_unknown_teams(summary.teams, settings.budget.teams),
        *_not_claimed(summary, settings.plan.claim_up_to_mw),
    )


def _over_budget(summary: Summary) -> Iterator[Event]:
    for one in summary.over:
        if one.scope == "job":
            continue
        subject = one.name if one.scope == "team" else None
        who = f"team {one.name!r} is" if one.scope == "team" else "all jobs together are"
        yield Event("warning", BUDGET, subject, "over_budget", f"{who} advised to emit {_excess(one)}")
    jobs = [one for one in summary.over if one.scope == "job"]
    if jobs:
        count = summary.jobs_over_budget
        who = f"{count} job{' is' if count == 1 else 's are'} advised to emit more than carbon_budget_kgco2e allows"
        named = _listed([f"{one.name} by {tonnes(one.over_by_kgco2e)} tCO2e" for one in jobs], count)
        yield Event(
            "warning", BUDGET, None, "jobs_over_budget", f"{who}: {named}; see budget_status in rec_job"
        )


def _excess(one: OverBudget) -> str:
    advised, over, budget = map(tonnes, (one.advised_kgco2e, one.over_by_kgco2e, one.budget_kgco2e))
    return f"{advised} tCO2e, {over} tCO2e above the budget of {budget} tCO2e"


def _listed(names: Sequence[str], count: int) -> str:
    shown = ", ".join(names[:_NAMED])
    return shown if count <= _NAMED else f"{shown} and {count - _NAMED} more"


def _unknown_teams(teams: Sequence[str], budgeted: Iterable[str]) -> Iterator[Event]:
    for team in sorted(set(budgeted) - set(teams)):
        near = difflib.get_close_matches(team, teams, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        detail = f"no job is of team {team!r}, which has a budget in budget.teams{hint}"
        yield Event("info", BUDGET, team, "unknown_team", detail)


def _not_claimed(summary: Summary, claim_up_to_mw: float) -> Iterator[Event]:
    for region, load_mw in summary.not_claimed.items():
        detail = (
            f"{load_mw:,.1f} MW are advised into {region}, more than plan.claim_up_to_mw = {claim_up_to_mw:g}: no sum "
            "of savings with these jobs is claimed; give plan.capacities"
        )
        yield Event("info", "planning", region, "saving_not_claimed", detail)
