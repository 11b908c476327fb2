"""The client against real servers on loopback: errors, retries, limits, and where the token never shows."""

import gzip
import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from opencarbon.errors import (
    ConfigError,
    SourceAuthError,
    SourceError,
    SourcePlanError,
    SourceRateLimitError,
    SourceUnavailableError,
)
from opencarbon.sources.fetching import fetch_bytes
from opencarbon.sources.http import Client
from opencarbon.sources.http_answers import error_message, retry_after_s
from opencarbon.sources.http_limits import HttpLimits, TokenBucket
from tests.grid_server import HANG, TOKEN, Answer, FileServer, ScriptedServer, json_answer

FAST = HttpLimits(
    connect_s=2, read_s=1.0, total_s=5, attempts=3, wait_initial_s=0.001, wait_max_s=0.002, wait_jitter_s=0
)
PLAN_BODY = (Path(__file__).parent.parent / "data/electricity_maps/error_plan.json").read_bytes()


@contextmanager
def served(*answers: Answer, limits: HttpLimits = FAST) -> Iterator[tuple[ScriptedServer, Client]]:
    with (
        ScriptedServer(*answers) as server,
        Client(
            f"{server.url}/v4", token=TOKEN, limits=limits, bucket=TokenBucket(60_000, burst=100)
        ) as client,
    ):
        yield server, client


def failure_of(*answers: Answer, limits: HttpLimits = FAST) -> tuple[SourceError, int]:
    """The error of a call, and the number of requests made."""
    with served(*answers, limits=limits) as (server, client):
        with pytest.raises(SourceError) as caught:
            client.get("carbon-intensity/latest", {"zone": "DE"})
        return caught.value, len(server.requests)


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_a_good_answer_is_the_body_as_sent() -> None:
    with served(Answer(200, b'{"zone":"DE"}')) as (_, client):
        assert client.get("carbon-intensity/latest") == b'{"zone":"DE"}'


def test_a_compressed_answer_is_decompressed() -> None:
    answer = Answer(200, gzip.compress(b"a" * 1000), {"Content-Encoding": "gzip"})
    with served(answer) as (_, client):
        assert client.get() == b"a" * 1000


def test_a_request_carries_path_query_token_and_user_agent() -> None:
    with served(Answer(200, b"{}")) as (server, client):
        client.get("carbon-intensity/latest", {"zone": "US-CAL-CISO"})
    (request,) = server.requests
    assert request.path == "/v4/carbon-intensity/latest"
    assert request.query == {"zone": "US-CAL-CISO"}
    assert request.headers["auth-token"] == TOKEN
    assert request.headers["user-agent"].startswith("opencarbon/")


@pytest.mark.parametrize("token", [None, "", "  ", SecretStr("")])
def test_without_a_token_no_header_is_sent(token: str | SecretStr | None) -> None:
    with ScriptedServer(Answer(200, b"{}")) as server, Client(server.url, token=token) as client:
        client.get()
    assert "auth-token" not in server.requests[0].headers


@pytest.mark.parametrize("token", [SecretStr(TOKEN), f"{TOKEN}\n"])
def test_a_token_may_be_secret_or_end_in_a_line_break(token: str | SecretStr) -> None:
    with ScriptedServer(Answer(200, b"{}")) as server, Client(server.url, token=token) as client:
        client.get()
    assert server.requests[0].headers["auth-token"] == TOKEN


@pytest.mark.parametrize("token", ["two words-7f1", "line\nbreak-7f1", "t\u00f6ken-7f1"])
def test_a_token_that_no_header_may_carry_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Client("http://127.0.0.1:9", token=token)
    assert "7f1" not in full_text(caught.value)


@pytest.mark.parametrize("url", ["api.example.org/v4", "ftp://example.org", "https://", "http://[::1"])
def test_a_base_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="URL"):
        Client(url)


