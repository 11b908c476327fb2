"""The states that a night may end in, beside plain Completed and Failed."""

from typing import Any, Final

from prefect import State
from prefect.states import Completed, Failed

from opencarbon.cli.tables import ending, over_budget_lines
from opencarbon.pipeline import Outcome
from opencarbon.settings import Settings

SUPERSEDED: Final = "Superseded"
"""A newer night is published: this one is kept, and was not needed."""
OVER_BUDGET: Final = "OverBudget"
"""Published, and over a budget: failed or completed, as ``budget.when_over`` says."""


def state_of(outcome: Outcome, settings: Settings) -> Outcome | State[Any]:
    """State for what came of a night.

    Parameters
    ----------
    outcome : Outcome
    settings : Settings

    Returns
    -------
    Outcome or State
        The outcome alone stands for Completed; a state holds it.
    """
    if outcome.status == "superseded":
        return Completed(name=SUPERSEDED, message=ending(outcome), data=outcome)
    if outcome.over_budget:
        kind = Failed if settings.budget.when_over == "fail" else Completed
        message = "; ".join((ending(outcome), *over_budget_lines(outcome.events)))
        return kind(name=OVER_BUDGET, message=message, data=outcome)
    return outcome
