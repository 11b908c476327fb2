"""Who is told when a run fails, crashes or is over budget: a webhook."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

import httpx
from prefect import Flow, State
from prefect.client.schemas.objects import FlowRun
from prefect.utilities.urls import url_for
from pydantic import SecretStr

from flows.inputs import as_of_run, secret_in
from flows.states import OVER_BUDGET
from opencarbon.errors import ConfigError
from opencarbon.settings import load_settings

_LOG = logging.getLogger("opencarbon.flows")
_VARIABLE: Final = "OPENCARBON_NOTIFY__WEBHOOK_URL"
_PATIENCE_S: Final = 10.0
"""Longest wait for the webhook, for each of connecting, sending and its answer [s]: the night is over by then."""
_TELLING: ContextVar[bool] = ContextVar("opencarbon_telling", default=False)

# Whoever knows the URL of a webhook may use it: httpx logs the URL of every request, and httpcore what it is answered.
for _name in ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy"):
    logging.getLogger(_name).addFilter(lambda _: not _TELLING.get())


def notify(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Post what became of a run to ``notify.webhook_url``; whatever happens there changes nothing here.

    Parameters
    ----------
    flow : Flow
    flow_run : FlowRun
    state : State
    """
    try:
        url = _webhook(flow_run.parameters.get("config_path"))
        if url is None:
            return
        status = _posted(url, _content(flow, flow_run, state))
        if httpx.codes.is_success(status):
            _LOG.info("webhook told: state=%s", state.name)
        else:
            _LOG.warning("webhook not told: it answered %d", status)
    except ConfigError as problem:
        _LOG.warning("webhook not told: %s", problem)
    except Exception as problem:  # noqa: BLE001  # whatever it is; its words may hold the URL
        _LOG.warning("webhook not told: %s", type(problem).__name__)


def notify_over_budget(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """The same for a run that completed, if it is over budget.

    Parameters
    ----------
    flow : Flow
    flow_run : FlowRun
    state : State
    """
    if state.name == OVER_BUDGET:
        notify(flow, flow_run, state)


def _webhook(config_path: str | None) -> SecretStr | None:
    """The URL; settings that cannot be read are a reason to tell somebody, so the environment will do."""
    try:
        options = load_settings(Path(config_path) if config_path else None).notify
    except ConfigError:
        from_environment = os.environ.get(_VARIABLE, "").strip()
        return SecretStr(from_environment) if from_environment else None
    if options.webhook_url is not None or options.secret_block is None:
        return options.webhook_url
    return secret_in(options.secret_block, "notify.secret_block", _VARIABLE)


def _content(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> dict[str, str | None]:
    return {
        "flow": flow.name,
        "run": flow_run.name,
        "state": state.name,
        "message": state.message,
        "as_of": _as_of(flow_run),
        "run_id": str(flow_run.id),
        "url": url_for(flow_run),
    }


def _as_of(flow_run: FlowRun) -> str | None:
    """The moment the run looks from; none where its parameter is what made it fail."""
    try:
        moment = as_of_run(flow_run.parameters.get("as_of"), flow_run.expected_start_time)
    except ValueError:
        return None
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _posted(url: SecretStr, content: dict[str, str | None]) -> int:
    """Status of the answer, whose body is left unread: one that never ends would keep the run from ending."""
    address = url.get_secret_value()
    with _unlogged(), httpx.stream("POST", address, json=content, timeout=_PATIENCE_S) as answer:
        return answer.status_code


@contextmanager
def _unlogged() -> Iterator[None]:
    mark = _TELLING.set(True)
    try:
        yield
    finally:
        _TELLING.reset(mark)