def test_redirects_are_never_followed_with_a_token() -> None:
    with pytest.raises(ConfigError, match="redirects"):
        Client("http://127.0.0.1:9", token=TOKEN, follow_redirects=True)


def test_a_redirect_of_the_api_is_an_error_that_names_the_target() -> None:
    with FileServer({"/x": b"stolen"}) as other:
        error, requests = failure_of(Answer(302, headers={"Location": f"{other.url}/x?secret=1"}))
    assert f"a redirect to {other.url}/x, which is not followed" in str(error)
    assert "secret" not in str(error)
    assert (requests, other.requests) == (1, [])


REFUSALS: list[tuple[Answer, type[SourceError], str]] = [
    (json_answer(400, {"status": "error", "message": "bad zone"}), SourceError, "answered 400: bad zone"),
    (json_answer(401, {"error": "Unauthorized"}), SourceAuthError, "answered 401: Unauthorized"),
    (Answer(401), SourceAuthError, "answered 401 (the token is refused)"),
    (Answer(401, PLAN_BODY), SourcePlanError, "You do not have access to this specific endpoint"),
    (json_answer(401, {"error": "Token unauthorized for zoneKey"}), SourcePlanError, "does not cover"),
    (json_answer(401, {"error": "Endpoint not available"}), SourcePlanError, "does not cover"),
    (json_answer(403, {"message": "Access denied"}), SourceAuthError, "answered 403: Access denied"),
    (json_answer(422, ["a list"]), SourceError, "answered 422"),
    (Answer(418, b"<html>tea</html>", content_type="text/html"), SourceError, "answered 418"),
    (Answer(304), SourceError, "answered 304"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), REFUSALS)
def test_a_refusal_has_its_own_error_and_is_never_repeated(
    answer: Answer, kind: type[SourceError], words: str
) -> None:
    error, requests = failure_of(answer)
    assert type(error) is kind
    assert words in str(error)
    assert requests == 1


def test_an_error_shows_host_and_path_but_no_query() -> None:
    error, _ = failure_of(json_answer(400, {"message": "no"}))
    assert "/v4/carbon-intensity/latest answered 400: no" in str(error)
    assert "127.0.0.1" in str(error)
    assert "zone=" not in str(error)


def test_a_refusal_without_a_token_says_that_none_was_sent() -> None:
    with (
        ScriptedServer(json_answer(401, {"error": "Unauthorized"})) as server,
        Client(server.url) as client,
        pytest.raises(SourceAuthError, match="no token was sent"),
    ):
        client.get()


def test_nothing_for_this_is_none_and_not_an_error() -> None:
    with served(json_answer(404, {"message": "No recent data"})) as (server, client):
        assert client.get("x") is None
    assert len(server.requests) == 1


PASSING = [
    json_answer(429, {"message": "slow down"}),
    json_answer(429, {"message": "slow down"}, {"Retry-After": "0"}),
    Answer(500, b"<html>", content_type="text/html"),
    Answer(502),
    Answer(503, headers={"Retry-After": "0"}),
    Answer(200, b'{"zone": "DE"}', cut_at=5),
    HANG,
]


@pytest.mark.parametrize("answer", PASSING)
def test_a_passing_failure_is_tried_again(answer: Answer) -> None:
    with served(answer, answer, Answer(200, b"data")) as (server, client):
        assert client.get() == b"data"
    assert len(server.requests) == 3


LASTING: list[tuple[Answer, type[SourceError], str]] = [
    (json_answer(429, {"message": "slow down"}), SourceRateLimitError, "answered 429: slow down"),
    (Answer(500, b"<html>"), SourceUnavailableError, "answered 500"),
    (Answer(200, b'{"zone": "DE"}', cut_at=5), SourceUnavailableError, "broke off"),
    (HANG, SourceUnavailableError, "did not answer within 1 s"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), LASTING)
