"""The one way to the web: a client with a token, timeouts, retries, a rate limit and clear errors.

Nothing outside this module and its logs imports httpx. No token, header or query of a URL reaches an exception or a log.
"""

import ssl
import time
from collections.abc import Generator, Mapping
from functools import cache
from importlib.metadata import version
from types import TracebackType
from typing import Final, Self

import httpx
import stamina
from pydantic import SecretStr

from opencarbon.errors import (
    ConfigError,
    SourceBudgetError,
    SourceError,
    SourceRateLimitError,
    SourceUnavailableError,
)
from opencarbon.sources.http_answers import error_message, refusal, retry_after_s
from opencarbon.sources.http_limits import HttpLimits, RequestBudget, TokenBucket
from opencarbon.sources.http_logs import discreet_logs
from opencarbon.sources.http_token import Token
from opencarbon.sources.locations import public_name

AUTH_HEADER: Final = "auth-token"
"""Header of the token (https://app.electricitymaps.com/docs/quickstart/authorization)."""

_NO_RETRY: Final = (
    httpx.TooManyRedirects,
    httpx.DecodingError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
_ERROR_BODY_BYTES: Final = 65_536


class _AgainError(Exception):
    """A failure that another attempt may cure; holds no request."""

    def __init__(self, failure: SourceError, retry_after_s: float | None = None) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.retry_after_s = retry_after_s


class _TokenAuth(httpx.Auth):
    """Puts the token into the header of a request as it leaves; a redirect is never followed with it."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers[AUTH_HEADER] = self._token.reveal()
        yield request


class Client:
    """A connection to one HTTP service, shared by threads; use it as a context manager.

    Parameters
    ----------
    base_url : str
        Where the paths of :meth:`get` begin, such as ``https://api.electricitymaps.com/v4``.
    token : pydantic.SecretStr or str, optional
        Sent in the header ``auth-token``, and nowhere else.
    limits : HttpLimits, optional
        Timeouts, retries and sizes.
    bucket : TokenBucket, optional
        The rate limit; 120 requests a minute, ten of them at once, where none is given.
    budget : RequestBudget, optional
        Most requests in all, attempts counted one by one; no limit where none is given.
    follow_redirects : bool, optional
        Follow up to five redirects. Not allowed with a token.

    Raises
    ------
    ConfigError
        If the URL is not one of http or https, the token cannot stand in a header, or redirects are to be
        followed with a token.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: SecretStr | str | None = None,
        limits: HttpLimits | None = None,
        bucket: TokenBucket | None = None,
        budget: RequestBudget | None = None,
        follow_redirects: bool = False,
    ) -> None:
        self._base_url = _checked_url(base_url)
        self._token = Token(token)
        token = None  # from here on no traceback that shows local variables shows it
        self._token.check()
        self._limits = limits or HttpLimits()
        self._bucket = bucket or TokenBucket(120.0, burst=10)
        self._budget = budget
        self._token_worked = False
        if self._token and follow_redirects:
            raise ConfigError("redirects are not followed with a token: it could reach another host")
        self._http = httpx.Client(
            auth=_TokenAuth(self._token) if self._token else None,
            headers={"User-Agent": f"opencarbon/{version('opencarbon')}", "Accept": "*/*"},
            verify=_tls_context(),
            timeout=httpx.Timeout(self._limits.read_s, connect=self._limits.connect_s),
            follow_redirects=follow_redirects,
            max_redirects=5,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({public_name(self._base_url)!r})"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(
        self, path: str = "", params: Mapping[str, str] | None = None, *, needs_token: bool = True
    ) -> bytes | None:
        """Fetch one answer, trying again after throttling (429), server errors (5xx) and broken connections.

        Parameters
        ----------
        path : str, optional
            Path below the base URL.
        params : mapping of str to str, optional
            Query.
        needs_token : bool, optional
            Whether the service gives this to a good token alone, so that an answer shows that the token is good.

        Returns
        -------
        bytes or None
            The body; None for 404: the service has nothing for this.

        Raises
        ------
        SourceAuthError, SourcePlanError
            For 401 and 403, told apart by what the body says.
        SourceRateLimitError
            For 429 after the last attempt, and for 401 where the token worked before and the body says nothing of the
            plan: Electricity Maps answers so when it throttles (issue 8047 of electricitymaps-contrib).
        SourceBudgetError
            If the budget is spent.
        SourceUnavailableError
            For 5xx, no answer or a broken connection after the last attempt.
        SourceError
            For any other status, an answer that is too long or one that cannot be decompressed.
        """
        url = httpx.URL(f"{self._base_url.rstrip('/')}/{path}" if path else self._base_url)
        if params:
            url = url.copy_merge_params(dict(params))
        self._leave()
        deadline = time.monotonic() + self._limits.total_s
        last: SourceError
        try:
            body = self._get_with_retries(url, deadline)
        except _AgainError as problem:
            last = problem.failure
        else:
            self._token_worked |= needs_token and bool(self._token)
            return body
        raise last

    def _leave(self) -> None:
        """Wait until a request may leave, if there is one left."""
        if self._budget is not None and not self._budget.take():
            raise SourceBudgetError(
                f"not asked: the {self._budget.most} requests of this run are spent; "
                "raise electricity_maps.requests_per_night, or name fewer regions"
            )
        self._bucket.acquire()

    def _get_with_retries(self, url: httpx.URL, deadline: float) -> bytes | None:
        limits = self._limits

        def wait(problem: Exception) -> bool | float:
            if not isinstance(problem, _AgainError):
                return False
            if problem.retry_after_s is None:
                return True
            wait_s = min(problem.retry_after_s, limits.retry_after_max_s)
            self._bucket.hold(wait_s)
            return wait_s if time.monotonic() + wait_s < deadline else False

        for attempt in stamina.retry_context(
            on=wait,
            attempts=limits.attempts,
            timeout=limits.total_s,
            wait_initial=limits.wait_initial_s,
            wait_max=limits.wait_max_s,
            wait_jitter=limits.wait_jitter_s,
        ):
            with attempt:
                if attempt.num > 1:
                    self._leave()
                return self._get_once(url, deadline)
        raise AssertionError("stamina ends with a result or an error")  # pragma: no cover

    def _get_once(self, url: httpx.URL, deadline: float) -> bytes | None:
        where = public_name(str(url))
        try:
            with discreet_logs(), self._http.stream("GET", url) as response:
                body = self._token.scrubbed_body(self._read(response, where, deadline))
        except httpx.HTTPError as problem:
            words = f"{where} {self._transport_words(problem)}"
            may_retry = not isinstance(problem, _NO_RETRY)
        else:
            return self._judge(response, body, where)
        if may_retry:
            raise _AgainError(SourceUnavailableError(words))
        raise SourceError(words)

    def _read(self, response: httpx.Response, where: str, deadline: float) -> bytes:
        most = self._limits.max_bytes if response.is_success else _ERROR_BODY_BYTES
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if time.monotonic() > deadline:
                raise SourceUnavailableError(
                    f"{where} did not finish its answer within {self._limits.total_s:g} s"
                )
            if len(body) > most:
                if response.is_success:
                    raise SourceError(f"{where} answered with more than the {most} bytes allowed")
                break
        return bytes(body[:most])

    def _judge(self, response: httpx.Response, body: bytes, where: str) -> bytes | None:
        status = response.status_code
        if response.is_success:
            return body
        if status == httpx.codes.NOT_FOUND:
            return None
        said = error_message(body)
        words = f"{where} answered {status}" + (f": {self._token.scrubbed(said)}" if said else "")
        if response.next_request is not None:
            target = self._token.scrubbed(public_name(str(response.next_request.url)))
            raise SourceError(f"{words}, a redirect to {target}, which is not followed; correct the URL")
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            worked = self._token_worked and status == httpx.codes.UNAUTHORIZED
            refused = refusal(said, words, has_token=bool(self._token), token_worked=worked)
            if isinstance(refused, SourceRateLimitError):
                raise _AgainError(refused, retry_after_s(response.headers))
            raise refused
        if status == httpx.codes.TOO_MANY_REQUESTS:
            raise _AgainError(SourceRateLimitError(words), retry_after_s(response.headers))
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise _AgainError(SourceUnavailableError(words), retry_after_s(response.headers))
        raise SourceError(words)

    def _transport_words(self, problem: httpx.HTTPError) -> str:
        limits = self._limits
        if isinstance(problem, httpx.ConnectTimeout):
            return f"cannot be reached: no connection within {limits.connect_s:g} s"
        if isinstance(problem, httpx.TimeoutException):
            return f"did not answer within {limits.read_s:g} s"
        if isinstance(problem, httpx.ConnectError):
            return f"cannot be reached: {self._token.scrubbed(str(problem))}"
        return f"broke off ({type(problem).__name__})"


def _checked_url(base_url: str) -> str:
    problem = ""
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        problem = "is not a URL"
    else:
        if url.scheme not in ("http", "https") or not url.host:
            problem = "must begin with http:// or https:// and name a host"
    if problem:
        raise ConfigError(f"the URL {public_name(base_url)!r} {problem}")
    return base_url


@cache
def _tls_context() -> ssl.SSLContext:
    """Trusted certificates, read once: that takes longer than many a request."""
    return httpx.create_ssl_context()
