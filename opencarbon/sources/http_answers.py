"""What the headers and bodies of failed HTTP answers say."""

import json
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from opencarbon.errors import SourceAuthError, SourceError, SourcePlanError, SourceRateLimitError

_PLAN_WORDS: Final = (
    "do not have access",
    "unauthorized for zonekey",
    "endpoint not available",
)
"""What Electricity Maps says with 401 when the token is good but its plan does not cover the zone or endpoint.

Recorded from the v4 API, and from ``ErrorMessages.cs`` of the Green Software Foundation's carbon-aware-sdk.
"""


def is_about_the_plan(message: str) -> bool:
    """Whether a refusal (401, 403) is about the plan of the token and not about the token.

    Parameters
    ----------
    message : str
        What the body says.

    Returns
    -------
    bool
    """
    return any(words in message.lower() for words in _PLAN_WORDS)


def refusal(said: str, words: str, *, has_token: bool, token_worked: bool) -> SourceError:
    """What a refusal (401, 403) is: of the plan, of the token, or throttling.

    Parameters
    ----------
    said : str
        What the body says.
    words : str
        What the message begins with.
    has_token, token_worked : bool
        Whether a token was sent, and whether the service took it before (for 401).

    Returns
    -------
    SourceError
    """
    if is_about_the_plan(said):
        return SourcePlanError(f"{words} (the plan of the token does not cover this)")
    if token_worked:
        return SourceRateLimitError(f"{words} (the token worked before: this is throttling)")
    return SourceAuthError(f"{words} ({'the token is refused' if has_token else 'no token was sent'})")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Wait that a ``Retry-After`` header asks for (RFC 9110, section 10.2.3).

    Parameters
    ----------
    headers : mapping of str to str
        Headers of the answer, names in any case. A date counts from the ``Date`` of the same answer, so that no
        clock here matters.

    Returns
    -------
    float or None
        Wait [s]; None where the header is missing or unreadable.
    """
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}", value):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
        asked_at = parsedate_to_datetime(headers.get("Date", ""))
        return max(0.0, (until - asked_at).total_seconds())
    except (ValueError, TypeError):
        return None


def error_message(body: bytes) -> str:
    """Read what the body of an error says.

    Parameters
    ----------
    body : bytes

    Returns
    -------
    str
        Its ``error`` and ``message`` on one line; empty where the body is not a JSON object that has them.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(answer, dict):
        return ""
    said = (answer.get(name) for name in ("error", "message"))
    return " ".join(" ".join(text.split()) for text in said if isinstance(text, str))