def test_a_lasting_failure_ends_after_the_last_attempt(
    answer: Answer, kind: type[SourceError], words: str
) -> None:
    error, requests = failure_of(answer)
    assert type(error) is kind
    assert words in str(error)
    assert requests == FAST.attempts


def test_no_server_at_all_is_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with (
        Client(f"http://127.0.0.1:{port}", limits=FAST) as client,
        pytest.raises(SourceUnavailableError, match="cannot be reached"),
    ):
        client.get()


def test_retry_after_is_what_the_next_attempt_waits_for() -> None:
    now = FakeTime()
    bucket = TokenBucket(60_000, burst=100, clock=now.clock, sleep=now.sleep)
    answers = (Answer(429, headers={"Retry-After": "7"}), Answer(200, b"data"))
    limits = HttpLimits(retry_after_max_s=0.05, wait_initial_s=30, wait_max_s=30)
    with ScriptedServer(*answers) as server, Client(server.url, limits=limits, bucket=bucket) as client:
        assert client.get() == b"data"  # with the back-off of 30 s the test would hang
    assert now.slept == [pytest.approx(0.05)]  # and every other thread is held as long


def test_a_retry_after_beyond_the_time_of_the_call_ends_it() -> None:
    limits = HttpLimits(total_s=1, retry_after_max_s=60)
    error, requests = failure_of(Answer(429, headers={"Retry-After": "30"}), limits=limits)
    assert isinstance(error, SourceRateLimitError)
    assert requests == 1


