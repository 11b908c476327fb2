"""Settings that Prefect reads when it is imported: every flow imports this module before Prefect.

A worker imports Prefect before the flow: what it needs of these stands in ``configs/prefect.yaml``.
"""

import os

# No telemetry, and what opencarbon logs belongs to the run.
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "opencarbon")
os.environ.setdefault("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")
# A temporary server makes its database on the first call: on a busy machine that takes longer than the default 20 s.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")


def quiet_terminal() -> None:
    """For scripts: a terminal gets the table, or one readable error; the server keeps the logs and tracebacks."""
    if "PREFECT_LOGGING_LEVEL" not in os.environ:
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
