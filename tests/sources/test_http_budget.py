"""The budget of requests, and refusals that are throttling."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from opencarbon.errors import (
    SourceAuthError,
    SourceBudgetError,
    SourcePlanError,
    SourceRateLimitError,
)
from opencarbon.sources.http import Client
from opencarbon.sources.http_limits import HttpLimits, RequestBudget, TokenBucket
from tests.grid_server import TOKEN, Answer, ScriptedServer, json_answer

FAST = HttpLimits(
    connect_s=2, read_s=1.0, total_s=5, attempts=3, wait_initial_s=0.001, wait_max_s=0.002, wait_jitter_s=0
)
OK = Answer(200, b"{}")
REFUSED = json_answer(401, {"error": "Unauthorized"})
BUSY = json_answer(503, {})

PLAN_TEXTS = [
    "Request unauthorized for zoneKey=DK-DK2,requestType=past,dataType=carbon-intensity.",
    "Token unauthorized for zoneKey=DE",
    "Endpoint not available",
    "You do not have access to this specific endpoint for this specific zone.",
]


def client_of(server: ScriptedServer, most: int = 100, token: str | None = TOKEN) -> Client:
    budget = RequestBudget(most)
    return Client(server.url, token=token, limits=FAST, bucket=TokenBucket(60_000, burst=100), budget=budget)


# --- the budget ------------------------------------------------------------------------------------------------------


def test_every_attempt_counts_and_nothing_is_asked_once_the_budget_is_spent() -> None:
    with ScriptedServer(OK, BUSY, BUSY, OK) as server, client_of(server, 4) as client:
        assert client.get("one") == b"{}"
        assert client.get("two") == b"{}"  # at the third attempt
        with pytest.raises(SourceBudgetError, match="the 4 requests of this run are spent"):
            client.get("three")
        assert len(server.requests) == 4


def test_a_budget_that_is_spent_between_two_attempts_ends_the_call() -> None:
    with ScriptedServer(BUSY) as server, client_of(server, 2) as client:
        with pytest.raises(SourceBudgetError):
            client.get("one")
        assert len(server.requests) == 2


def test_threads_share_a_budget() -> None:
    def ask(client: Client, number: int) -> int:
        try:
            client.get(str(number))
        except SourceBudgetError:
            return 0
        return 1

    with ScriptedServer(OK) as server, client_of(server, 17) as client, ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda number: ask(client, number), range(60))) == 17
        assert len(server.requests) == 17


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="most must be at least 1, not 0"):
        RequestBudget(0)


# --- 401 -------------------------------------------------------------------------------------------------------------


def test_a_refusal_before_the_token_worked_is_about_the_token_and_is_not_tried_again() -> None:
    with ScriptedServer(json_answer(401, {"error": "Invalid auth-token"})) as server:
        with client_of(server) as client, pytest.raises(SourceAuthError, match="the token is refused"):
            client.get("one")
        assert len(server.requests) == 1


def test_a_refusal_after_the_token_worked_is_throttling_and_is_tried_again() -> None:
    with ScriptedServer(OK, REFUSED, REFUSED, OK) as server, client_of(server) as client:
        assert [client.get("one"), client.get("two")] == [b"{}", b"{}"]
        assert len(server.requests) == 4


def test_throttling_that_does_not_end_is_a_rate_limit_error() -> None:
    with ScriptedServer(OK, REFUSED) as server, client_of(server) as client:
        client.get("one")
        with pytest.raises(SourceRateLimitError, match=r"answered 401: Unauthorized .*this is throttling"):
            client.get("two")
        assert len(server.requests) == 1 + FAST.attempts


@pytest.mark.parametrize("text", PLAN_TEXTS)
@pytest.mark.parametrize("name", ["error", "message"])
def test_a_refusal_that_names_the_plan_is_one_by_the_plan_before_and_after(text: str, name: str) -> None:
    refused = json_answer(401, {name: text})
    with ScriptedServer(refused, OK, refused) as server, client_of(server) as client:
        with pytest.raises(SourcePlanError):
            client.get("one")
        client.get("two")
        with pytest.raises(SourcePlanError):
            client.get("three")
        assert len(server.requests) == 3


def test_an_answer_that_needs_no_token_does_not_show_that_the_token_is_good() -> None:
    with ScriptedServer(OK, REFUSED) as server, client_of(server) as client:
        client.get("zones", needs_token=False)
        with pytest.raises(SourceAuthError):
            client.get("two")
        assert len(server.requests) == 2


def test_access_denied_is_about_the_token_even_after_it_worked() -> None:
    with ScriptedServer(OK, json_answer(403, {"message": "Access denied"})) as server:
        with client_of(server) as client:
            client.get("one")
            with pytest.raises(SourceAuthError):
                client.get("two")
        assert len(server.requests) == 2