def test_an_answer_that_drips_ends_with_the_time_of_the_call() -> None:
    class Drip(ScriptedServer):
        def _send(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            for _ in range(1000):
                handler.wfile.write(b".")
                time.sleep(0.01)

    limits = HttpLimits(read_s=5, total_s=0.2)
    with (
        Drip(Answer()) as server,
        Client(server.url, limits=limits) as client,
        pytest.raises(SourceUnavailableError, match=r"did not finish its answer within 0\.2 s"),
    ):
        client.get()


def test_an_answer_that_is_too_long_is_refused_while_it_is_read() -> None:
    limits = HttpLimits(max_bytes=1000)
    bomb = Answer(200, gzip.compress(b"0" * 10_000_000), {"Content-Encoding": "gzip"})
    for answer in (Answer(200, b"x" * 1001), bomb):
        error, requests = failure_of(answer, limits=limits)
        assert "more than the 1000 bytes allowed" in str(error)
        assert requests == 1


def test_an_answer_that_cannot_be_decompressed_is_not_tried_again() -> None:
    error, requests = failure_of(Answer(200, b"not gzip", {"Content-Encoding": "gzip"}))
    assert type(error) is SourceError
    assert requests == 1


def test_a_long_message_is_cut() -> None:
    error, _ = failure_of(json_answer(400, {"message": "m" * 5000}))
    assert len(str(error)) < 400


# --- the token -------------------------------------------------------------------------------------------------------


def full_text(error: BaseException) -> str:
    """Everything a logger could print of an error: its chain, and the frames of ours with their local variables."""
    chain: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is not None and link not in chain:
            chain.append(link)
            waiting += [link.__cause__, link.__context__]
    frames = [
        f"{frame.filename} {frame.line} {frame.locals}"
        for link in chain
        for frame in traceback.TracebackException.from_exception(link, capture_locals=True).stack
        if frame.filename != __file__
    ]
    return "\n".join([*map(repr, chain), *map(str, chain), *frames])


SECRET_LOOKING = "tk+/=%?&;:-_.~{secret}"
EVERY_FAILURE: list[Callable[[str], Answer]] = [
    *(lambda _, answer=answer: answer for answer, _, _ in REFUSALS + LASTING),
    lambda token: json_answer(400, {"message": f"bad auth-token: {token}"}),
    lambda token: json_answer(500, {"error": f"{token * 20}"}),
    lambda token: json_answer(429, {"error": f"{'x' * 190}{token}"}),
    lambda token: Answer(
        302, headers={"Location": "http://127.0.0.1:1/" + token.replace("?", "").replace("%", "")}
    ),
    lambda _: Answer(302, headers={"Location": "http://[bad"}),
    lambda _: Answer(200, b"not gzip", {"Content-Encoding": "gzip"}),
    lambda _: Answer(200, b"x" * 2_000_000),
]


@pytest.mark.parametrize("make", EVERY_FAILURE)
@pytest.mark.parametrize("token", [TOKEN, SECRET_LOOKING])
def test_no_failure_shows_the_token(
    make: Callable[[str], Answer],
    token: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    limits = HttpLimits(
        read_s=0.5, attempts=2, wait_initial_s=0.001, wait_max_s=0.001, wait_jitter_s=0, max_bytes=1_000_000
    )
    with caplog.at_level(logging.DEBUG), ScriptedServer(make(token)) as server:
        client = Client(f"{server.url}/v4", token=token, limits=limits, bucket=TokenBucket(60_000, burst=9))
        shown = repr(client) + repr(vars(client))
        with client, pytest.raises(SourceError) as caught:
            client.get("carbon-intensity/latest", {"zone": "DE"})
        assert server.requests[0].headers["auth-token"] == token
    logged = "".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert any(record.name.startswith("httpcore") for record in caplog.records)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    for text in (shown, full_text(caught.value), logged, *capfd.readouterr()):
        assert token not in text


def test_an_answer_that_repeats_the_token_does_not_pass_it_on() -> None:
    with served(json_answer(200, {"zone": TOKEN})) as (_, client):
        assert client.get() == b'{"zone": "***"}'


def test_the_log_of_httpx_holds_no_query_and_no_password(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), FileServer({"/models.csv": b"a,b"}) as server:
        url = f"http://reader:pass-91@127.0.0.1:{server.port}/models.csv?signature=sig-57"
        assert fetch_bytes(url) == b"a,b"
    text = "".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "/models.csv" in text
    assert "sig-57" not in text
    assert "pass-91" not in text


# --- what answers say ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry-After": "120"}, 120.0),
        ({"Retry-After": " 0 "}, 0.0),
        (
            {"Retry-After": "Sun, 22 Nov 2026 13:01:30 GMT", "Date": "Sun, 22 Nov 2026 13:00:00 GMT"},
            90.0,
        ),
        ({"Retry-After": "Sun, 22 Nov 2026 12:00:00 GMT", "Date": "Sun, 22 Nov 2026 13:00:00 GMT"}, 0.0),
        ({"Retry-After": "Sun, 22 Nov 2026 13:01:30 GMT"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after_s(headers) == expected


@given(st.binary(max_size=200))
def test_any_body_of_an_error_gives_a_message(body: bytes) -> None:
    assert isinstance(error_message(body), str)


def test_a_body_nested_without_end_gives_no_message() -> None:
    assert error_message(b"[" * 60_000) == ""


# --- the rate limit --------------------------------------------------------------------------------------------------


def test_a_bucket_lets_its_burst_go_and_then_one_request_per_interval() -> None:
    now = FakeTime()
    bucket = TokenBucket(60, burst=3, clock=now.clock, sleep=now.sleep)
    for _ in range(6):
        bucket.acquire()
    assert now.slept == [pytest.approx(1.0)] * 3


def test_a_bucket_fills_again_while_nothing_is_asked() -> None:
    now = FakeTime()
    bucket = TokenBucket(60, burst=3, clock=now.clock, sleep=now.sleep)
    for _ in range(3):
        bucket.acquire()
    now.now += 100
    for _ in range(3):
        bucket.acquire()
    assert now.slept == []


def test_a_held_bucket_lets_one_request_go_after_the_hold_and_the_others_behind_it() -> None:
    now = FakeTime()
    bucket = TokenBucket(60, burst=3, clock=now.clock, sleep=now.sleep)
    bucket.hold(10)
    for _ in range(3):
        bucket.acquire()
    assert now.slept == [pytest.approx(10), pytest.approx(1), pytest.approx(1)]


def test_threads_share_one_bucket() -> None:
    waits: list[float] = []
    bucket = TokenBucket(60, burst=1, clock=lambda: 0.0, sleep=waits.append)
    threads = [threading.Thread(target=bucket.acquire) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == [pytest.approx(float(second)) for second in range(1, 20)]


@given(
    per_minute=st.floats(1, 1000),
    burst=st.integers(1, 10),
    pauses=st.lists(st.floats(0, 5), min_size=1, max_size=60),
)
def test_no_minute_ever_sees_more_requests_than_the_limit_and_its_burst(
    per_minute: float, burst: int, pauses: list[float]
) -> None:
    now = FakeTime()
    bucket = TokenBucket(per_minute, burst=burst, clock=now.clock, sleep=now.sleep)
    left = []
    for pause in pauses:
        now.now += pause
        bucket.acquire()
        left.append(now.now)
    for first in left:
        within = sum(first <= moment < first + 60 for moment in left)
        assert within <= per_minute + burst + 1e-6


@pytest.mark.parametrize(("per_minute", "burst"), [(0, 1), (-1, 1), (float("nan"), 1), (60, 0)])
def test_an_impossible_limit_is_refused(per_minute: float, burst: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        TokenBucket(per_minute, burst=burst)


def test_a_client_waits_for_its_bucket_before_every_request() -> None:
    now = FakeTime()
    bucket = TokenBucket(60, burst=1, clock=now.clock, sleep=now.sleep)
    with (
        ScriptedServer(Answer(500), Answer(200, b"1"), Answer(200, b"2")) as server,
        Client(server.url, limits=FAST, bucket=bucket) as client,
    ):
        assert (client.get(), client.get()) == (b"1", b"2")
    assert now.slept == [pytest.approx(1.0)] * 2


# --- files by URL or path --------------------------------------------------------------------------------------------


def test_a_file_is_fetched_by_url_through_redirects() -> None:
    files = FileServer(
        {"/data/models.csv": b"Model,Training compute\n"}, redirects={"/m": "/data/models.csv"}
    )
    with files as server:
        assert fetch_bytes(f"{server.url}/m") == b"Model,Training compute\n"


@pytest.mark.parametrize("as_location", [str, lambda path: path, Path.as_uri])
def test_a_file_is_read_by_path_or_file_uri(
    tmp_path: Path, as_location: Callable[[Path], str | Path]
) -> None:
    path = tmp_path / "with space.csv"
    path.write_bytes(b"a,b\n")
    assert fetch_bytes(as_location(path)) == b"a,b\n"


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with FileServer({}) as server, pytest.raises(SourceError, match="404: there is no such file"):
        fetch_bytes(f"{server.url}/models.csv")
    with pytest.raises(SourceError, match=r"models\.csv cannot be read: there is no such file"):
        fetch_bytes(tmp_path / "models.csv")


def test_a_file_that_is_too_long_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_bytes(b"x" * 11)
    with pytest.raises(SourceError, match="longer than the 10 bytes allowed"):
        fetch_bytes(path, limits=HttpLimits(max_bytes=10))


def test_redirects_without_end_are_an_error() -> None:
    with FileServer({}, redirects={"/a": "/b", "/b": "/a"}) as server, pytest.raises(SourceError) as caught:
        fetch_bytes(f"{server.url}/a", limits=FAST)
    assert "broke off (TooManyRedirects)" in str(caught.value)


def test_a_uri_that_no_file_system_speaks_shows_no_key() -> None:
    with pytest.raises(SourceError, match="cannot be opened") as caught:
        fetch_bytes("nosuch://key-41:secret-41@bucket/x.csv")
    assert "41" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
